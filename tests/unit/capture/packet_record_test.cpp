// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names, endpoints and the spread of the key's hash.
#include "userspace/capture/packet_record.h"

#include <gtest/gtest.h>

#include <set>

namespace spidd {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(PacketRecord, NamesTransportsBothWays) {
  for (const auto transport : {Transport::icmp, Transport::tcp, Transport::udp, Transport::icmp6}) {
    EXPECT_EQ(parse_transport(transport_name(transport)).value(), transport);
  }
  EXPECT_EQ(transport_name(Transport::icmp6), "icmp6");
  for (const char* text : {"", "TCP", "sctp", "tcp "}) EXPECT_FALSE(parse_transport(text)) << text;
}

TEST(PacketRecord, WritesEndpointsSoThatThePortCanBeTold) {
  EXPECT_EQ((Endpoint{address("192.0.2.1"), 443}.to_string()), "192.0.2.1:443");
  EXPECT_EQ((Endpoint{address("2001:db8::1"), 443}.to_string()), "[2001:db8::1]:443");
}

TEST(PacketRecord, TellsClientAndServerByTheFlag) {
  PacketRecord record;
  record.key = {address("10.0.0.1"), address("10.0.0.2"), 443, 50000, Transport::tcp, 0};
  record.client_is_low = false;
  EXPECT_EQ(record.client().to_string(), "10.0.0.2:50000");
  EXPECT_EQ(record.server().to_string(), "10.0.0.1:443");
  record.client_is_low = true;
  EXPECT_EQ(record.client().to_string(), "10.0.0.1:443");
}

TEST(FlowKeyHash, ChangesWithEveryField) {
  const FlowKey key{address("10.0.0.1"), address("10.0.0.2"), 443, 50000, Transport::tcp, 0};
  std::set<std::size_t> hashes{std::hash<FlowKey>{}(key)};
  std::size_t keys = 1;
  const auto add = [&](auto change) {
    FlowKey changed = key;
    change(changed);
    hashes.insert(std::hash<FlowKey>{}(changed));
    ++keys;
  };
  for (std::size_t byte = 0; byte < 16; ++byte) {
    add([&](FlowKey& k) { k.low.bytes[byte] ^= 1; });
    add([&](FlowKey& k) { k.high.bytes[byte] ^= 1; });
  }
  add([](FlowKey& k) { k.port_low = 444; });
  add([](FlowKey& k) { k.port_high = 50001; });
  add([](FlowKey& k) { k.transport = Transport::udp; });
  add([](FlowKey& k) { k.domain = 1; });
  add([](FlowKey& k) { std::swap(k.low, k.high); });
  EXPECT_EQ(hashes.size(), keys);
}

TEST(FlowKeyHash, SpreadsNeighbouringKeysEvenlyInTheLowBits) {
  // What workers and tables use: the clients of one network to one server, over 64 buckets.
  std::array<int, 64> buckets{};
  constexpr int kKeys = 64 * 256;
  for (int i = 0; i < kKeys; ++i) {
    FlowKey key{address("10.0.0.1"), address("192.0.2.7"), 0, 443, Transport::tcp, 0};
    key.low.bytes[15] = static_cast<std::uint8_t>(i & 0xff);
    key.port_low = static_cast<std::uint16_t>(40000 + i / 256);
    ++buckets[std::hash<FlowKey>{}(key) % buckets.size()];
  }
  double chi_square = 0;
  for (const int count : buckets) chi_square += (count - 256.0) * (count - 256.0) / 256.0;
  EXPECT_LT(chi_square, 120);  // 63 degrees of freedom: 0.99999 quantile
}

}  // namespace
}  // namespace spidd
