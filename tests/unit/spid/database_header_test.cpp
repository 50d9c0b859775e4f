// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a directory of models says of all of them, and when thresholds no longer fit.
#include "userspace/spid/database_header.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

ModelDatabase some_models() {
  ModelDatabase database;
  std::mt19937 random(7);
  AttributeMeters meters;
  Fingerprint flow;
  for (const char* label : {"dns", "ssh", "tls"}) {
    meters.measure(random_flow(random, 8), flow);
    database.find_or_add(label, Transport::tcp, Category::plain, label).add(flow);
  }
  database.models[1].threshold = 0.25F;
  return database;
}

std::string error_of(const std::string& text) {
  ModelDatabase database;
  const auto parsed = parse_header(text, "database.json", database);
  return parsed ? "parsed" : parsed.error().message;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from);
  return text.replace(at, from.size(), to);
}

class HeaderInDirectory : public testing::Test {
 protected:
  HeaderInDirectory() {
    std::string pattern = testing::TempDir() + "spidd-header-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~HeaderInDirectory() override { fs::remove_all(directory_); }

  std::string directory_;
};

TEST(DatabaseHeader, IsReadAsItWasWritten) {
  ModelDatabase database;
  database.snap = 48;
  database.rules = MeterRules::strict;
  database.thresholds_for = 0x0123456789abcdef;
  database.creator = "spidd \"9\"";
  ModelDatabase read;
  ASSERT_TRUE(parse_header(format_header(database), "x", read));
  EXPECT_EQ(read.snap, 48U);
  EXPECT_EQ(read.rules, MeterRules::strict);
  EXPECT_EQ(read.thresholds_for, database.thresholds_for);
  EXPECT_EQ(read.creator, database.creator);
  database.thresholds_for.reset();
  ModelDatabase without;
  ASSERT_TRUE(parse_header(format_header(database), "x", without));
  EXPECT_FALSE(without.thresholds_for);
}

TEST(DatabaseHeader, IsRefusedIfItIsDamagedOrOfAnotherVersion) {
  ModelDatabase database;
  database.thresholds_for = 7;
  const std::string text = format_header(database);
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    EXPECT_THAT(error_of(text.substr(0, length)), StartsWith("database.json:")) << length;
  EXPECT_THAT(error_of(with(text, "\"spidd_models\": 1", "\"spidd_models\": 2")),
              HasSubstr("format version 2 is not 1"));
  EXPECT_THAT(error_of(with(text, "spidd_models", "spid")), HasSubstr("\"spidd_models\" is missing"));
  EXPECT_THAT(error_of(with(text, "spidd45", "spid34")), HasSubstr("meter set \"spid34\" is not"));
  EXPECT_THAT(error_of(with(text, "corrected", "loose")), HasSubstr("neither corrected nor strict"));
  EXPECT_THAT(error_of(with(text, "\"snap\": 64", "\"snap\": 1501")), HasSubstr("snap is not 1 to 1500"));
  EXPECT_THAT(error_of(with(text, "\"snap\"", "\"snip\"")), HasSubstr("key \"snip\" is unknown"));
  EXPECT_THAT(error_of(with(text, "\"snap\": 64,", "")), HasSubstr("key \"snap\" is missing"));
  EXPECT_THAT(error_of(with(text, "0000000000000007", "7")), HasSubstr("16 hexadecimal digits"));
  EXPECT_EQ(error_of(with(text, "\"rules\"", "rules")), "database.json:4: not JSON (byte 46)");
}

TEST(DatabaseHeader, HashIsOfTheBackgroundAlone) {
  const ModelDatabase database = some_models();
  ModelDatabase renamed = database;
  renamed.models[0].label = "zzz";
  std::swap(renamed.models[0], renamed.models[2]);
  EXPECT_EQ(background_hash(renamed), background_hash(database));
  ModelDatabase counted = database;
  ++counted.models[0].counters[5];
  EXPECT_NE(background_hash(counted), background_hash(database));
  ModelDatabase fewer = database;
  fewer.models.pop_back();
  EXPECT_NE(background_hash(fewer), background_hash(database));
  ModelDatabase turned = database;
  turned.models[0].view = View::to_server;
  EXPECT_NE(background_hash(turned), background_hash(database));
}

TEST(DatabaseHeader, SaysWhetherThresholdsFit) {
  ModelDatabase database = some_models();
  EXPECT_FALSE(thresholds_fit(database));
  database.thresholds_for = background_hash(database);
  EXPECT_TRUE(thresholds_fit(database));
  database.models.erase(database.models.begin());
  EXPECT_FALSE(thresholds_fit(database));
  for (ProtocolModel& model : database.models) model.threshold = 0;
  EXPECT_TRUE(thresholds_fit(database));
}

TEST_F(HeaderInDirectory, IsSavedAndLoadedWithTheModels) {
  ModelDatabase database = some_models();
  database.thresholds_for = background_hash(database);
  database.creator = "spidd 1.2";
  ASSERT_TRUE(save_models(database, directory_));
  const auto loaded = load_models(directory_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->creator, "spidd 1.2");
  EXPECT_TRUE(thresholds_fit(*loaded));
  fs::remove(directory_ + "/dns.tcp.json");
  EXPECT_FALSE(thresholds_fit(*load_models(directory_)));
  fs::remove(directory_ + "/database.json");
  EXPECT_TRUE(load_models(directory_));
}

TEST_F(HeaderInDirectory, MustSayTheSameAsTheModels) {
  ModelDatabase database = some_models();
  ASSERT_TRUE(save_models(database, directory_));
  database.rules = MeterRules::strict;
  std::ofstream(directory_ + "/database.json") << format_header(database);
  EXPECT_THAT(load_models(directory_).error().message, HasSubstr("differ from those of database.json"));
  std::ofstream(directory_ + "/database.json") << "{";
  EXPECT_THAT(load_models(directory_).error().message, StartsWith(directory_ + "/database.json:1: not JSON"));
}

TEST_F(HeaderInDirectory, OnlyWhatChangedIsWrittenAndWhatIsGoneRemoved) {
  const ModelDatabase before = some_models();
  ASSERT_TRUE(save_models(before, directory_));
  const auto kept = fs::last_write_time(directory_ + "/dns.tcp.json") - std::chrono::hours(1);
  fs::last_write_time(directory_ + "/dns.tcp.json", kept);
  ModelDatabase after = before;
  after.models[1].flows = 77;
  after.models.pop_back();
  ASSERT_TRUE(save_changes(before, after, directory_));
  EXPECT_EQ(fs::last_write_time(directory_ + "/dns.tcp.json"), kept);
  const auto loaded = load_models(directory_);
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->models.size(), 2U);
  EXPECT_EQ(loaded->models[1].flows, 77U);
}

TEST_F(HeaderInDirectory, AChangeThatFailsChangesNothing) {
  const ModelDatabase before = some_models();
  ASSERT_TRUE(save_models(before, directory_));
  ModelDatabase after = before;
  after.models[0].flows = 77;
  after.models[1].label = "no label";
  after.models.pop_back();
  EXPECT_FALSE(save_changes(before, after, directory_));
  const auto loaded = load_models(directory_);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->models.size(), 3U);
  EXPECT_NE(loaded->models[0].flows, 77U);
}

}  // namespace
}  // namespace spidd
