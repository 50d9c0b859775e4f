// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The way of a record through the engine, with two small models trained on the spot: "shout" (upper-case text, a
// tunnel) and "hum" (binary, plain).
#include "userspace/engine/engine.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/engine/engine_doubles.h"
#include "userspace/engine/flow_facts.h"

namespace spidd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};

PayloadPacket packet(bool shout, unsigned order, Timestamp time) {
  PayloadPacket result;
  result.time = time;
  result.length = shout ? 60 + order : 400 + 10 * order;
  result.offset = 54;
  result.direction = order % 2 == 0 ? Direction::to_server : Direction::to_client;
  result.captured = 64;
  if (result.length < 64) result.captured = static_cast<std::uint8_t>(result.length);
  for (unsigned i = 0; i < result.captured; ++i)
    result.bytes[i] = static_cast<std::uint8_t>(shout ? 'A' + (i + order) % 26 : (i * 37 + order * 11) & 0x9f);
  return result;
}

std::shared_ptr<const Matcher> small_models() {
  ModelDatabase database;
  AttributeMeters meters;
  Fingerprint fingerprint;
  for (const bool shout : {true, false}) {
    ProtocolModel& model = shout ? database.find_or_add("shout", Transport::udp, Category::tunnel, "shout")
                                 : database.find_or_add("hum", Transport::udp, Category::plain, "hum");
    for (unsigned flow = 0; flow < 15; ++flow) {
      std::vector<PayloadPacket> packets;
      for (unsigned order = 0; order < 8; ++order)
        packets.push_back(packet(shout, order, kStart + milliseconds(order)));
      meters.measure(packets, fingerprint);
      model.add(fingerprint);
    }
    model.captures = 2;
  }
  auto matcher = Matcher::build(database);
  EXPECT_TRUE(matcher) << matcher.error().message;
  return std::make_shared<const Matcher>(std::move(*matcher));
}

struct Ended {
  std::string label;
  IdentificationState state;
  Action action;
  unsigned payload_packets;
  EndReason reason;
  FlowTotals totals;
  float divergence = 0;
};

class Recorder final : public EngineSink {
 public:
  void decision(const FlowView& view, const Decision& decision) override {
    actions.push_back(decision.action);
    packets_at_decision.push_back(view.flow.verdict.payload_packets);
    divergences.push_back(view.flow.verdict.divergence);
  }
  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason) override {
    ended.push_back({view.label ? view.label->label : "", view.flow.verdict.state, view.flow.verdict.action,
                     view.flow.verdict.payload_packets, reason, totals, view.flow.verdict.divergence});
  }

  std::vector<Action> actions;
  std::vector<unsigned> packets_at_decision;
  std::vector<float> divergences;
  std::vector<Ended> ended;
};

class EngineTest : public testing::Test {
 protected:
  static Policy blocking_policy() { return tunnel_blocking_policy(Proof::verdict); }

  Engine make(EngineSettings settings = {}, Policy policy = builtin_policy()) {
    return Engine(settings, small_models(), std::make_shared<const Policy>(std::move(policy)), source, sink);
  }

  static FlowKey key(std::uint16_t port) {
    FlowKey key;
    key.low = IpAddress::from_ipv4(0x0a000001);
    key.high = IpAddress::from_ipv4(0xc6336401);
    key.port_low = port;
    key.port_high = 5000;
    key.transport = Transport::udp;
    return key;
  }

  static PacketRecord record(std::uint16_t port, bool shout, unsigned order, Timestamp start = kStart) {
    PacketRecord record;
    record.time = start + milliseconds(10 * order);
    record.flow_start = start;
    record.key = key(port);
    record.start_seen = record.answered = true;
    record.order = static_cast<std::uint16_t>(order);
    record.packet = packet(shout, order, record.time);
    return record;
  }

  static PacketRecord end(std::uint16_t port, Timestamp start = kStart) {
    PacketRecord record;
    record.type = PacketRecord::Type::end;
    record.time = start + seconds(1);
    record.flow_start = start;
    record.key = key(port);
    record.totals.counters.packets = {30, 40};
    record.totals.last = record.time;
    record.totals.closed = true;
    return record;
  }

  FakeSource source;
  Recorder sink;
};

TEST_F(EngineTest, NamesAFlowAndReportsItsEndWithTheTotalsOfTheSource) {
  Engine engine = make();
  for (unsigned order = 0; order < 8; ++order) engine.on_record(record(1, false, order));
  engine.on_record(end(1));
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].label, "hum");
  EXPECT_EQ(sink.ended[0].state, IdentificationState::identified);
  EXPECT_EQ(sink.ended[0].action, Action::pass);
  EXPECT_EQ(sink.ended[0].totals.counters.packets[1], 40U);
  EXPECT_EQ(sink.ended[0].reason, EndReason::closed);
  EXPECT_EQ(engine.flows().size(), 0U);
}

