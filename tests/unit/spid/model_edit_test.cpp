// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Putting models together, renaming, forgetting and taking in those of others.
#include "userspace/spid/model_edit.h"

#include <gmock/gmock.h>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

using testing::HasSubstr;

ModelDatabase some_models() {
  ModelDatabase database;
  std::mt19937 random(3);
  AttributeMeters meters;
  Fingerprint flow;
  const auto add = [&](const char* label, Transport transport, const char* family, View view = View::both) {
    meters.measure(random_flow(random, 8), flow);
    ProtocolModel& model = database.find_or_add(label, transport, Category::plain, family, view);
    model.add(flow);
    model.captures = 1;
  };
  add("dns", Transport::tcp, "dns");
  add("dns", Transport::udp, "dns");
  add("dns", Transport::udp, "dns", View::to_server);
  add("imap", Transport::tcp, "mail");
  add("pop3", Transport::tcp, "mail");
  add("ssh", Transport::tcp, "ssh");
  return database;
}

std::vector<std::string> labels_of(const ModelDatabase& database) {
  std::vector<std::string> labels;
  for (const ProtocolModel& model : database.models) labels.push_back(model.label);
  return labels;
}

TEST(ModelEdit, MergingAddsTheCountsAndTakesTheParts) {
  ModelDatabase database = some_models();
  const ProtocolModel imap = *database.find("imap", Transport::tcp);
  const ProtocolModel pop3 = *database.find("pop3", Transport::tcp);
  ASSERT_TRUE(merge_models(database, std::vector<std::string>{"imap", "pop3"}, "mail", "", false));
  EXPECT_EQ(database.find("imap", Transport::tcp), nullptr);
  const ProtocolModel* mail = database.find("mail", Transport::tcp);
  ASSERT_NE(mail, nullptr);
  EXPECT_EQ(mail->family, "mail");
  EXPECT_EQ(mail->flows, 2U);
  EXPECT_EQ(mail->captures, 2U);
  for (unsigned row = 0; row < kRowCount; ++row)
    ASSERT_EQ(mail->counters[row], imap.counters[row] + pop3.counters[row]) << row;
}

TEST(ModelEdit, MergingMayKeepThePartsAndGrowAModel) {
  ModelDatabase database = some_models();
  ASSERT_TRUE(merge_models(database, std::vector<std::string>{"imap", "pop3"}, "imap", "", true));
  EXPECT_EQ(database.find("imap", Transport::tcp)->flows, 2U);
  EXPECT_EQ(database.find("pop3", Transport::tcp)->flows, 1U);
  ASSERT_TRUE(merge_models(database, std::vector<std::string>{"pop3"}, "imap", "", false));
  EXPECT_EQ(database.find("imap", Transport::tcp)->flows, 3U);
}

TEST(ModelEdit, MergingKeepsTransportsAndViewsApart) {
  ModelDatabase database = some_models();
  ASSERT_TRUE(merge_models(database, std::vector<std::string>{"dns", "ssh"}, "both", "mine", false));
  EXPECT_EQ(database.find("both", Transport::tcp)->flows, 2U);
  EXPECT_EQ(database.find("both", Transport::udp)->flows, 1U);
  EXPECT_EQ(database.find("both", Transport::udp, View::to_server)->flows, 1U);
  EXPECT_EQ(database.find("both", Transport::udp)->family, "mine");
}

TEST(ModelEdit, MergingRefusesWhatDoesNotBelongTogether) {
  const auto error_of = [](const std::vector<std::string>& labels, const std::string& into, bool tunnel = false) {
    ModelDatabase database = some_models();
    if (tunnel) database.models.back().category = Category::tunnel;
    const auto merged = merge_models(database, labels, into, "", false);
    return merged ? "merged" : merged.error().message;
  };
  EXPECT_EQ(error_of({"imap", "xyz"}, "mail"), "there is no model 'xyz'");
  EXPECT_EQ(error_of({"imap", "imap"}, "mail"), "a label is named twice");
  EXPECT_THAT(error_of({"imap", "pop3"}, "Mail!"), HasSubstr("is not a label"));
  EXPECT_EQ(error_of({"imap", "ssh"}, "mail"), "mail and ssh are of different families: say --family");
  EXPECT_THAT(error_of({"dns", "ssh"}, "sum", true), HasSubstr("dns is plain, ssh is tunnel"));
  EXPECT_EQ(error_of({"dns", "ssh"}, "sum"), "merged");
}

