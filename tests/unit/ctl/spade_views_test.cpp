// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What spidctl spade prints of the daemon's answers, those of another version included.
#include "userspace/ctl/spade_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace spidd {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

std::string printed(const char* verb, const char* answer) {
  testing::internal::CaptureStdout();
  print_spade(verb, ordered_json::parse(answer));
  return testing::internal::GetCapturedStdout();
}

TEST(SpadeViews, StatusHasARowForEveryDetector) {
  const std::string text = printed("status", R"({"profile":"documented",
      "spade":{"observations":12345,"counted":67,"known_attempts":8,"table_entries":99,"table_bytes":2048,"waiting":1},
      "incidents":{"open":2,"opened":5},
      "detectors":[{"id":"closed-syn","type":"closed-dport","scope":"local dest, syn","threshold":0.85,"evaluated":1000,
        "insufficient":400,"anomalous":15,"excluded":6,"held_back":2,"cancelled":3,"reported":4,"remembered":812.4}]})");
  EXPECT_THAT(
      text, testing::ContainsRegex("closed-syn +closed-dport +local dest, syn +0.8500 +600 +400 +15 +6 +2 +3 +4 +812"));
  EXPECT_THAT(text, HasSubstr("incidents: 2 open, 5 in all\n"));
}

TEST(SpadeViews, TablesSayWhatTheyCount) {
  const std::string text = printed("tables", R"({"tables":[{"conditions":"local dest, syn","features":["sip","dport"],
      "entries":10,"bytes":4096,"remembered":3.25,"updates":7,"forgotten":1,"evicted":0}]})");
  EXPECT_THAT(text, testing::ContainsRegex("local dest, syn +sip, dport +10 "));
}

TEST(SpadeViews, IncidentsAreOneLineEachAndOneMoreForTheRule) {
  constexpr const char* kAnswer = R"({"incidents":[{"timestamp":"2026-11-21T19:04:35.123456+0000",
      "incident":{"id":7,"change":"opened"},"alert":{"action":"allowed","signature":"Spade: vertical scan by 192.0.2.1",
      "rule":"scans","would_block":true,"reason":"unconfirmed"}}]})";
  const std::string text = printed("incidents", kAnswer);
  EXPECT_THAT(text, HasSubstr("incident 7 opened: Spade: vertical scan by 192.0.2.1\n"));
  EXPECT_THAT(text, HasSubstr("rule scans: not blocked: unconfirmed\n"));
  EXPECT_EQ(printed("incidents", R"({"incidents":[]})"), "no open incidents\n");
}

TEST(SpadeViews, SurveysAndAdviceAreShownAsTheyWereWritten) {
  EXPECT_EQ(printed("survey", R"({"surveys":[{"id":"web","text":"header\n1\t2\n"}]})"), "web:\nheader\n1\t2\n\n");
  EXPECT_EQ(printed("survey", R"({"surveys":[]})"), "no survey is configured: [[spade.survey]]\n");
  EXPECT_EQ(printed("advise", R"({"advisers":[]})"), "no adviser is configured: [[spade.advise]]\n");
  EXPECT_EQ(printed("stats", R"({"text":"5 packets were processed\n"})"), "5 packets were processed\n");
}

TEST(SpadeViews, AnAnswerThatLacksEverythingIsShownWithGaps) {
  for (const char* verb : {"status", "tables", "stats", "survey", "advise", "incidents"}) {
    printed(verb, "{}");
    printed(verb, R"({"detectors":[{}],"tables":[{}],"surveys":[{}],"advisers":[{}],"incidents":[{}],"text":3})");
  }
}

}  // namespace
}  // namespace spidd
