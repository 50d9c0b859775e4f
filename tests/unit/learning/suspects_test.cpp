// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/suspects.h"

#include <gtest/gtest.h>

#include "tests/unit/learning/site_flows.h"

namespace spidd {
namespace {

BlockTarget target(std::string_view text) { return *parse_block_target(text); }

// Client 10.0.0.3, server 192.0.2.7:443.
SettledFlow flow_at(int second) {
  SettledFlow flow = site_flow(7, 3, "https", second);
  flow.key.low = flow.client.address;
  flow.key.high = flow.server.address;
  flow.key.port_low = flow.client.port;
  flow.key.port_high = flow.server.port;
  return flow;
}

constexpr std::array kTargetsOfTheFlow = {"10.0.0.3", "192.0.2.7", "10.0.0.0/24", "tcp 192.0.2.7:443",
                                          "tcp 10.0.0.3:40000 <-> 192.0.2.7:443"};

TEST(Suspects, AreHostsNetworksServersAndFlows) {
  for (const char* text : kTargetsOfTheFlow) {
    Suspects suspects;
    suspects.add(target(text), site_time(100));
    EXPECT_TRUE(suspects.touch(flow_at(99))) << text;
    EXPECT_FALSE(suspects.touch(flow_at(100))) << text << ": it is over";
  }
  for (const char* text : {"10.0.0.4", "10.0.1.0/24", "tcp 192.0.2.7:80", "udp 192.0.2.7:443", "tcp 10.0.0.3:40000",
                           "tcp 10.0.0.3:40001 <-> 192.0.2.7:443"}) {
    Suspects suspects;
    suspects.add(target(text), site_time(100));
    EXPECT_FALSE(suspects.touch(flow_at(1))) << text;
  }
}

TEST(Suspects, StayForAsLongAsTheLastBlock) {
  Suspects suspects;
  suspects.add(target("10.0.0.0/24"), site_time(100));
  suspects.add(target("10.0.0.0/24"), site_time(50));
  EXPECT_TRUE(suspects.touch(flow_at(99)));
}

TEST(Suspects, GiveUpTheOneThatEndsFirstWhenFull) {
  Suspects suspects(2);
  suspects.add(target("10.0.0.0/24"), site_time(50));
  suspects.add(target("192.0.2.7"), site_time(200));
  suspects.add(target("192.0.2.8"), site_time(100));
  EXPECT_EQ(suspects.size(), 2U);
  EXPECT_TRUE(suspects.touch(flow_at(10)));
  suspects.add(target("192.0.2.9"), site_time(300));
  suspects.add(target("192.0.2.10"), site_time(300));
  EXPECT_FALSE(suspects.touch(flow_at(10)));
}

TEST(Suspects, AreNoneAnyMoreOnceTheyAreRemoved) {
  for (const char* text : kTargetsOfTheFlow) {
    Suspects suspects;
    suspects.add(target(text), site_time(100));
    suspects.remove(target(text));
    EXPECT_FALSE(suspects.touch(flow_at(1))) << text;
    EXPECT_EQ(suspects.size(), 0U);
  }
}

}  // namespace
}  // namespace spidd
