// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a worker does with its engine's conclusions: which events come, and what is blocked.
#include "userspace/daemon/event_sink.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace spidd {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::milliseconds;

const Timestamp kNow{std::chrono::seconds(1'800'000'000)};

class EventSinkTest : public testing::Test {
 protected:
  EventSinkTest() {
    std::string pattern = testing::TempDir() + "spidd-events-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    output_ =
        std::make_unique<EventOutput>(*EventLog::open(directory_ + "/events.jsonl"), EventOutput::Limits{10, 10, 100});
    auto policy = std::make_shared<Policy>();
    policy->mode = Mode::enforce;
    policy->never_block = {*IpPrefix::parse("192.0.2.0/24")};
    policy->rules.resize(1);
    policy->rules[0].name = "tunnels";
    policy->rules[0].action = Action::block;
    policy_ = policy;
    enforcer_ = std::make_unique<Enforcer>(*policy_, std::nullopt, "");
    sink_ = std::make_unique<EventSink>(*enforcer_, *output_, study_, policy_, std::vector<std::string>{"eth0", "eth1"},
                                        [] { return kNow + milliseconds(3); });
    model_.label = "openvpn";
    model_.family = "openvpn";
    model_.category = Category::tunnel;
    flow_.key.low = *IpAddress::parse("10.0.0.2");
    flow_.key.high = *IpAddress::parse("198.51.100.7");
    flow_.key.port_low = 40000;
    flow_.key.port_high = 443;
    flow_.key.domain = 1;
    flow_.start = kNow - milliseconds(200);
    flow_.last = kNow;
    flow_.verdict.state = IdentificationState::identified;
    flow_.verdict.rule = 0;
    flow_.verdict.payload_packets = 6;
    flow_.verdict.score = 1.5F;
    flow_.verdict.margin = 0.75F;
  }
  ~EventSinkTest() override { std::filesystem::remove_all(directory_); }

  Decision block_decision() const {
    Decision decision;
    decision.action = Action::block;
    decision.rule = 0;
    decision.block_for = hours(1);
    return decision;
  }
  FlowView view() const { return {flow_, &model_, kNow}; }

  std::vector<json> events() {
    output_->log().flush();
    std::ifstream file(directory_ + "/events.jsonl");
    std::vector<json> all;
    for (std::string line; std::getline(file, line);) all.push_back(json::parse(line));
    return all;
  }

  std::string directory_;
  std::unique_ptr<EventOutput> output_;
  std::shared_ptr<const Policy> policy_;
  std::unique_ptr<Enforcer> enforcer_;
  Study study_{StudySettings{}};
  std::unique_ptr<EventSink> sink_;
  ModelSummary model_;
  Flow flow_;
};

TEST_F(EventSinkTest, BlocksTheServersEndpointAndReportsAlertAndDrop) {
  sink_->decision(view(), block_decision());
  const auto blocks = enforcer_->blocks(10);
  ASSERT_EQ(blocks->size(), 1U);
  EXPECT_EQ(to_string(blocks->front().block.target), "tcp 198.51.100.7:443");
  EXPECT_EQ(blocks->front().block.label, "openvpn");
  EXPECT_EQ(blocks->front().block.rule, "tunnels");

  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["event_type"], "alert");
  EXPECT_EQ(all[0]["action"], "drop");
  EXPECT_EQ(all[0]["in_iface"], "eth1");
  EXPECT_EQ(all[0]["alert"]["rule"], "tunnels");
  EXPECT_EQ(all[0]["alert"]["action"], "blocked");
  EXPECT_EQ(all[0]["spid"]["label"], "openvpn");
  EXPECT_EQ(all[0]["spid"]["category"], "tunnel");
  EXPECT_EQ(all[0]["spid"]["payload_packets"], 6);
  EXPECT_EQ(all[0]["spid"]["score"], 1.5);
  EXPECT_EQ(all[0]["spid"]["margin"], 0.75);
  EXPECT_EQ(all[1]["event_type"], "drop");
  EXPECT_EQ(all[1]["drop"]["target"], "tcp 198.51.100.7:443");
  EXPECT_EQ(all[1]["drop"]["change"], "added");
  EXPECT_EQ(output_->alerts().last_number(), 1U);
}

TEST_F(EventSinkTest, MeasuresTheTimeFromPacketToEntry) {
  sink_->decision(view(), block_decision());
  EXPECT_EQ(enforcer_->latencies().count(), 1U);
  EXPECT_EQ(enforcer_->latencies().largest(), 3000U);
}

TEST_F(EventSinkTest, DoesNotMeasureAVerdictThatNoPacketMade) {
  flow_.last = kNow - std::chrono::seconds(5);
  sink_->decision(view(), block_decision());
  EXPECT_EQ(enforcer_->size(), 1U);
  EXPECT_EQ(enforcer_->latencies().count(), 0U);
}

TEST_F(EventSinkTest, SaysThatABlockGoesOnForLonger) {
  ASSERT_TRUE(enforcer_->block({*parse_block_target("tcp/198.51.100.7:443"), kNow - hours(1), std::chrono::minutes(90),
                                "tunnels", "openvpn", 0}));
  sink_->decision(view(), block_decision());
  EXPECT_EQ(events().back()["drop"]["change"], "extended");
}

TEST_F(EventSinkTest, OnlyAlertsWhenTheBlockIsRefused) {
  flow_.key.high = *IpAddress::parse("192.0.2.7");
  sink_->decision(view(), block_decision());
  EXPECT_EQ(enforcer_->size(), 0U);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["action"], "alert");
  EXPECT_EQ(all[0]["alert"]["would_block"], true);
  EXPECT_EQ(all[0]["alert"]["reason"], "refused");
}

