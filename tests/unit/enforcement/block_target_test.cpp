// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a rule blocks, and the text forms of targets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/enforcement/block_list.h"

namespace spidd {
namespace {

TEST(BlockTarget, TextFormsSurviveTheRoundTrip) {
  for (const std::string_view text :
       {"198.51.100.7", "198.51.100.0/24", "2001:db8::1", "2001:db8::/32", "tcp 198.51.100.7:443",
        "udp 198.51.100.7:53", "tcp [2001:db8::1]:443", "icmp 198.51.100.7", "icmp6 2001:db8::1",
        "udp 10.0.0.2:5555 <-> 198.51.100.7:53", "tcp 10.0.0.2:5555 <-> 198.51.100.7:443 domain 3",
        "tcp [2001:db8::1]:443 <-> [2001:db8::2]:5555", "icmp 10.0.0.2:0 <-> 198.51.100.7:0"}) {
    const Result<BlockTarget> target = parse_block_target(text);
    ASSERT_TRUE(target) << text << ": " << target.error().message;
    EXPECT_EQ(to_string(*target), text);
    EXPECT_EQ(*parse_block_target(to_string(*target)), *target);
  }
}

TEST(BlockTarget, MeansWhatItSays) {
  const auto host = std::get<HostTarget>(*parse_block_target("198.51.100.7"));
  EXPECT_EQ(host.prefix, IpPrefix::of_host(*IpAddress::parse("198.51.100.7")));
  const auto prefix = std::get<HostTarget>(*parse_block_target("198.51.100.0/24"));
  EXPECT_EQ(prefix.prefix.length, 120U);
  const auto endpoint = std::get<EndpointTarget>(*parse_block_target("udp 198.51.100.7:53"));
  EXPECT_EQ(endpoint.address, *IpAddress::parse("198.51.100.7"));
  EXPECT_EQ(endpoint.port, 53);
  EXPECT_EQ(endpoint.transport, Transport::udp);
  const auto flow = std::get<FlowTarget>(*parse_block_target("tcp 198.51.100.7:443 <-> 10.0.0.2:5555"));
  EXPECT_EQ(flow.key.low, *IpAddress::parse("10.0.0.2"));
  EXPECT_EQ(flow.key.port_low, 5555);
  EXPECT_EQ(flow.key.high, *IpAddress::parse("198.51.100.7"));
  EXPECT_EQ(flow.key.port_high, 443);
}

TEST(BlockTarget, ASlashMayJoinTheTransport) {
  EXPECT_EQ(*parse_block_target("tcp/198.51.100.7:443"), *parse_block_target("tcp 198.51.100.7:443"));
  EXPECT_EQ(*parse_block_target("udp/[2001:db8::1]:53"), *parse_block_target("udp [2001:db8::1]:53"));
}

TEST(BlockTarget, RefusesWhatItCannotRead) {
  for (const std::string_view text : {"",
                                      " ",
                                      "tcp",
                                      "tcp ",
                                      "tcp/",
                                      "example.org",
                                      "198.51.100.7:443",
                                      "198.51.100.1/24",
                                      "198.51.100.0/33",
                                      "tcp 198.51.100.7",
                                      "tcp 198.51.100.7:",
                                      "tcp 198.51.100.7:0",
                                      "tcp 198.51.100.7:65536",
                                      "tcp 198.51.100.7:-1",
                                      "tcp 2001:db8::1:443",
                                      "tcp [198.51.100.7]:443",
                                      "tcp [2001:db8::1]",
                                      "TCP 198.51.100.7:443",
                                      "tcp  198.51.100.7:443",
                                      "tcp 198.51.100.7:443 ",
                                      "icmp 198.51.100.7:5",
                                      "icmp 2001:db8::1",
                                      "icmp6 198.51.100.7",
                                      "udp 10.0.0.2:5555 <-> ",
                                      "udp 10.0.0.2:5555 <-> 198.51.100.7",
                                      "udp 10.0.0.2:5555 <-> 198.51.100.7:53 domain",
                                      "udp 10.0.0.2:5555 <-> 198.51.100.7:53 domain 65536",
                                      "udp 10.0.0.2:5555 -> 198.51.100.7:53"})
    EXPECT_FALSE(parse_block_target(text)) << text;
}

TEST(BlockTarget, RefusesPrefixesThatHoldEveryAddress) {
  for (const std::string_view text : {"0.0.0.0/0", "::/0", "::/64", "::ffff:0:0/96"}) {
    const Result<BlockTarget> target = parse_block_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_THAT(target.error().message, testing::HasSubstr("would block everything"));
  }
  EXPECT_TRUE(parse_block_target("0.0.0.0/1"));
  EXPECT_TRUE(parse_block_target("2000::/3"));
}

TEST(BlockTarget, FollowsTheScopeOfTheRule) {
  FlowKey key;
  key.low = *IpAddress::parse("10.0.0.2");
  key.high = *IpAddress::parse("198.51.100.7");
  key.port_low = 5555;
  key.port_high = 53;
  key.transport = Transport::udp;
  const Endpoint server{key.high, key.port_high};
  EXPECT_EQ(to_string(block_target(BlockScope::flow, key, server)), "udp 10.0.0.2:5555 <-> 198.51.100.7:53");
  EXPECT_EQ(to_string(block_target(BlockScope::endpoint, key, server)), "udp 198.51.100.7:53");
  EXPECT_EQ(to_string(block_target(BlockScope::host, key, server)), "198.51.100.7");
}

TEST(BlockTarget, TheEndpointOfAnIcmpFlowIsTheHostForIcmp) {
  FlowKey key;
  key.low = *IpAddress::parse("10.0.0.2");
  key.high = *IpAddress::parse("198.51.100.7");
  key.port_low = key.port_high = 4711;
  key.transport = Transport::icmp;
  const BlockTarget first = block_target(BlockScope::endpoint, key, {key.high, 4711});
  const BlockTarget after_reconnect = block_target(BlockScope::endpoint, key, {key.high, 4712});
  EXPECT_EQ(first, after_reconnect);
  EXPECT_EQ(to_string(first), "icmp 198.51.100.7");
}

}  // namespace
}  // namespace spidd
