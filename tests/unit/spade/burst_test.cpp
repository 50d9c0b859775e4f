// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Burst scores against the formula of spade.md 12.6, and what they are for: floods among regular traffic.
#include "userspace/spade/burst.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

Observation packet(double second, std::uint32_t source, std::uint32_t destination, std::uint16_t port) {
  Observation o;
  o.time = Timestamp(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.7e9 + second)));
  o.source = IpAddress::from_ipv4(source);
  o.destination = IpAddress::from_ipv4(destination);
  o.destination_port = port;
  return o;
}

TEST(BurstScore, IsTheChiSquareOfTheFormula) {
  // 30 in tick 4, 60 in all: (30 - 15)^2 * 16 / (60 * 3) = 20.
  EXPECT_DOUBLE_EQ(midas_score(30, 60, 4), 20);
  EXPECT_EQ(midas_score(15, 60, 4), 0);
  EXPECT_EQ(midas_score(3, 60, 4), 0);  // less than usual is no burst
  EXPECT_EQ(midas_score(30, 60, 1), 0);
  EXPECT_EQ(midas_score(0, 0, 9), 0);
}

BurstSettings at_once() {
  BurstSettings settings;
  settings.warm_up = 0;
  return settings;
}

// Steady traffic of twenty hosts, then a hundredfold of one of them, then the others again.
TEST(BurstScore, StandsOutInAFloodOnly) {
  BurstScore burst({}, 1);
  bool steady = false;
  bool others = false;
  unsigned flood = 0;
  for (int i = 0; i < 20000; ++i) {
    const double second = i / 10.0;
    const std::uint32_t host = 0x0a000100U + static_cast<std::uint32_t>(i) % 20;
    const auto seen = burst.add(packet(second, host, 0x0a000001, 80));
    if (second < 1500) steady |= seen.edge.burst || seen.service.burst;
    // The flood has a target of its own; the server is as busy as ever.
    if (second >= 1500 && second < 1600)
      for (int j = 0; j < 20; ++j) flood += burst.add(packet(second, 0x0a000105, 0x0a000002, 22)).edge.burst ? 1 : 0;
    if (second >= 1500 && host != 0x0a000105) others |= seen.edge.burst || seen.service.burst;
  }
  EXPECT_FALSE(steady);
  EXPECT_FALSE(others);
  EXPECT_GT(flood, 19000U);
}

TEST(BurstScore, SaysHowManyAreUsual) {
  BurstScore burst({}, 1);
  for (int i = 0; i < 2000; ++i) burst.add(packet(i, 1, 2, 80));
  Burst last;
  for (int i = 0; i < 400; ++i) last = burst.add(packet(2000 + i / 40.0, 1, 2, 80)).edge;
  EXPECT_TRUE(last.burst);
  EXPECT_NEAR(last.current, 300, 30);  // the second tick, and half of the first
  EXPECT_NEAR(last.usual, 10, 1);
}

TEST(BurstScore, CallsNothingABurstBeforeItKnowsWhatIsUsual) {
  BurstScore burst({}, 1);
  for (int i = 0; i < 5000; ++i) EXPECT_FALSE(burst.add(packet(i / 10.0, 1, 2, 80)).edge.burst);
}

TEST(BurstScore, CallsNothingABurstThatIsFew) {
  BurstScore burst({}, 1);
  for (int i = 0; i < 2000; ++i) burst.add(packet(i, 1, 2, 80));
  for (int i = 0; i < 59; ++i) EXPECT_FALSE(burst.add(packet(2001, 3, 4, 80)).edge.burst);
  EXPECT_TRUE(burst.add(packet(2001, 3, 4, 80)).edge.burst);
}

TEST(BurstScore, DoesNotLearnABurstUnlessItBecomesAHabit) {
  BurstScore burst({}, 1);
  for (int second = 0; second < 1000; ++second) burst.add(packet(second, 1, 2, 80));
  const auto flood = [&burst](int begin, int seconds) {
    Burst last;
    for (int second = begin; second < begin + seconds; ++second)
      for (int i = 0; i < 100; ++i) last = burst.add(packet(second, 1, 2, 80)).edge;
    return last;
  };
  const Burst before = flood(1000, 300);
  for (int second = 1300; second < 1400; ++second) burst.add(packet(second, 1, 2, 80));
  const Burst again = flood(1400, 300);
  EXPECT_TRUE(again.burst);
  EXPECT_NEAR(again.usual, before.usual, 1);
  EXPECT_FALSE(flood(1700, 2 * 3600).burst);
}

// In a flood of random sources every cell is full; the flood is of the service, not of any of them.
TEST(BurstScore, BlamesNobodyForAFloodOfRandomSources) {
  BurstSettings settings = at_once();
  settings.columns = 1024;
  settings.least_of_service = 100;
  BurstScore burst(settings, 1);
  for (int i = 0; i < 1000; ++i) burst.add(packet(i, 1, 2, 80));
  unsigned edges = 0;
  unsigned services = 0;
  std::uint32_t source = 1;
  for (int i = 0; i < 1000000; ++i) {
    source = source * 1664525 + 1013904223;
    const auto seen = burst.add(packet(1000 + i * 1e-5, source, 2, 80));
    edges += seen.edge.burst ? 1 : 0;
    services += seen.service.burst ? 1 : 0;
  }
  EXPECT_LE(edges, 100U);
  EXPECT_GT(services, 999000U);
}

TEST(BurstScore, SurvivesGapsAndClocksThatGoBack) {
  BurstScore burst(at_once(), 1);
  for (int second = 0; second < 100; ++second) burst.add(packet(second, 1, 2, 80));
  burst.add(packet(1e8, 1, 2, 80));
  EXPECT_GE(burst.add(packet(5, 1, 2, 80)).edge.score, 0);
}

}  // namespace
}  // namespace spidd
