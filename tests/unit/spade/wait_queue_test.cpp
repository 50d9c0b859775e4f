// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The queue of waiting reports: order, limits, keys.
#include "userspace/spade/wait_queue.h"

#include "tests/unit/spade/spade_fixture.h"

namespace spidd {
namespace {

using namespace spade_test;

WaitingReport about(std::uint16_t port, double score = 1) {
  WaitingReport report;
  report.packet = tcp(0, "192.0.2.1", 1025, "10.0.0.1", port);
  report.score = score;
  return report;
}

TEST(WaitQueue, GivesAllReportsOfAKeyOldestFirst) {
  WaitQueue queue(1, 10);
  for (int i = 0; i < 3; i++) ASSERT_TRUE(queue.add(0, i, about(80, i)));
  ASSERT_TRUE(queue.add(0, 3, about(81)));
  const WaitingKey key = WaitingKey::answered_by(answer(5, about(80).packet), 0);
  for (int i = 0; i < 3; i++) EXPECT_EQ(queue.take(key)->score, i);
  EXPECT_FALSE(queue.take(key));
  EXPECT_EQ(queue.size(), 1U);
}

TEST(WaitQueue, KeepsDetectorsApart) {
  WaitQueue queue(2, 10);
  ASSERT_TRUE(queue.add(0, 0, about(80)));
  ASSERT_TRUE(queue.add(1, 0, about(80)));
  EXPECT_TRUE(queue.take(WaitingKey::of(about(80).packet, 1)));
  EXPECT_FALSE(queue.take(WaitingKey::of(about(80).packet, 1)));
  EXPECT_EQ(queue.size(0), 1U);
  EXPECT_EQ(queue.size(1), 0U);
}

TEST(WaitQueue, GivesOnlyWhatHasWaitedLongEnough) {
  WaitQueue queue(1, 10);
  for (int i = 0; i < 3; i++) ASSERT_TRUE(queue.add(0, 100 + i, about(80, i)));
  EXPECT_FALSE(queue.take_older(0, 99));
  EXPECT_EQ(queue.take_older(0, 101)->score, 0);
  EXPECT_EQ(queue.take_older(0, 101)->score, 1);
  EXPECT_FALSE(queue.take_older(0, 101));
}

TEST(WaitQueue, RefusesWhatIsBeyondItsLimitAndUsesPlacesAgain) {
  WaitQueue queue(1, 2);
  EXPECT_TRUE(queue.add(0, 0, about(1)));
  EXPECT_TRUE(queue.add(0, 0, about(2)));
  EXPECT_FALSE(queue.add(0, 0, about(3)));
  EXPECT_TRUE(queue.take(WaitingKey::of(about(1).packet, 0)));
  EXPECT_TRUE(queue.add(0, 1, about(3)));
  EXPECT_TRUE(queue.take_older(0, 1));
  EXPECT_TRUE(queue.take_older(0, 1));
  EXPECT_FALSE(queue.take_older(0, 1));
  EXPECT_EQ(queue.size(), 0U);
  WaitQueue none(1, 0);
  EXPECT_FALSE(none.add(0, 0, about(1)));
}

TEST(WaitQueue, AnUnreachableMatchesThePacketInsideIt) {
  const Observation packet = udp(0, "192.0.2.1", 1025, "10.0.0.1", 53);
  EXPECT_EQ(WaitingKey::answered_by(unreachable(1, packet, "10.0.0.1", 3), 4), WaitingKey::of(packet, 4));
  EXPECT_EQ(WaitingKey::answered_by(answer(1, packet), 4), WaitingKey::of(packet, 4));
  EXPECT_NE(WaitingKey::of(packet, 5), WaitingKey::of(packet, 4));
}

}  // namespace
}  // namespace spidd
