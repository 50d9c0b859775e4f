// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Training adds each flow once, bounded by capture, and what was trained is recognised.
#include "userspace/spid/trainer.h"

#include <gtest/gtest.h>

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
  ASSERT_EQ(database.models.size(), 1U);
  EXPECT_EQ(database.models[0].flows, 6U);
  EXPECT_EQ(database.models[0].captures, 2U);
  EXPECT_EQ(database.models[0].payload_packets, 6U * kRecordLimit);
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

}  // namespace
}  // namespace spidd
