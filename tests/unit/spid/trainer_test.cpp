// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Training adds each flow once, bounded by capture, and what was trained is recognised.
#include "userspace/spid/trainer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

LabelledFlow make_flow(const std::string& label, std::uint32_t capture, std::vector<PayloadPacket> packets,
                       Category category = Category::plain) {
  LabelledFlow flow;
  flow.label = label;
  flow.family = label;
  flow.category = category;
  flow.capture = capture;
  flow.packets = std::move(packets);
  return flow;
}

TEST(Trainer, TakesAtMostSoManyFlowsOfALabelFromOneCapture) {
  std::mt19937 random(1);
  TrainingSet set;
  for (unsigned i = 0; i < 8; ++i) set.flows.push_back(make_flow("dns", i / 4, random_flow(random, 3)));
  const std::vector<bool> use = select_flows(set, {.flows_per_capture = 2, .min_flows = 4});
  EXPECT_EQ(use, (std::vector<bool>{true, true, false, false, true, true, false, false}));
}

TEST(Trainer, MakesNoModelOfTooFewFlowsOrOfNoPackets) {
  std::mt19937 random(2);
  TrainingSet set;
  for (unsigned i = 0; i < 3; ++i) set.flows.push_back(make_flow("dns", i, random_flow(random, 3)));
  for (unsigned i = 0; i < 4; ++i) set.flows.push_back(make_flow("ntp", i, random_flow(random, 3)));
  set.flows.push_back(make_flow("ntp", 9, {}));
  const std::vector<bool> use = select_flows(set, {.min_flows = 4});
  EXPECT_EQ(use, (std::vector<bool>{false, false, false, true, true, true, true, false}));
}

TEST(Trainer, CountsFlowsPacketsAndCaptures) {
  std::mt19937 random(3);
  TrainingSet set;
  for (unsigned i = 0; i < 6; ++i) set.flows.push_back(make_flow("dns", i % 2, random_flow(random, 30)));
  const std::vector<bool> use(set.flows.size(), true);
  const ModelDatabase database = train_models(set, measure_flows(set, use, kRecordLimit), use);
  ASSERT_EQ(database.models.size(), 3U);
  const ProtocolModel* const both = database.find("dns", Transport::tcp);
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->flows, 6U);
  EXPECT_EQ(both->captures, 2U);
  EXPECT_EQ(both->payload_packets, 6U * kRecordLimit);
}

TEST(Trainer, MakesModelsOfEachDirection) {
  std::mt19937 random(7);
  TrainingSet set;
  for (unsigned i = 0; i < 6; ++i) set.flows.push_back(make_flow("dns", i, protocol_flow(random, 1, 8)));
  for (PayloadPacket& packet : set.flows[0].packets) packet.direction = Direction::to_client;
  set.flows[0].answered = false;
  const std::vector<bool> use(set.flows.size(), true);
  const ModelDatabase database = train_models(set, measure_flows(set, use, kRecordLimit), use);
  EXPECT_EQ(database.find("dns", Transport::tcp)->flows, 5U);
  const ProtocolModel* const to_server = database.find("dns", Transport::tcp, View::to_server);
  const ProtocolModel* const to_client = database.find("dns", Transport::tcp, View::to_client);
  EXPECT_EQ(to_server->flows, 5U);
  EXPECT_EQ(to_client->flows, 6U);

  std::vector<PayloadPacket> half;
  for (const PayloadPacket& packet : set.flows[1].packets)
    if (packet.direction == Direction::to_client) half.push_back(packet);
  AttributeMeters meters;
  Fingerprint flow;
  meters.measure(half, flow);
  const Matcher matcher = *Matcher::build(database);
  const Match match = matcher.match(Transport::tcp, flow, View::to_client);
  EXPECT_EQ(matcher.models()[match.best].view, View::to_client);
}

