// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/flow/flow_table.h"

#include <gtest/gtest.h>

#include "userspace/flow/packet_store.h"

namespace spidd {
namespace {

FlowKey key(std::uint16_t port) {
  FlowKey key;
  key.low = IpAddress::from_ipv4(0x0a000001);
  key.high = IpAddress::from_ipv4(0xc6336401);
  key.port_low = port;
  key.port_high = 443;
  return key;
}

TEST(FlowTable, NamesTheOldestEmbryonicFlowWhenTooManyAttemptsAreOpen) {
  FlowTable table({.flows = 100, .embryonic = 2});
  const auto first = table.create(key(1));
  table.create(key(2));
  EXPECT_EQ(table.victim(), first);
}

TEST(FlowTable, AFloodOfAttemptsNeverPushesOutAnsweredFlows) {
  FlowTable table({.flows = 4, .embryonic = 4});
  for (std::uint16_t port = 1; port <= 2; ++port) table.touch(table.create(key(port)), FlowTable::undecided);
  for (std::uint16_t port = 3; port < 1000; ++port) {
    if (const auto victim = table.victim(); victim != FlowTable::kNone) {
      EXPECT_EQ(table.list(victim), FlowTable::embryonic);
      table.erase(victim);
    }
    table.create(key(port));
  }
  EXPECT_NE(table.find(key(1)), FlowTable::kNone);
  EXPECT_NE(table.find(key(2)), FlowTable::kNone);
}

TEST(FlowTable, GivesUpDecidedFlowsBeforeUndecidedOnes) {
  FlowTable table({.flows = 2, .embryonic = 2});
  const auto undecided = table.create(key(1));
  table.touch(undecided, FlowTable::undecided);
  const auto decided = table.create(key(2));
  table.touch(decided, FlowTable::decided);
  EXPECT_EQ(table.victim(), decided);
}

TEST(FlowTable, KnowsTheKeyOfAFlow) {
  FlowTable table({.flows = 4, .embryonic = 4});
  const auto slot = table.create(key(7));
  EXPECT_EQ(table[slot].key, key(7));
  table.erase(slot);
  EXPECT_EQ(table.find(key(7)), FlowTable::kNone);
}

// The figures that README.md promises. A flow with one stored packet has the rest of its block for nothing.
TEST(FlowTable, TakesLittleMemoryAFlow) {
  EXPECT_LE(FlowTable::kBytesPerFlow, 128U);
  EXPECT_LE(FlowTable::kBytesPerFlow + PacketStore::kBlockBytes - sizeof(PayloadPacket), 1024U);
}

TEST(Flow, ClientAndServerFollowTheDirectionNotTheKey) {
  Flow flow;
  flow.key = key(50000);
  flow.client_is_low = true;
  EXPECT_EQ(flow.client().port, 50000);
  EXPECT_EQ(flow.server().port, 443);
  flow.client_is_low = false;
  EXPECT_EQ(flow.server().port, 50000);
}

PayloadPacket packet(std::uint32_t length) {
  PayloadPacket result;
  result.length = length;
  return result;
}

TEST(PacketStore, GivesBackWhatWasAppendedInOrder) {
  PacketStore store(100);
  std::uint32_t head = PacketStore::kNone;
  for (unsigned i = 0; i < kRecordLimit; ++i) ASSERT_TRUE(store.append(head, i, packet(i + 1)));
  std::array<PayloadPacket, kRecordLimit> buffer;
  const auto packets = store.collect(head, kRecordLimit, buffer);
  ASSERT_EQ(packets.size(), kRecordLimit);
  for (unsigned i = 0; i < kRecordLimit; ++i) EXPECT_EQ(packets[i].length, i + 1);
}

TEST(PacketStore, RefusesBeyondItsLimitAndRecoversAfterRelease) {
  PacketStore store(1);
  std::uint32_t first = PacketStore::kNone;
  std::uint32_t second = PacketStore::kNone;
  ASSERT_TRUE(store.append(first, 0, packet(1)));
  EXPECT_FALSE(store.append(second, 0, packet(2)));
  EXPECT_EQ(second, PacketStore::kNone);
  store.release(first);
  EXPECT_EQ(store.blocks_in_use(), 0U);
  EXPECT_TRUE(store.append(second, 0, packet(2)));
}

TEST(PacketStore, KeepsChainsApart) {
  PacketStore store(100);
  std::uint32_t a = PacketStore::kNone;
  std::uint32_t b = PacketStore::kNone;
  for (unsigned i = 0; i < 9; ++i) {
    ASSERT_TRUE(store.append(a, i, packet(100 + i)));
    ASSERT_TRUE(store.append(b, i, packet(200 + i)));
  }
  std::array<PayloadPacket, kRecordLimit> buffer;
  for (const PayloadPacket& p : store.collect(a, 9, buffer)) EXPECT_LT(p.length, 200U);
  store.release(a);
  const auto packets = store.collect(b, 9, buffer);
  ASSERT_EQ(packets.size(), 9U);
  EXPECT_EQ(packets[8].length, 208U);
}

}  // namespace
}  // namespace spidd
