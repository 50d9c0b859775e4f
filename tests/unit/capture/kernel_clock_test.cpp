// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One kernel time has one name, whatever happens to the wall clock.
#include "userspace/capture/kernel_clock.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kSecond = 1'000'000'000;

Timestamp at(Duration since_epoch) { return Timestamp(since_epoch); }

TEST(KernelClock, AddsTheOffsetItWasMadeWith) {
  const KernelClock clock(5 * kSecond, at(seconds(1000)));
  EXPECT_EQ(clock.to_wall(7 * kSecond), at(seconds(1002)));
  EXPECT_EQ(clock.to_monotonic(at(seconds(1002))), 7 * kSecond);
}

TEST(KernelClock, ATimeBeforeBootHasNoKernelTime) {
  const KernelClock clock(5 * kSecond, at(seconds(1000)));
  EXPECT_FALSE(clock.to_monotonic(at(seconds(994))));
}

TEST(KernelClock, FollowsAForwardStepAndKeepsTheNamesOfEarlierTimes) {
  KernelClock clock(5 * kSecond, at(seconds(1000)));
  clock.refresh(10 * kSecond, at(hours(1)));
  EXPECT_EQ(clock.to_wall(7 * kSecond), at(seconds(1002)));
  EXPECT_EQ(clock.to_wall(11 * kSecond), at(hours(1) + seconds(1)));
  EXPECT_EQ(clock.to_monotonic(at(seconds(1002))), 7 * kSecond);
  EXPECT_EQ(clock.to_monotonic(at(hours(1) + seconds(1))), 11 * kSecond);
}

TEST(KernelClock, ATimeThatWasSkippedHasNoKernelTime) {
  KernelClock clock(5 * kSecond, at(seconds(1000)));
  clock.refresh(10 * kSecond, at(hours(1)));
  EXPECT_FALSE(clock.to_monotonic(at(seconds(2000))));
}

TEST(KernelClock, NeverRunsBackwards) {
  KernelClock clock(5 * kSecond, at(hours(1)));
  clock.refresh(10 * kSecond, at(seconds(1000)));
  EXPECT_EQ(clock.to_wall(10 * kSecond), at(hours(1) + seconds(5)));
}

TEST(KernelClock, SmallDifferencesAreNoStep) {
  KernelClock clock(5 * kSecond, at(seconds(1000)));
  clock.refresh(10 * kSecond, at(seconds(1005) + milliseconds(49)));
  EXPECT_EQ(clock.to_wall(10 * kSecond), at(seconds(1005)));
}

TEST(KernelClock, ManyStepsForgetTheOldestOnly) {
  KernelClock clock(0, at(seconds(0)));
  for (std::uint64_t step = 1; step <= 100; ++step) {
    clock.refresh(step * 10 * kSecond, at(seconds(step * 20)));
    EXPECT_EQ(clock.to_wall(step * 10 * kSecond), at(seconds(step * 20)));
  }
  EXPECT_EQ(clock.to_wall(995 * kSecond), at(seconds(1985)));
  EXPECT_EQ(clock.to_monotonic(at(seconds(1985))), 995 * kSecond);
}

TEST(KernelClock, NonsenseOfADamagedRecordDoesNotOverflow) {
  const KernelClock clock(5 * kSecond, at(hours(500'000)));
  EXPECT_GT(clock.to_wall(~std::uint64_t{0}), at(hours(500'000)));
}

TEST(KernelClock, NowIsTheWallClock) {
  const KernelClock clock;
  EXPECT_LT(clock.now() - wall_clock_now(), milliseconds(100));
  EXPECT_LT(wall_clock_now() - clock.now(), milliseconds(100));
}

}  // namespace
}  // namespace spidd