TEST_F(EventSinkTest, ReportsTheEndOfAFlowAsFlowOnly) {
  FlowTotals totals;
  totals.counters.packets = {10, 20};
  totals.counters.bytes = {1000, 2000};
  totals.last = kNow;
  sink_->flow_ended(view(), totals, EndReason::closed);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["event_type"], "flow");
  EXPECT_EQ(all[0]["flow"]["pkts_toclient"], 20);
  EXPECT_EQ(all[0]["flow"]["reason"], "closed");
  EXPECT_EQ(all[0]["rule"], "tunnels");
  EXPECT_EQ(output_->alerts().last_number(), 0U);
}

TEST_F(EventSinkTest, FeedsSubscribersOnlyWhenThereAreSome) {
  sink_->decision(view(), block_decision());
  EXPECT_EQ(output_->feed().last_number(), 0U);
  output_->set_feed_wanted(true);
  sink_->decision(view(), block_decision());
  EXPECT_EQ(output_->feed().last_number(), 2U);
}

TEST_F(EventSinkTest, WritesNoMoreFlowsASecondThanAllowed) {
  for (int i = 0; i < 1000; ++i) sink_->flow_ended(view(), FlowTotals{}, EndReason::evicted);
  sink_->decision(view(), block_decision());
  output_->log().flush();
  const std::uint64_t flows = output_->log().counters().written - 2;
  EXPECT_GE(flows, 100U);
  EXPECT_LE(flows, 200U);  // the second may have turned meanwhile
  EXPECT_EQ(output_->flows_over_limit(), 1000 - flows);
}

// All flows end at once when the daemon stops: more than the log's buffer holds must not be lost.
TEST_F(EventSinkTest, LosesNoFlowAtShutdown) {
  constexpr std::uint64_t kFlows = 30000;
  for (std::uint64_t i = 0; i < kFlows; ++i) sink_->flow_ended(view(), FlowTotals{}, EndReason::shutdown);
  output_->log().flush();
  EXPECT_EQ(output_->log().counters().written, kFlows);
  EXPECT_EQ(output_->log().counters().lost_full, 0U);
}

TEST_F(EventSinkTest, TellsOfClientsThatHadAConversation) {
  Conversations conversations(2);
  SettledFlow settled;
  settled.client.address = *IpAddress::parse("203.0.113.9");
  settled.start = kNow;
  sink_->flow_settled(settled);
  sink_->set_conversations(&conversations);
  sink_->flow_settled(settled);
  settled.conversation = true;
  sink_->flow_settled(settled);
  std::vector<Conversation> told;
  conversations.take([&](const Conversation& one) { told.push_back(one); });
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].client, settled.client.address);
  EXPECT_EQ(told[0].start, kNow);
}

TEST_F(EventSinkTest, CountsConversationsThatNobodyTakes) {
  Conversations conversations(2);
  sink_->set_conversations(&conversations);
  SettledFlow settled;
  settled.conversation = true;
  for (int i = 0; i < 5; ++i) sink_->flow_settled(settled);
  EXPECT_EQ(conversations.lost(), 3U);
  int told = 0;
  conversations.take([&](const Conversation&) { ++told; });
  conversations.take([&](const Conversation&) { ++told; });
  EXPECT_EQ(told, 2);
  sink_->flow_settled(settled);
  conversations.take([&](const Conversation&) { ++told; });
  EXPECT_EQ(told, 3) << "there is room again";
  EXPECT_EQ(conversations.lost(), 3U);
}

}  // namespace
}  // namespace spidd