TEST(ModelEdit, RenamingTakesAFamilyOfItsOwnAlong) {
  ModelDatabase database = some_models();
  ASSERT_TRUE(rename_models(database, "dns", "zone"));
  EXPECT_EQ(labels_of(database), (std::vector<std::string>{"imap", "pop3", "ssh", "zone", "zone", "zone"}));
  EXPECT_EQ(database.find("zone", Transport::udp)->family, "zone");
  ASSERT_TRUE(rename_models(database, "imap", "imap4"));
  EXPECT_EQ(database.find("imap4", Transport::tcp)->family, "mail");
  EXPECT_THAT(rename_models(database, "ssh", "zone").error().message, HasSubstr("there is a model 'zone' already"));
  EXPECT_EQ(rename_models(database, "xyz", "abc").error().message, "there is no model 'xyz'");
}

TEST(ModelEdit, ForgettingIsOfAllTransportsOrOne) {
  ModelDatabase database = some_models();
  ASSERT_TRUE(forget_models(database, "dns", Transport::udp));
  EXPECT_EQ(labels_of(database), (std::vector<std::string>{"dns", "imap", "pop3", "ssh"}));
  EXPECT_EQ(forget_models(database, "dns", Transport::udp).error().message, "there is no model 'dns' over udp");
  ASSERT_TRUE(forget_models(database, "dns", std::nullopt));
  EXPECT_EQ(labels_of(database), (std::vector<std::string>{"imap", "pop3", "ssh"}));
  EXPECT_FALSE(forget_models(database, "dns", std::nullopt));
}

TEST(ModelEdit, ImportingRefusesAddsOrReplaces) {
  const ModelDatabase other = some_models();
  ModelDatabase database = some_models();
  EXPECT_THAT(import_models(database, other, Existing::refuse).error().message, HasSubstr("--add adds the counts up"));
  ASSERT_TRUE(import_models(database, other, Existing::replace));
  EXPECT_EQ(database.models, other.models);
  ASSERT_TRUE(import_models(database, other, Existing::add));
  EXPECT_EQ(database.find("ssh", Transport::tcp)->flows, 2U);
  ModelDatabase empty;
  ASSERT_TRUE(import_models(empty, other, Existing::refuse));
  EXPECT_EQ(empty.models, other.models);
}

TEST(ModelEdit, RefusesNamesThatSpiddSaysOfFlowsWithoutALabel) {
  ModelDatabase database = some_models();
  for (const char* name : {"unknown", "unknown-3fa2", "tunnel", "fully-encrypted", "undecided"}) {
    const std::string what = fmt::format("\"{}\" is what spidd says", name);
    EXPECT_THAT(rename_models(database, "dns", name).error().message, HasSubstr(what));
    const std::vector<std::string> mail{"imap", "pop3"};
    EXPECT_THAT(merge_models(database, mail, name, "", false).error().message, HasSubstr(what));
    EXPECT_THAT(merge_models(database, mail, "mail", name, false).error().message, HasSubstr(what));
    ModelDatabase other;
    other.find_or_add(name, Transport::tcp, Category::plain, "x");
    EXPECT_THAT(import_models(database, other, Existing::add).error().message, HasSubstr(what));
  }
  EXPECT_TRUE(check_given_name("unknowable"));
  EXPECT_TRUE(check_given_name("tunnel-x"));
}

TEST(ModelEdit, ImportingRefusesModelsMeasuredOtherwise) {
  ModelDatabase strict = some_models();
  strict.rules = MeterRules::strict;
  ModelDatabase database = some_models();
  EXPECT_THAT(import_models(database, strict, Existing::add).error().message, HasSubstr("measured with strict rules"));
  ModelDatabase empty;
  ASSERT_TRUE(import_models(empty, strict, Existing::refuse));
  EXPECT_EQ(empty.rules, MeterRules::strict);
}

}  // namespace
}  // namespace spidd
