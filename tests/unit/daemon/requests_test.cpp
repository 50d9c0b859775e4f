// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Requests of the control protocol, polite and otherwise.
#include "userspace/daemon/requests.h"

#include <gmock/gmock.h>

namespace spidd {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view line) {
  const auto request = parse_request(line);
  return request ? "" : request.error().message;
}

TEST(Requests, ReadEveryCommand) {
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(*parse_request(R"({"version":1,"command":"status"})")));
  EXPECT_TRUE(std::holds_alternative<CountersRequest>(*parse_request(R"({"version":1,"command":"counters"})")));
  EXPECT_TRUE(std::holds_alternative<SubscribeRequest>(*parse_request(R"({"command":"subscribe","version":1})")));
  EXPECT_TRUE(
      std::holds_alternative<PolicyReloadRequest>(*parse_request(R"({"version":1,"command":"policy_reload"})")));
  EXPECT_EQ(std::get<FlowsRequest>(*parse_request(R"({"version":1,"command":"flows","limit":7})")).limit, 7U);
  EXPECT_EQ(std::get<PortsRequest>(*parse_request(R"({"version":1,"command":"ports"})")).limit, 20U);
  EXPECT_EQ(std::get<DropsRequest>(*parse_request(R"({"version":1,"command":"drops","limit":10000})")).limit, 10000U);
  const auto alerts = std::get<AlertsRequest>(*parse_request(R"({"version":1,"command":"alerts","since":12})"));
  EXPECT_EQ(alerts.since, 12U);
}

TEST(Requests, ReadTargetAndTimeOfABlock) {
  const auto request = parse_request(R"({"version":1,"command":"block","target":"tcp/198.51.100.7:443","for":"10m"})");
  ASSERT_TRUE(request) << request.error().message;
  const auto& block = std::get<BlockRequest>(*request);
  EXPECT_EQ(to_string(block.target), "tcp 198.51.100.7:443");
  EXPECT_EQ(block.duration, std::chrono::minutes(10));
  const auto unblock = parse_request(R"({"version":1,"command":"unblock","target":"198.51.100.0/24"})");
  ASSERT_TRUE(unblock) << unblock.error().message;
  EXPECT_EQ(to_string(std::get<UnblockRequest>(*unblock).target), "198.51.100.0/24");
}

TEST(Requests, NameBothVersionsWhenTheyDiffer) {
  const std::string message = error_of(R"({"version":2,"command":"status"})");
  EXPECT_THAT(message, HasSubstr("version '2'"));
  EXPECT_THAT(message, HasSubstr("speaks version 1"));
  EXPECT_THAT(error_of(R"({"command":"status"})"), HasSubstr("missing 'version'"));
}

TEST(Requests, RefuseWhatIsNotUnderstood) {
  EXPECT_THAT(error_of(""), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("status"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("JSON object"));
  EXPECT_THAT(error_of("{\"version\":1,\"command\":\"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of(R"({"version":"1","command":"status"})"), HasSubstr("whole number"));
  EXPECT_THAT(error_of(R"({"version":1})"), HasSubstr("missing 'command'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":5})"), HasSubstr("string"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"halt"})"), HasSubstr("unknown command 'halt'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"status","x":1})"), HasSubstr("unknown key 'x'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"flows","limit":0})"), HasSubstr("'limit'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"flows","limit":-1})"), HasSubstr("'limit'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"flows","limit":1e99})"), HasSubstr("'limit'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"block","for":"1h"})"), HasSubstr("missing 'target'"));
  EXPECT_THAT(error_of(R"({"version":1,"command":"block","target":"192.0.2.1"})"), HasSubstr("missing 'for'"));
  EXPECT_NE(error_of(R"({"version":1,"command":"block","target":"example.org","for":"1h"})"), "");
  EXPECT_NE(error_of(R"({"version":1,"command":"block","target":"192.0.2.1","for":"-1h"})"), "");
}

TEST(Requests, SurviveDeepNesting) {
  EXPECT_NE(error_of(std::string(60000, '[')), "");
  EXPECT_NE(
      error_of(R"({"version":1,"command":"status","x":)" + std::string(30000, '[') + std::string(30000, ']') + "}"),
      "");
}

TEST(Requests, QuoteTheClientsWordsOnlyInPart) {
  EXPECT_LT(error_of(R"({"version":1,"command":")" + std::string(5000, 'x') + "\"}").size(), 200U);
}

TEST(Responses, AreOneLineOfJson) {
  EXPECT_EQ(success_line({{"a", 1}}), R"({"version":1,"ok":true,"result":{"a":1}})");
  EXPECT_EQ(error_line("not \"this\"\n"), R"({"version":1,"ok":false,"error":"not \"this\"\n"})");
  EXPECT_EQ(event_line(R"({"event_type":"alert"})"), R"({"version":1,"event":{"event_type":"alert"}})");
  EXPECT_TRUE(nlohmann::json::accept(error_line("cut \xe2\x82")));
}

}  // namespace
}  // namespace spidd
