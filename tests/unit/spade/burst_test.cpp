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

// The highest score of steady traffic of twenty hosts, then of a hundredfold of one of them, then of the others again.
TEST(BurstScore, StandsOutInAFloodOnly) {
  BurstScore burst({}, 1);
  double steady = 0;
  double flood = 0;
  double others = 0;
  for (int i = 0; i < 20000; ++i) {
    const double second = i / 10.0;
    const std::uint32_t host = 0x0a000100U + static_cast<std::uint32_t>(i) % 20;
    const double score = burst.add(packet(second, host, 0x0a000001, 80));
    if (second > 100 && second < 1500) steady = std::max(steady, score);
    // The flood has a target of its own; the server is as busy as ever.
    if (second >= 1500 && second < 1600)
      for (int j = 0; j < 20; ++j) flood = std::max(flood, burst.add(packet(second, 0x0a000105, 0x0a000002, 22)));
    if (second >= 1500 && host != 0x0a000105) others = std::max(others, score);
  }
  EXPECT_LT(steady, 50);
  EXPECT_LT(others, 50);
  EXPECT_GT(flood, 1000);
}

TEST(BurstScore, DoesNotLearnTheFlood) {
  BurstScore burst({}, 1);
  double before = 0;
  for (int second = 0; second < 1000; ++second) burst.add(packet(second, 1, 2, 80));
  const auto flood = [&burst](int begin) {
    double highest = 0;
    for (int second = begin; second < begin + 300; ++second)
      for (int i = 0; i < 100; ++i) highest = burst.add(packet(second, 1, 2, 80));
    return highest;
  };
  before = flood(1000);
  for (int second = 1300; second < 1400; ++second) burst.add(packet(second, 1, 2, 80));
  EXPECT_GT(flood(1400), before * 0.9);
}

TEST(BurstScore, SurvivesGapsAndClocksThatGoBack) {
  BurstScore burst({}, 1);
  for (int second = 0; second < 100; ++second) burst.add(packet(second, 1, 2, 80));
  burst.add(packet(1e8, 1, 2, 80));
  EXPECT_GE(burst.add(packet(5, 1, 2, 80)), 0);
}

}  // namespace
}  // namespace spidd
