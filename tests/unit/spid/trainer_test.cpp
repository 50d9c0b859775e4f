// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Training adds each flow once, bounded by capture, and what was trained is recognised.
#include "userspace/spid/trainer.h"

#include <gtest/gtest.h>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

constexpr TrainingLabel kDns{"dns", "dns", Category::plain};

TEST(Trainer, AddsAFlowOnceAtItsFirstPackets) {
  std::mt19937 random(1);
  Trainer trainer;
  EXPECT_EQ(*trainer.add_flow(kDns, Transport::udp, random_flow(random, 30), "one.pcap"), Trainer::Outcome::added);
  const ModelDatabase database = std::move(trainer).take();
  ASSERT_EQ(database.models.size(), 1U);
  EXPECT_EQ(database.models[0].flows, 1U);
  EXPECT_EQ(database.models[0].payload_packets, kRecordLimit);
}

TEST(Trainer, LimitsTheFlowsOfACaptureAndCountsCaptures) {
  std::mt19937 random(2);
  Trainer trainer({}, {.max_packets = 20, .min_packets = 2, .flows_per_capture = 2});
  for (const char* capture : {"one.pcap", "two.pcap"}) {
    for (unsigned i = 0; i < 4; ++i) {
      EXPECT_EQ(*trainer.add_flow(kDns, Transport::udp, random_flow(random, 3), capture),
                i < 2 ? Trainer::Outcome::added : Trainer::Outcome::capture_full);
    }
  }
  EXPECT_EQ(*trainer.add_flow(kDns, Transport::tcp, random_flow(random, 3), "one.pcap"), Trainer::Outcome::added);
  EXPECT_EQ(trainer.database().find("dns", Transport::udp)->flows, 4U);
  EXPECT_EQ(trainer.database().find("dns", Transport::udp)->captures, 2U);
  EXPECT_EQ(trainer.database().find("dns", Transport::tcp)->captures, 1U);
}

TEST(Trainer, LeavesOutFlowsThatAreTooShort) {
  std::mt19937 random(3);
  Trainer trainer;
  EXPECT_EQ(*trainer.add_flow(kDns, Transport::udp, random_flow(random, 1), "one.pcap"), Trainer::Outcome::too_short);
  EXPECT_TRUE(trainer.database().models.empty());
}

TEST(Trainer, GoesOnFromADatabase) {
  std::mt19937 random(4);
  Trainer first;
  ASSERT_TRUE(first.add_flow(kDns, Transport::udp, random_flow(random, 3), "one.pcap"));
  Trainer second(std::move(first).take());
  ASSERT_TRUE(second.add_flow(kDns, Transport::udp, random_flow(random, 3), "two.pcap"));
  EXPECT_EQ(second.database().models[0].flows, 2U);
  EXPECT_EQ(second.database().models[0].captures, 2U);
}

TEST(Trainer, RefusesLabelsThatNoFileMayHave) {
  std::mt19937 random(5);
  Trainer trainer;
  EXPECT_EQ(
      trainer.add_flow({"../dns", "dns", Category::plain}, Transport::udp, random_flow(random, 3), "a").error().message,
      "\"../dns\" is not a label for a model");
  EXPECT_EQ(trainer.add_flow({"dns", "", Category::plain}, Transport::udp, random_flow(random, 3), "a").error().message,
            "\"\" is not a family for model dns");
}

TEST(Trainer, MakesModelsThatRecogniseTheirProtocol) {
  std::mt19937 random(6);
  Trainer trainer;
  for (unsigned protocol = 0; protocol < 10; ++protocol) {
    const std::string label = fmt::format("proto{}", protocol);
    for (unsigned flow = 0; flow < 15; ++flow) {
      ASSERT_TRUE(trainer.add_flow({label, label, protocol < 3 ? Category::tunnel : Category::plain}, Transport::tcp,
                                   protocol_flow(random, protocol, 4 + flow), "capture"));
    }
  }
  const Matcher matcher = *Matcher::build(trainer.database());
  AttributeMeters meters;
  Fingerprint flow;
  for (unsigned protocol = 0; protocol < 10; ++protocol) {
    meters.measure(protocol_flow(random, protocol, 8), flow);
    const Match match = matcher.match(Transport::tcp, flow);
    EXPECT_EQ(matcher.models()[match.best].label, fmt::format("proto{}", protocol));
    EXPECT_EQ(match.tunnel_margin() > 0, protocol < 3);
  }
}

}  // namespace
}  // namespace spidd