TEST(Trainer, MakesModelsThatRecogniseTheirProtocol) {
  constexpr unsigned kProtocols = 10;
  std::mt19937 random(4);
  TrainingSet set;
  for (unsigned protocol = 0; protocol < kProtocols; ++protocol) {
    for (unsigned i = 0; i < 15; ++i) {
      set.flows.push_back(make_flow(fmt::format("proto{}", protocol), i, protocol_flow(random, protocol, 4 + i),
                                    protocol < 3 ? Category::tunnel : Category::plain));
    }
  }
  const std::vector<bool> use = select_flows(set, {});
  const Matcher matcher = *Matcher::build(train_models(set, measure_flows(set, use, kRecordLimit), use));
  AttributeMeters meters;
  Fingerprint flow;
  for (unsigned protocol = 0; protocol < kProtocols; ++protocol) {
    meters.measure(protocol_flow(random, protocol, 8), flow);
    const Match match = matcher.match(Transport::tcp, flow);
    EXPECT_EQ(matcher.models()[match.best].label, fmt::format("proto{}", protocol));
    EXPECT_EQ(match.tunnel_margin() > 0, protocol < 3);
  }
}

TEST(Trainer, SpreadsWhatItLearnsOverAGroup) {
  std::mt19937 random(5);
  TrainingSet set;
  for (unsigned i = 0; i < 10; ++i) {
    set.flows.push_back(make_flow("dns", i, random_flow(random, 3)));
    set.flows.back().group = i < 8 ? 0 : 1;
  }
  const std::vector<bool> all(set.flows.size(), true);
  const std::vector<bool> spread = spread_flows(set, all, {.flows_per_group = 4});
  EXPECT_EQ(spread, (std::vector<bool>{true, false, true, false, true, false, true, false, true, true}));
}

TEST(Trainer, PutsTheGroupsOfALabelIntoDifferentFolds) {
  TrainingSet set;
  for (std::uint32_t group = 0; group < 12; ++group) {
    set.groups.push_back(fmt::format("group{}", group));
    set.flows.push_back(make_flow(fmt::format("proto{}", group / 3), group, {}));
    set.flows.back().group = group;
  }
  const std::vector<unsigned> folds = folds_of_groups(set, std::vector<bool>(set.flows.size(), true), 3);
  for (unsigned label = 0; label < 4; ++label) {
    const std::set<unsigned> of_label(folds.begin() + 3 * label, folds.begin() + 3 * label + 3);
    EXPECT_EQ(of_label, (std::set<unsigned>{0, 1, 2}));
  }
}

TEST(Trainer, CalibratesOnlyLabelsThatAreNoTunnels) {
  std::mt19937 random(6);
  TrainingSet set;
  for (std::uint32_t group = 0; group < 4; ++group) {
    set.groups.push_back(fmt::format("group{}", group));
    for (unsigned protocol = 0; protocol < 5; ++protocol) {
      for (unsigned i = 0; i < 8; ++i) {
        set.flows.push_back(make_flow(fmt::format("proto{}", protocol), group, protocol_flow(random, protocol),
                                      protocol == 0 ? Category::tunnel : Category::plain));
        set.flows.back().group = group;
      }
    }
  }
  // Flows of random bytes under a label of their own: nothing they have in common carries over to another group.
  for (unsigned i = 0; i < 16; ++i) {
    set.flows.push_back(make_flow("noise", i % 4, random_flow(random, 4)));
    set.flows.back().group = i % 4;
  }
  const TrainingRules rules;
  const std::vector<bool> use(set.flows.size(), true);
  const auto fingerprints = measure_flows(set, use, rules.payload_packets);
  ModelDatabase database = train_models(set, fingerprints, use);
  calibrate_thresholds(set, fingerprints, use, rules, database);
  EXPECT_EQ(database.find("proto0", Transport::tcp)->threshold, 0);
  EXPECT_GT(database.find("proto1", Transport::tcp)->threshold, 0.2F);
  EXPECT_LE(database.find("proto1", Transport::tcp)->threshold, 0.6F);
  EXPECT_LT(database.find("noise", Transport::tcp)->threshold, 0.2F);
}

}  // namespace
}  // namespace spidd
