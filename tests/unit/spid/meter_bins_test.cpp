// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All forms of reading out bins give the same rows and leave the bins empty.
#include "userspace/spid/meter_bins.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace spidd {
namespace {

constexpr std::size_t kRoom = kBinsPerMeter + MeterBins::kFlushSlack;

TEST(MeterBins, AreReadOutAlikeByAllForms) {
  for (const Simd simd : available_simd()) {
    const MeterBins::Flush flush = MeterBins::flush_with(simd);
    const MeterBins::Flush reference = MeterBins::flush_with(Simd::scalar);
    std::mt19937 generator(1);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    MeterBins fast;
    MeterBins simple;
    std::vector<RowCount> fast_rows(kRoom);
    std::vector<RowCount> simple_rows(kRoom);
    for (unsigned round = 0; round < 500; ++round) {
      const unsigned meter = round % kMeterCount;
      for (unsigned i = random() % 600; i > 0; --i) {
        const unsigned bin = random() % (1 + round % kBinsPerMeter);
        const unsigned count = random() % 50;
        fast.add(bin, count);
        simple.add(bin, count);
      }
      const MeterBins::Flushed expected = (simple.*reference)(meter, simple_rows.data());
      const MeterBins::Flushed actual = (fast.*flush)(meter, fast_rows.data());
      ASSERT_EQ(actual.rows, expected.rows) << simd_name(simd);
      ASSERT_EQ(actual.measurements, expected.measurements) << simd_name(simd);
      for (std::size_t i = 0; i < expected.rows; ++i) {
        ASSERT_EQ(fast_rows[i].row, simple_rows[i].row) << simd_name(simd);
        ASSERT_EQ(fast_rows[i].count, simple_rows[i].count) << simd_name(simd);
      }
      ASSERT_EQ((fast.*reference)(meter, fast_rows.data()).rows, 0U) << simd_name(simd);
    }
  }
}

TEST(MeterBins, AreReadOutInRisingOrderWithTheirSum) {
  for (const Simd simd : available_simd()) {
    MeterBins bins;
    bins.add(255, 3);
    bins.add(0);
    bins.add(7, 0);
    bins.add_range(100, std::array<std::uint8_t, 3>{0, 5, 0});
    std::vector<RowCount> rows(kRoom);
    const MeterBins::Flushed flushed = (bins.*MeterBins::flush_with(simd))(2, rows.data());
    EXPECT_EQ(flushed.rows, 3U);
    EXPECT_EQ(flushed.measurements, 9U);
    EXPECT_EQ(rows[0].row, 512);
    EXPECT_EQ(rows[1].row, 512 + 101);
    EXPECT_EQ(rows[1].count, 5);
    EXPECT_EQ(rows[2].row, 512 + 255);
    EXPECT_EQ(rows[2].count, 3);
  }
}

}  // namespace
}  // namespace spidd