TEST_F(EngineTest, AlertsOnceOnATunnel) {
  Engine engine = make();
  for (unsigned order = 0; order < 20; ++order) engine.on_record(record(1, true, order));
  EXPECT_EQ(sink.actions, std::vector<Action>{Action::alert});
}

// Three packets name the flow, an alert waits for more: a block does not, which shows that the name is there.
TEST_F(EngineTest, AlertsOnAFlowThatPausesOrEndsAtTheCheckpointThatNamedIt) {
  Engine blocking = make({}, blocking_policy());
  for (unsigned order = 0; order < 3; ++order) blocking.on_record(record(1, true, order));
  ASSERT_EQ(std::exchange(sink.actions, {}), std::vector<Action>{Action::block});

  Engine engine = make();
  for (unsigned order = 0; order < 3; ++order) engine.on_record(record(1, true, order));
  for (unsigned order = 0; order < 3; ++order) engine.on_record(record(2, true, order));
  EXPECT_TRUE(sink.actions.empty());
  engine.on_record(end(1));
  EXPECT_EQ(sink.actions, std::vector<Action>{Action::alert});
  EXPECT_EQ(sink.ended.at(0).action, Action::alert);
  engine.advance(kStart + seconds(10));
  engine.advance(kStart + seconds(11));
  EXPECT_EQ(sink.actions, (std::vector<Action>{Action::alert, Action::alert}));
}

TEST_F(EngineTest, BlocksWithinTheFirstPacketsAndTellsTheSourceThatItIsDecided) {
  Engine engine = make({}, blocking_policy());
  for (unsigned order = 0; order < 20; ++order) engine.on_record(record(1, true, order));
  ASSERT_EQ(sink.actions, std::vector<Action>{Action::block});
  EXPECT_LE(sink.packets_at_decision[0], 8U);
  EXPECT_EQ(source.decided_count, 1);
}

TEST_F(EngineTest, NeverAlertsOnFewerThanThreePackets) {
  Engine engine = make();
  for (unsigned order = 0; order < 2; ++order) engine.on_record(record(1, true, order));
  engine.on_record(end(1));
  EXPECT_TRUE(sink.actions.empty());
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].payload_packets, 2U);
}

TEST_F(EngineTest, AUsedAgainFiveTupleIsAnotherFlow) {
  Engine engine = make();
  for (unsigned order = 0; order < 4; ++order) engine.on_record(record(1, false, order));
  engine.on_record(record(1, false, 0, kStart + minutes(5)));
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].reason, EndReason::reused);
  EXPECT_EQ(engine.flows().size(), 1U);
}

TEST_F(EngineTest, EndsAnIdleFlowOnlyIfTheSourceSawNothingEither) {
  Engine engine = make();
  engine.on_record(record(1, false, 0));
  FlowTotals busy;
  busy.last = kStart + minutes(3);
  source.known[key(1)] = busy;
  engine.advance(kStart + minutes(3) + seconds(1));
  EXPECT_TRUE(sink.ended.empty());
  engine.advance(kStart + minutes(6));
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].reason, EndReason::idle);
  EXPECT_EQ(source.ended_count, 1);
}

TEST_F(EngineTest, NamesAFlowThatPausesAndStillListens) {
  Engine engine = make();
  for (unsigned order = 0; order < 2; ++order) engine.on_record(record(1, false, order));
  engine.advance(kStart + seconds(10));
  std::string label;
  engine.visit_flows(10, [&](const FlowView& view) { label = view.label ? view.label->label : ""; });
  EXPECT_EQ(label, "hum");
  for (unsigned order = 2; order < 8; ++order) engine.on_record(record(1, false, order));
  engine.on_record(end(1));
  EXPECT_EQ(sink.ended.at(0).label, "hum");
  EXPECT_GT(sink.ended.at(0).payload_packets, 2U);
}

TEST_F(EngineTest, AFullTableReportsTheFlowItGivesUp) {
  EngineSettings settings;
  settings.flows = {.flows = 10, .embryonic = 10};
  Engine engine = make(settings);
  for (std::uint16_t port = 1; port <= 12; ++port) engine.on_record(record(port, false, 0));
  ASSERT_EQ(sink.ended.size(), 2U);
  EXPECT_EQ(sink.ended[0].reason, EndReason::evicted);
  EXPECT_EQ(engine.counters().flows_evicted, 2U);
  EXPECT_EQ(engine.flows().size(), 10U);
}

TEST_F(EngineTest, FullPacketMemoryIsCountedAndTheFlowJudgedByWhatWasStored) {
  EngineSettings settings;
  settings.packet_blocks = 1;
  Engine engine = make(settings);
  for (unsigned order = 0; order < 6; ++order) engine.on_record(record(1, false, order));
  EXPECT_EQ(engine.counters().packets_not_stored + engine.counters().records_late, 2U);
  engine.on_record(end(1));
  EXPECT_EQ(sink.ended.at(0).label, "hum");
}

