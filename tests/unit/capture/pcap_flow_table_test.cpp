// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which flows are idle, and which has to go when the table is full.
#include "userspace/capture/pcap_flow_table.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using Slot = PcapFlowTable::Slot;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr IdleLimits kLimits{120 * kSecond, 600 * kSecond};
constexpr std::uint8_t kUdp = 17, kTcp = 6;

spidd_flow_key key(unsigned number, std::uint8_t protocol = kUdp) {
  spidd_flow_key key{};
  key.lo.bytes[15] = static_cast<__u8>(number);
  key.lo.bytes[14] = static_cast<__u8>(number >> 8);
  key.protocol = protocol;
  return key;
}

Slot add(PcapFlowTable& table, unsigned number, std::uint64_t now_ns, unsigned flags = 0,
         std::uint8_t protocol = kUdp) {
  const Slot slot = table.insert(key(number, protocol), now_ns);
  table[slot].last_ns = now_ns;
  table[slot].flags = static_cast<__u8>(flags);
  table.seen(slot, now_ns);
  return slot;
}

TEST(PcapFlowTable, FindsWhatWasInsertedAndNothingElse) {
  PcapFlowTable table(1000);
  for (unsigned i = 0; i < 1000; ++i) add(table, i, 0);
  EXPECT_TRUE(table.full());
  for (unsigned i = 0; i < 1000; ++i) {
    const Slot slot = table.find(key(i));
    ASSERT_NE(slot, PcapFlowTable::kNone);
    EXPECT_EQ(table.key(slot).lo.bytes[15], static_cast<__u8>(i));
  }
  EXPECT_EQ(table.find(key(1000)), PcapFlowTable::kNone);
  EXPECT_EQ(table.find(key(1, kTcp)), PcapFlowTable::kNone);
}

TEST(PcapFlowTable, GivesUpClosedFlowsFirst) {
  PcapFlowTable table(8);
  add(table, 1, 1);
  add(table, 2, 2, SPIDD_FLOW_ANSWERED);
  const Slot closed = add(table, 3, 3, SPIDD_FLOW_ANSWERED | SPIDD_FLOW_END_SENT, kTcp);
  EXPECT_EQ(table.victim(), closed);
}

TEST(PcapFlowTable, LetsAFloodOfAttemptsEvictItselfAndNotTheEstablished) {
  PcapFlowTable table(8);
  for (unsigned i = 0; i < 4; ++i) add(table, i, i, SPIDD_FLOW_ANSWERED, kTcp);
  for (unsigned i = 100; i < 300; ++i) {
    if (table.full()) table.erase(table.victim());
    add(table, i, i, 0, kTcp);
  }
  for (unsigned i = 0; i < 4; ++i) EXPECT_NE(table.find(key(i, kTcp)), PcapFlowTable::kNone);
  EXPECT_NE(table.find(key(299, kTcp)), PcapFlowTable::kNone);
}

TEST(PcapFlowTable, GivesUpTheLongestSilentWhenAttemptsAreFew) {
  PcapFlowTable table(8);
  Slot slots[8];
  for (unsigned i = 0; i < 7; ++i) slots[i] = add(table, i, i * kSecond, SPIDD_FLOW_ANSWERED, i % 2 ? kTcp : kUdp);
  slots[7] = add(table, 7, 7 * kSecond);
  table.seen(slots[0], 20 * kSecond);
  EXPECT_EQ(table.victim(), slots[1]);
  table.erase(slots[1]);
  EXPECT_EQ(table.victim(), slots[2]);
}

TEST(PcapFlowTable, FindsAVictimWhateverTheMixture) {
  PcapFlowTable attempts_only(8);
  const Slot first = add(attempts_only, 1, 5);
  EXPECT_EQ(attempts_only.victim(), first);
  PcapFlowTable one(1);
  const Slot only = add(one, 1, 5, SPIDD_FLOW_ANSWERED);
  EXPECT_EQ(one.victim(), only);
}

TEST(PcapFlowTable, EndsFlowsAfterTheirProtocolsSilence) {
  PcapFlowTable table(8);
  const Slot udp = add(table, 1, 0);
  const Slot tcp = add(table, 2, 0, SPIDD_FLOW_ANSWERED, kTcp);
  EXPECT_EQ(table.idle(120 * kSecond, kLimits), PcapFlowTable::kNone);
  EXPECT_EQ(table.idle(120 * kSecond + 1, kLimits), udp);
  table.erase(udp);
  EXPECT_EQ(table.idle(600 * kSecond, kLimits), PcapFlowTable::kNone);
  EXPECT_EQ(table.idle(600 * kSecond + 1, kLimits), tcp);
}

TEST(PcapFlowTable, KeepsABusyFlowOutOfTheWayOfSilentOnes) {
  PcapFlowTable table(8);
  const Slot busy = add(table, 1, 0);
  const Slot silent = add(table, 2, 0);
  for (std::uint64_t now = 0; now <= 200 * kSecond; now += kSecond / 2) {
    table[busy].last_ns = now;
    table.seen(busy, now);
  }
  EXPECT_EQ(table.idle(200 * kSecond, kLimits), silent);
}

TEST(PcapFlowTable, CallsFlowsIdleThatTheClockLeftBehindOrAhead) {
  PcapFlowTable table(8);
  const Slot slot = add(table, 1, 10'000 * kSecond);
  EXPECT_EQ(table.idle(9'900 * kSecond, kLimits), PcapFlowTable::kNone);
  EXPECT_EQ(table.idle(9'800 * kSecond, kLimits), slot);
}

TEST(PcapFlowTable, HandsOutEveryOpenFlowAtTheEndButNoClosedOne) {
  PcapFlowTable table(8);
  add(table, 1, 1);
  add(table, 2, 2, 0, kTcp);
  add(table, 3, 3, SPIDD_FLOW_ANSWERED);
  add(table, 4, 4, SPIDD_FLOW_ANSWERED, kTcp);
  add(table, 5, 5, SPIDD_FLOW_END_SENT, kTcp);
  for (int i = 0; i < 4; ++i) {
    const Slot slot = table.open();
    ASSERT_NE(slot, PcapFlowTable::kNone);
    table.erase(slot);
  }
  EXPECT_EQ(table.open(), PcapFlowTable::kNone);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace spidd
