// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is remembered of servers and of hosts that speak FTP, for how long, and how much of it.
#include "userspace/engine/endpoint_memory.h"

#include <gtest/gtest.h>

#include "userspace/engine/replay_memory.h"

namespace spidd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};

EndpointObservation flow_to(std::uint16_t port, std::string_view label, bool tunnel, float margin = 0.5F) {
  EndpointObservation flow;
  flow.server = {IpAddress::from_ipv4(0xc6336407), port, Transport::tcp};
  flow.client = IpAddress::from_ipv4(0x0a000001);
  flow.time = kStart;
  flow.label = flow.family = label_id(label);
  flow.tunnel = tunnel;
  flow.tunnel_margin = margin;
  return flow;
}

TEST(EndpointRecord, CountsWhoAgreesAndAveragesTheMargin) {
  EndpointRecord record;
  const EndpointObservation openvpn = flow_to(443, "openvpn", true, 0.6F);
  const EndpointObservation wireguard = flow_to(443, "wireguard", true, 0.3F);
  const EndpointObservation https = flow_to(443, "https", false, -0.3F);
  const EndpointObservation unknown = flow_to(443, "", false, 0.0F);
  EndpointObservation random = unknown;
  random.fully_encrypted = true;
  for (const auto& flow : {openvpn, wireguard, https, unknown, random, random}) record.add(flow);
  EXPECT_EQ(record.flows, 6U);
  EXPECT_EQ(record.agreeing(openvpn), 2U);  // whichever tunnel
  EXPECT_EQ(record.agreeing(https), 1U);
  EXPECT_EQ(record.agreeing(flow_to(443, "ssh", false)), 0U);
  EXPECT_EQ(record.agreeing(random), 2U);
  EXPECT_EQ(record.agreeing(unknown), 3U);
  EXPECT_NEAR(record.mean_tunnel_margin, 0.1F, 1e-6F);
}

TEST(EndpointRecord, ALabelIsConfirmedByThreeFlowsInARowAndForgottenByAContradiction) {
  EndpointRecord record;
  const EndpointObservation https = flow_to(443, "https", false);
  record.add(https);
  record.add(https);
  EXPECT_EQ(record.confirmed_label(), 0U);
  record.add(https);
  EXPECT_EQ(record.confirmed_label(), label_id("https"));
  record.add(flow_to(443, "ssh", false));
  EXPECT_EQ(record.confirmed_label(), 0U);
  EXPECT_EQ(record.agreeing(https), 0U);
  for (int i = 0; i < 3; ++i) record.add(https);
  EXPECT_EQ(record.confirmed_label(), label_id("https"));
  record.add(flow_to(443, "", false));
  EXPECT_EQ(record.confirmed_label(), 0U);
}

TEST(EndpointTable, TellsServersApart) {
  EndpointTable table({});
  table.add(flow_to(443, "https", false));
  EXPECT_EQ(table.find({IpAddress::from_ipv4(0xc6336407), 443, Transport::tcp}, kStart).flows, 1U);
  EXPECT_EQ(table.find({IpAddress::from_ipv4(0xc6336407), 444, Transport::tcp}, kStart).flows, 0U);
  EXPECT_EQ(table.find({IpAddress::from_ipv4(0xc6336407), 443, Transport::udp}, kStart).flows, 0U);
  EXPECT_EQ(table.find({IpAddress::from_ipv4(0xc6336408), 443, Transport::tcp}, kStart).flows, 0U);
}

TEST(EndpointTable, ForgetsAServerAnHourAfterItsLastFlow) {
  EndpointTable table({});
  EndpointObservation flow = flow_to(443, "https", false);
  table.add(flow);
  flow.time += minutes(59);
  EXPECT_EQ(table.find(flow.server, flow.time).flows, 1U);
  table.add(flow);
  EXPECT_EQ(table.find(flow.server, flow.time + minutes(59)).flows, 2U);
  EXPECT_EQ(table.find(flow.server, flow.time + minutes(60)).flows, 0U);
  flow.time += minutes(60);
  table.add(flow);
  EXPECT_EQ(table.find(flow.server, flow.time).flows, 1U);
}

TEST(EndpointTable, IsBoundedAndTheQuietestServerGoesFirst) {
  EndpointTable table({.servers = 100});
  table.add(flow_to(1, "https", false));
  for (std::uint16_t port = 2; port <= 1000; ++port) {
    table.add(flow_to(port, "https", false));
    table.add(flow_to(1, "https", false));
  }
  EXPECT_EQ(table.size(), 100U);
  EXPECT_EQ(table.find(flow_to(1, "", false).server, kStart).flows, 1000U);
  EXPECT_EQ(table.find(flow_to(2, "", false).server, kStart).flows, 0U);
  EXPECT_EQ(table.find(flow_to(1000, "", false).server, kStart).flows, 1U);
}

TEST(HostPairTable, KnowsAPairInEitherOrderUntilItExpires) {
  HostPairTable table(2, minutes(10));
  const IpAddress a = IpAddress::from_ipv4(1);
  const IpAddress b = IpAddress::from_ipv4(2);
  table.add({a, b}, kStart);
  EXPECT_TRUE(table.has({b, a}, kStart + minutes(9)));
  EXPECT_FALSE(table.has({b, a}, kStart + minutes(10)));
  EXPECT_FALSE(table.has({a, a}, kStart));
  for (std::uint32_t i = 3; i < 100; ++i) table.add({a, IpAddress::from_ipv4(i)}, kStart);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_FALSE(table.has({a, b}, kStart));
}

TEST(ReplayMemory, SeesItsOwnHostsAtOnceAndOthersAfterTheMerge) {
  EndpointTable common({});
  ReplayMemory memory(common, {});
  const EndpointObservation flow = flow_to(443, "openvpn", true);
  memory.at(7);
  memory.observe(flow);
  EXPECT_EQ(memory.recall(flow.server, flow.client, kStart).flows, 1U);
  EXPECT_EQ(memory.recall(flow.server, IpAddress::from_ipv4(0x0a000002), kStart).flows, 0U);
  merge(memory.take(), common);
  EXPECT_EQ(memory.recall(flow.server, flow.client, kStart).flows, 1U);
  EXPECT_EQ(memory.recall(flow.server, IpAddress::from_ipv4(0x0a000002), kStart).flows, 1U);
}

TEST(ReplayMemory, MergesInTheOrderOfRecords) {
  const EndpointObservation https = flow_to(443, "https", false);
  const EndpointObservation ssh = flow_to(443, "ssh", false);
  EndpointTable common({});
  merge({{30, https}, {10, https}, {20, ssh}, {40, https}}, common);
  EXPECT_EQ(common.find(https.server, kStart).agreeing(https), 2U);
}

TEST(LabelId, IsTheSameInEveryRunAndZeroOnlyForNone) {
  EXPECT_EQ(label_id(""), 0U);
  EXPECT_EQ(label_id("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_NE(label_id("ssh"), label_id("shs"));
}

}  // namespace
}  // namespace spidd
