// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The enforcer's own rules, with a time of the test's and no kernel: tests/bpf has the drop tables.
#include "userspace/daemon/enforcer.h"

#include <gmock/gmock.h>

#include <thread>

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

const Timestamp kNow{std::chrono::seconds(1'800'000'000)};

Policy enforcing_policy() {
  Policy policy;
  policy.mode = Mode::enforce;
  policy.never_block = {*IpPrefix::parse("192.0.2.0/24")};
  policy.max_block = hours(2);
  policy.max_blocks = 1000;
  return policy;
}

BlockTarget target(std::string_view text) { return *parse_block_target(text); }

BlockOrder order(std::string_view text, Duration duration = minutes(10)) {
  return {target(text), kNow, duration, "tunnels", "openvpn", 3};
}

std::string refusal(Enforcer& enforcer, std::string_view text) {
  const auto block = enforcer.block(order(text));
  return block ? "" : block.error().message;
}

TEST(Enforcer, BlocksUntilTheTimeHasPassed) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  const auto block = enforcer.block(order("tcp/198.51.100.7:443"));
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->expires, kNow + minutes(10));
  EXPECT_EQ(enforcer.size(), 1U);
  EXPECT_TRUE(enforcer.tick(kNow + minutes(10) - seconds(1))->empty());
  const auto ended = enforcer.tick(kNow + minutes(10));
  ASSERT_EQ(ended->size(), 1U);
  EXPECT_EQ(to_string(ended->front().block.target), "tcp 198.51.100.7:443");
  EXPECT_EQ(enforcer.size(), 0U);
  EXPECT_EQ(enforcer.counters().blocks_made, 1U);
  EXPECT_EQ(enforcer.counters().blocks_expired, 1U);
}

TEST(Enforcer, RefusesWhatThePolicyProtects) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  EXPECT_THAT(refusal(enforcer, "192.0.2.7"), HasSubstr("never_block"));
  EXPECT_THAT(refusal(enforcer, "192.0.0.0/16"), HasSubstr("never_block"));
  EXPECT_EQ(enforcer.counters().blocks_refused, 2U);
  EXPECT_FALSE(enforcer.block(order("198.51.100.7", hours(3))));
}

TEST(Enforcer, NeverStopsAServerOrHostAtAnAddressOfThisHost) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  enforcer.set_own_addresses({*IpAddress::parse("198.51.100.1"), *IpAddress::parse("2001:db8::1")});
  EXPECT_THAT(refusal(enforcer, "198.51.100.1"), HasSubstr("an address of this host"));
  EXPECT_THAT(refusal(enforcer, "198.51.100.0/24"), HasSubstr("198.51.100.1 is an address of this host"));
  EXPECT_THAT(refusal(enforcer, "tcp/198.51.100.1:22"), HasSubstr("an address of this host"));
  EXPECT_THAT(refusal(enforcer, "udp/[2001:db8::1]:53"), HasSubstr("an address of this host"));
  EXPECT_EQ(refusal(enforcer, "tcp/198.51.100.2:22"), "");
  FlowKey key;
  key.low = *IpAddress::parse("198.51.100.1");
  key.high = *IpAddress::parse("203.0.113.9");
  EXPECT_TRUE(enforcer.block({FlowTarget{key}, kNow, minutes(1), "r", "", 0}));
}

TEST(Enforcer, NeverCutsTheSshSessionItWasStartedFrom) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "203.0.113.9 50514 198.51.100.1 22");
  EXPECT_THAT(refusal(enforcer, "203.0.113.9"), HasSubstr("SSH session"));
  EXPECT_THAT(refusal(enforcer, "203.0.113.0/24"), HasSubstr("SSH session"));
  FlowKey key;
  key.low = *IpAddress::parse("198.51.100.1");
  key.high = *IpAddress::parse("203.0.113.9");
  EXPECT_FALSE(enforcer.block({FlowTarget{key}, kNow, minutes(1), "r", "", 0}));
  EXPECT_EQ(refusal(enforcer, "203.0.113.10"), "");
}

TEST(Enforcer, IgnoresAnSshConnectionThatIsNone) {
  for (const char* const text : {"", "nonsense", "127.0.0.1 1 127.0.0.1 22"}) {
    Enforcer enforcer(enforcing_policy(), std::nullopt, text);
    EXPECT_EQ(refusal(enforcer, "203.0.113.9"), "") << text;
  }
}

TEST(Enforcer, UnblocksByHand) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  ASSERT_TRUE(enforcer.block(order("198.51.100.7")));
  const auto ended = enforcer.unblock(target("198.51.100.7"));
  ASSERT_TRUE(ended);
  ASSERT_TRUE(*ended);
  EXPECT_EQ((*ended)->block.rule, "tunnels");
  EXPECT_FALSE(*enforcer.unblock(target("198.51.100.7")));
  EXPECT_EQ(enforcer.size(), 0U);
}

TEST(Enforcer, EndsBlocksThatANewPolicyProtects) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  ASSERT_TRUE(enforcer.block(order("198.51.100.7")));
  ASSERT_TRUE(enforcer.block(order("203.0.113.7")));
  Policy policy = enforcing_policy();
  policy.mode = Mode::observe;
  policy.never_block = {*IpPrefix::parse("198.51.100.0/24")};
  const auto ended = enforcer.set_policy(policy);
  ASSERT_TRUE(ended);
  ASSERT_EQ(ended->size(), 1U);
  EXPECT_EQ(to_string(ended->front().block.target), "198.51.100.7");
  EXPECT_FALSE(enforcer.enforcing());
  EXPECT_EQ(refusal(enforcer, "192.0.2.7"), "");
}

TEST(Enforcer, ShowsTheNewestBlocksFirst) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  for (int i = 1; i <= 5; ++i) {
    BlockOrder each = order(fmt::format("198.51.100.{}", i));
    each.now = kNow + seconds(i);
    ASSERT_TRUE(enforcer.block(each));
  }
  const auto blocks = enforcer.blocks(2);
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ(to_string((*blocks)[0].block.target), "198.51.100.5");
  EXPECT_EQ(to_string((*blocks)[1].block.target), "198.51.100.4");
}

TEST(Enforcer, TakesBlocksFromSeveralThreads) {
  Enforcer enforcer(enforcing_policy(), std::nullopt, "");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&enforcer, t] {
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(enforcer.block(order(fmt::format("10.{}.0.{}", t, i))));
        enforcer.note_latency(std::chrono::microseconds(i));
      }
    });
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enforcer.tick(kNow));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(enforcer.size(), 800U);
  EXPECT_EQ(enforcer.latencies().count(), 800U);
}

TEST(AddressesOfThisHost, LeaveOutLoopback) {
  const auto addresses = addresses_of_this_host();
  ASSERT_TRUE(addresses) << addresses.error().message;
  for (const IpAddress& address : *addresses) EXPECT_FALSE(address.is_loopback());
}

}  // namespace
}  // namespace spidd
