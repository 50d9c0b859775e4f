// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/latency_histogram.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using std::chrono::microseconds;

TEST(LatencyHistogram, IsZeroWhileEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(0.99), 0U);
}

TEST(LatencyHistogram, GivesPercentilesAtMostAnEighthTooHigh) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 10000; ++i) histogram.add(microseconds(i));
  EXPECT_EQ(histogram.count(), 10000U);
  EXPECT_EQ(histogram.largest(), 10000U);
  for (const double share : {0.01, 0.25, 0.5, 0.9, 0.99}) {
    const double exact = share * 10000;
    const auto given = static_cast<double>(histogram.percentile(share));
    EXPECT_GE(given, exact) << share;
    EXPECT_LE(given, exact * 1.125 + 1) << share;
  }
  EXPECT_EQ(histogram.percentile(1.0), 10000U);
}

TEST(LatencyHistogram, TakesAnyDuration) {
  LatencyHistogram histogram;
  histogram.add(microseconds(-5));
  histogram.add(Duration::max());
  EXPECT_EQ(histogram.percentile(0.5), 0U);
  EXPECT_EQ(histogram.percentile(1.0), histogram.largest());
}

}  // namespace
}  // namespace spidd
