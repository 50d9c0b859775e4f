// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/fan_out.h"

#include <gtest/gtest.h>

#include <random>

namespace spidd {
namespace {

TEST(FanOut, IsExactWhileSmall) {
  FanOut fan_out;
  std::mt19937_64 random(1);
  for (std::size_t i = 1; i <= FanOut::kExact; ++i) {
    const std::uint64_t hash = random();
    EXPECT_TRUE(fan_out.add(hash));
    EXPECT_FALSE(fan_out.add(hash));
    EXPECT_TRUE(fan_out.contains(hash));
    EXPECT_EQ(fan_out.estimate(), static_cast<double>(i));
  }
  EXPECT_FALSE(fan_out.contains(random()));
  EXPECT_TRUE(fan_out.exact());
}

TEST(FanOut, IsWithinTenPercentBeyondInAKilobyte) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    FanOut fan_out;
    double seen = 0;
    for (const double n : {65.0, 200.0, 1000.0, 3000.0, 10000.0, 100000.0}) {
      for (; seen < n; ++seen) fan_out.add(random());
      EXPECT_NEAR(fan_out.estimate(), n, n * 0.12) << seed;  // 3.6 standard errors
    }
    EXPECT_FALSE(fan_out.exact());
    EXPECT_LE(fan_out.bytes(), 1024 + sizeof(FanOut));
  }
}

TEST(FanOut, IsWithinTenPercentNearlyAlways) {
  int off = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    FanOut fan_out;
    for (int i = 0; i < 600; ++i) fan_out.add(random());
    off += std::abs(fan_out.estimate() - 600) > 60 ? 1 : 0;
  }
  EXPECT_LE(off, 2);
}

}  // namespace
}  // namespace spidd