TEST_F(EngineTest, FinishEndsEveryFlow) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 5; ++port) engine.on_record(record(port, false, 0));
  engine.finish(EndReason::shutdown);
  EXPECT_EQ(sink.ended.size(), 5U);
  EXPECT_EQ(engine.flows().size(), 0U);
}

TEST_F(EngineTest, AFlowWithoutPayloadIsReportedUndecided) {
  Engine engine = make();
  engine.on_record(end(1));
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].state, IdentificationState::undecided);
}

TEST_F(EngineTest, ANewPolicyKeepsTheRulesOfLiveFlowsByName) {
  Engine engine = make({}, blocking_policy());
  for (std::uint16_t port = 1; port <= 2; ++port)
    for (unsigned order = 0; order < 8; ++order) engine.on_record(record(port, true, order));
  const auto rule_of_flows = [&engine] {
    std::vector<std::uint16_t> rules;
    engine.visit_flows(10, [&](const FlowView& view) { rules.push_back(view.flow.verdict.rule); });
    return rules;
  };
  ASSERT_EQ(rule_of_flows(), (std::vector<std::uint16_t>{0, 0}));
  Policy longer = blocking_policy();
  longer.rules.insert(longer.rules.begin(), Rule{})->name = "another";
  engine.set_policy(std::make_shared<const Policy>(longer));
  EXPECT_EQ(rule_of_flows(), (std::vector<std::uint16_t>{1, 1}));
  longer.rules.pop_back();
  engine.set_policy(std::make_shared<const Policy>(longer));
  EXPECT_EQ(rule_of_flows(), (std::vector<std::uint16_t>{kNoRule, kNoRule}));
}

// Of the flow's first packets from the label's model.
float expected_divergence(bool shout, unsigned packets) {
  AttributeMeters meters;
  Fingerprint fingerprint;
  std::vector<PayloadPacket> measured;
  for (unsigned order = 0; order < packets; ++order)
    measured.push_back(packet(shout, order, kStart + milliseconds(10 * order)));
  meters.measure(measured, fingerprint);
  const auto models = small_models();
  return models->divergence(find_model(models->models(), shout ? "shout" : "hum", Transport::udp, View::both),
                            fingerprint);
}

TEST_F(EngineTest, EveryReportSaysTheDivergenceOfItsVerdict) {
  Engine engine = make({}, blocking_policy());
  for (unsigned order = 0; order < 3; ++order) engine.on_record(record(1, true, order));
  ASSERT_EQ(sink.packets_at_decision, std::vector<unsigned>{3});
  EXPECT_EQ(sink.divergences[0], expected_divergence(true, 3));

  // The fifth packet is no checkpoint, and another flow is measured before the first is looked at.
  for (unsigned order = 0; order < 5; ++order) engine.on_record(record(2, false, order));
  for (unsigned order = 0; order < 6; ++order) engine.on_record(record(3, false, order));
  std::map<std::uint16_t, std::pair<unsigned, float>> live;
  engine.visit_flows(10, [&](const FlowView& view) {
    const Verdict& verdict = view.flow.verdict;
    live[view.flow.key.port_low] = {verdict.payload_packets, verdict.divergence};
  });
  EXPECT_EQ(live[2], std::pair(4U, expected_divergence(false, 4)));
  const unsigned judged = live[3].first;
  EXPECT_EQ(live[3].second, expected_divergence(false, judged));

  engine.on_record(end(2));
  ASSERT_EQ(sink.ended.size(), 1U);
  EXPECT_EQ(sink.ended[0].divergence, expected_divergence(false, sink.ended[0].payload_packets));
}

TEST_F(EngineTest, NewModelsKeepTheNamesOfLiveFlows) {
  Engine engine = make();
  for (unsigned order = 0; order < 8; ++order) engine.on_record(record(1, false, order));
  engine.set_models(small_models());
  engine.on_record(end(1));
  EXPECT_EQ(sink.ended.at(0).label, "hum");
}

TEST_F(EngineTest, LooksIntoAFlowThatHasNotSettled) {
  Engine engine = make();
  EXPECT_EQ(engine.look_into(key(1)), nullptr);
  for (unsigned order = 0; order < 3; ++order) engine.on_record(record(1, true, order));
  const SettledFlow* const flow = engine.look_into(key(1));
  ASSERT_NE(flow, nullptr);
  EXPECT_EQ(flow->key, key(1));
  EXPECT_EQ(flow->fingerprint.payload_packets, 3U);
  EXPECT_EQ(flow->verdict.payload_packets, 3U);
  EXPECT_FALSE(flow->verdict.final);
  for (unsigned order = 3; order < 20; ++order) engine.on_record(record(1, true, order));
  EXPECT_EQ(sink.actions, std::vector<Action>{Action::alert}) << "it makes no difference to the flow";
  EXPECT_EQ(engine.look_into(key(1)), nullptr) << "its packets are gone";
}

}  // namespace
}  // namespace spidd
