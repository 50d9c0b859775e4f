// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Both forms of reading out bins give the same rows and leave the bins empty.
#include "userspace/spid/meter_bins.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace spidd {
namespace {

#if defined(__x86_64__)
TEST(MeterBins, AreReadOutAlikeByBothForms) {
  if (!__builtin_cpu_supports("avx")) return;  // there is only one form here
  std::mt19937 generator(1);
  const auto random = [&generator] { return static_cast<unsigned>(generator()); };
  MeterBins fast;
  MeterBins simple;
  std::vector<RowCount> fast_rows(kBinsPerMeter + MeterBins::kFlushSlack);
  std::vector<RowCount> simple_rows = fast_rows;
  for (unsigned round = 0; round < 500; ++round) {
    const unsigned meter = round % kMeterCount;
    for (unsigned i = random() % 600; i > 0; --i) {
      const unsigned bin = random() % (1 + round % kBinsPerMeter);
      const unsigned count = random() % 50;
      fast.add(bin, count);
      simple.add(bin, count);
    }
    const MeterBins::Flushed expected = simple.flush_scalar(meter, simple_rows.data());
    const MeterBins::Flushed actual = fast.flush_avx(meter, fast_rows.data());
    ASSERT_EQ(actual.rows, expected.rows);
    ASSERT_EQ(actual.measurements, expected.measurements);
    for (std::size_t i = 0; i < expected.rows; ++i) {
      ASSERT_EQ(fast_rows[i].row, simple_rows[i].row);
      ASSERT_EQ(fast_rows[i].count, simple_rows[i].count);
    }
    ASSERT_EQ(fast.flush_scalar(meter, fast_rows.data()).rows, 0U);
  }
}
#endif

TEST(MeterBins, AreReadOutInRisingOrderWithTheirSum) {
  MeterBins bins;
  bins.add(255, 3);
  bins.add(0);
  bins.add(7, 0);
  std::vector<RowCount> rows(kBinsPerMeter + MeterBins::kFlushSlack);
  const MeterBins::Flushed flushed = bins.flush(2, rows.data());
  EXPECT_EQ(flushed.rows, 2U);
  EXPECT_EQ(flushed.measurements, 4U);
  EXPECT_EQ(rows[0].row, 512);
  EXPECT_EQ(rows[1].row, 512 + 255);
  EXPECT_EQ(rows[1].count, 3);
}

}  // namespace
}  // namespace spidd
