// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counters of models add up, saturate and come apart again; a database keeps its order.
#include "userspace/spid/protocol_model.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

Fingerprint measure(std::span<const PayloadPacket> packets) {
  AttributeMeters meters;
  Fingerprint flow;
  meters.measure(packets, flow);
  return flow;
}

TEST(ProtocolModel, AddsAndSubtractsFlows) {
  std::mt19937 random(1);
  const Fingerprint one = measure(random_flow(random, 8));
  const Fingerprint other = measure(random_flow(random, 5));
  ProtocolModel model;
  model.add(one);
  const ProtocolModel before = model;
  model.add(other);
  EXPECT_EQ(model.flows, 2U);
  EXPECT_EQ(model.payload_packets, 13U);
  EXPECT_EQ(model.measurements[32], 13U);
  model.subtract(other);
  EXPECT_EQ(model.counters, before.counters);
  EXPECT_EQ(model.measurements, before.measurements);
  EXPECT_EQ(model.flows, 1U);
  EXPECT_EQ(model.payload_packets, 8U);
}

TEST(ProtocolModel, MergesByAddingCounters) {
  std::mt19937 random(2);
  const Fingerprint one = measure(random_flow(random, 8));
  const Fingerprint other = measure(random_flow(random, 5));
  ProtocolModel both;
  both.add(one);
  both.add(other);
  ProtocolModel left;
  left.captures = 1;
  left.add(one);
  ProtocolModel right;
  right.captures = 2;
  right.add(other);
  left.merge(right);
  EXPECT_EQ(left.counters, both.counters);
  EXPECT_EQ(left.measurements, both.measurements);
  EXPECT_EQ(left.flows, 2U);
  EXPECT_EQ(left.captures, 3U);
  EXPECT_EQ(left.payload_packets, 13U);
}

TEST(ProtocolModel, CountsACaptureThatBothModelsKnowOnce) {
  ProtocolModel left;
  left.captures = 3;  // one without a hash
  left.remember_capture(5);
  left.remember_capture(2);
  ProtocolModel right;
  right.captures = 2;
  right.remember_capture(5);
  right.remember_capture(9);
  left.merge(right);
  EXPECT_EQ(left.captures, 4U);
  EXPECT_EQ(left.capture_hashes, (std::vector<std::uint64_t>{2, 5, 9}));
  left.merge(right);
  EXPECT_EQ(left.captures, 4U);
  for (std::uint64_t hash = 100; hash < 200; ++hash) left.remember_capture(hash);
  EXPECT_EQ(left.capture_hashes.size(), kMaxCaptureHashes);
}

TEST(ProtocolModel, SaturatesAndKeepsMeasurementsTheSumOfCounters) {
  constexpr std::uint32_t kFull = std::numeric_limits<std::uint32_t>::max();
  ProtocolModel model;
  model.counters[32 * kBinsPerMeter + 1] = kFull - 1;
  model.measurements[32] = kFull - 1;
  const Fingerprint flow =
      measure(std::vector{make_packet(Direction::to_server, {}, "a"), make_packet(Direction::to_server, {}, "a")});
  model.add(flow);
  EXPECT_EQ(model.counters[32 * kBinsPerMeter + 1], kFull);
  EXPECT_EQ(model.measurements[32], kFull);
  model.merge(model);
  EXPECT_EQ(model.counters[32 * kBinsPerMeter + 1], kFull);
  EXPECT_EQ(model.measurements[32], kFull);
}

TEST(ModelDatabase, KeepsModelsSortedAndEachLabelAndTransportOnce) {
  ModelDatabase database;
  database.find_or_add("tls", Transport::tcp, Category::encrypted, "tls");
  database.find_or_add("dns", Transport::udp, Category::plain, "dns");
  database.find_or_add("dns", Transport::tcp, Category::plain, "dns").flows = 7;
  EXPECT_EQ(database.find_or_add("dns", Transport::tcp, Category::plain, "dns").flows, 7U);
  ASSERT_EQ(database.models.size(), 3U);
  EXPECT_EQ(database.models[0].transport, Transport::tcp);
  EXPECT_EQ(database.models[1].transport, Transport::udp);
  EXPECT_EQ(database.models[2].label, "tls");
  EXPECT_EQ(database.find("dns", Transport::tcp), &database.models[0]);
  EXPECT_EQ(database.find("dns", Transport::icmp), nullptr);
  EXPECT_EQ(database.find("zzz", Transport::tcp), nullptr);
}

TEST(ModelDatabase, TakesIcmp6ForIcmp) {
  ModelDatabase database;
  EXPECT_EQ(database.find_or_add("ping", Transport::icmp6, Category::plain, "ping").transport, Transport::icmp);
  EXPECT_EQ(database.find("ping", Transport::icmp), database.find("ping", Transport::icmp6));
}

TEST(Category, HasNamesThatParse) {
  for (const Category category : {Category::plain, Category::encrypted, Category::tunnel, Category::p2p}) {
    EXPECT_EQ(*parse_category(category_name(category)), category);
  }
  EXPECT_EQ(parse_category("vpn").error().message, "unknown category \"vpn\": it is plain, encrypted, tunnel or p2p");
}

TEST(Label, IsShortLowerCaseAndNoPath) {
  EXPECT_TRUE(is_valid_label("openvpn"));
  EXPECT_TRUE(is_valid_label("6in4"));
  EXPECT_TRUE(is_valid_label("tls_1.3-x"));
  EXPECT_TRUE(is_valid_label(std::string(48, 'a')));
  for (const char* bad : {"", ".hidden", "-x", "../x", "a/b", "TLS", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(is_valid_label(bad)) << bad;
  }
  EXPECT_FALSE(is_valid_label(std::string(49, 'a')));
}

}  // namespace
}  // namespace spidd
