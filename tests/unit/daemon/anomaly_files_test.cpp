// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's log and surveys as files. Source: spade.md 7.7, 7.9.
#include "userspace/daemon/anomaly_files.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ToFiles final : public SpadeSink {
 public:
  explicit ToFiles(AnomalyFiles& files) : files_(files) {}
  void alert(const SpadeAlert&) override {}
  void adjusted(const ThresholdAdjusted&) override {}
  void advised(const ThresholdAdviser&) override { files_.advised(); }
  void surveyed(const ScoreSurvey& survey, std::size_t new_rows) override { files_.surveyed(survey, new_rows); }

 private:
  AnomalyFiles& files_;
};

class AnomalyFilesTest : public testing::Test {
 protected:
  AnomalyFilesTest() {
    std::string pattern = testing::TempDir() + "spidd-spade-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    files_.emplace(directory_);
    sink_.emplace(*files_);
    DetectorSettings detector = default_detector(DetectorType::closed_dport);
    detector.id = "web";
    detector.min_observations = 0;
    settings_.detectors = {detector};
    settings_.surveys = {{"web", "survey", 1}};
    settings_.advisers = {{"web", 10, 1}};
    settings_.log_file = "spade.log";
    settings_.statistics.unconditional = true;
  }
  ~AnomalyFilesTest() override { std::filesystem::remove_all(directory_); }

  static void one_packet_a_second(Spade& spade, unsigned from, unsigned to) {
    for (unsigned second = from; second < to; ++second) {
      Observation packet;
      packet.time = Timestamp{std::chrono::seconds(1'000'000 + second)};
      packet.source = *IpAddress::parse("192.0.2.1");
      packet.destination = *IpAddress::parse("10.0.0.5");
      packet.destination_port = 80;
      packet.tcp_flags = 2;
      spade.observe(packet);
    }
  }
  std::string contents(const char* name) {
    files_->writer().flush();
    std::ifstream file(directory_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  std::optional<AnomalyFiles> files_;
  std::optional<ToFiles> sink_;
  SpadeSettings settings_;
};

TEST_F(AnomalyFilesTest, AddALineToTheSurveyEveryInterval) {
  Spade spade = *Spade::create(settings_, *sink_);
  one_packet_a_second(spade, 0, 70);
  EXPECT_EQ(std::ranges::count(contents("survey"), '\n'), 2);
  one_packet_a_second(spade, 70, 190);
  const std::string survey = contents("survey");
  EXPECT_EQ(std::ranges::count(survey, '\n'), 4);
  EXPECT_THAT(survey, HasSubstr("\n1\t60\t"));
  EXPECT_THAT(survey, HasSubstr("\n3\t6"));
}

TEST_F(AnomalyFilesTest, GiveASurveyThatBeginsAnewAHeaderOnly) {
  Spade first = *Spade::create(settings_, *sink_);
  one_packet_a_second(first, 0, 130);
  Spade second = *Spade::create(settings_, *sink_);
  second.take_over(first);
  one_packet_a_second(second, 130, 190);
  EXPECT_THAT(contents("survey"), HasSubstr("\n2\t60\t"));
  EXPECT_EQ(std::ranges::count(contents("survey"), '\n'), 4) << "it went on";
  Spade third = *Spade::create(settings_, *sink_);
  one_packet_a_second(third, 190, 260);
  EXPECT_EQ(std::ranges::count(contents("survey"), '\n'), 6);
}

TEST_F(AnomalyFilesTest, WriteTheLogAnewWhenAnAdviserIsDone) {
  Spade spade = *Spade::create(settings_, *sink_);
  one_packet_a_second(spade, 0, 3600);
  EXPECT_FALSE(files_->log_due());
  one_packet_a_second(spade, 3600, 3603);
  ASSERT_TRUE(files_->log_due());
  files_->write_log(spade);
  EXPECT_FALSE(files_->log_due());
  files_->write_log(spade);
  EXPECT_TRUE(files_->logs().busy()) << "it is made between packets";
  files_->logs().finish(spade);
  const std::string log = contents("spade.log");
  EXPECT_THAT(log, StartsWith("3603 packets were processed by Spade\n"));
  EXPECT_THAT(log, HasSubstr("(id=web) **"));
  EXPECT_THAT(log, HasSubstr("Recorded is: P("));
  EXPECT_EQ(log.find("packets were processed", 10 + log.find("packets were processed")), std::string::npos);
}

TEST_F(AnomalyFilesTest, TablesAreCopiedInSlicesForTheLog) {
  settings_.statistics = {true, true, true};
  Spade spade = *Spade::create(settings_, *sink_);
  for (unsigned i = 0; i < 3 * SpadeSnapshot::kSliceEntries; ++i) {
    Observation packet;
    packet.time = Timestamp{std::chrono::seconds(1'000'000)};
    packet.source = *IpAddress::parse("192.0.2.1");
    packet.destination = IpAddress::from_ipv4(0x0a000000 + i);
    packet.destination_port = 80;
    packet.tcp_flags = 2;
    spade.observe(packet);
  }
  ScoreLogs& logs = files_->logs();
  std::promise<std::string> promise;
  ASSERT_TRUE(logs.ask({10, true, [&](std::string text) { promise.set_value(std::move(text)); }}));
  unsigned slices = 0;
  for (; logs.busy(); ++slices) logs.tend(spade);
  EXPECT_GE(slices, 6U);
  const std::string text = promise.get_future().get();
  EXPECT_THAT(text, HasSubstr("H(dip)= 15.58"));
  EXPECT_EQ(std::ranges::count(text, 'P'), 1 + 10 + 10) << text;
  EXPECT_THAT(text, HasSubstr("more entries left out"));
  for (std::size_t i = 0; i < ScoreLogs::kMostWaiting; ++i) EXPECT_TRUE(logs.ask({1, true, [](const std::string&) {}}));
  EXPECT_FALSE(logs.ask({1, true, [](const std::string&) {}}));
  logs.finish(spade);
  EXPECT_FALSE(logs.busy());
}

TEST_F(AnomalyFilesTest, WithoutANameThereIsNoFile) {
  settings_.log_file.clear();
  settings_.surveys[0].file.clear();
  Spade spade = *Spade::create(settings_, *sink_);
  one_packet_a_second(spade, 0, 200);
  files_->write_log(spade);
  files_->writer().flush();
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace spidd
