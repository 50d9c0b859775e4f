// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All forms of reading out bins give the same rows and leave the bins empty.
#include "userspace/spid/meter_bins.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace spidd {
namespace {

using Sums = std::array<std::uint32_t, kMeterCount>;

TEST(BinReader, GivesWhatWasCountedWithAllInstructions) {
  for (const Simd simd : available_simd()) {
    std::mt19937 generator(1);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    const auto bins = std::make_unique<AllBins>();
    const auto reader = std::make_unique<BinReader>(simd);
    for (unsigned round = 0; round < 100; ++round) {
      std::vector<unsigned> expected(kRowCount);
      Sums expected_sums{};
      for (unsigned meter = 0; meter < kMeterCount; ++meter) {
        const unsigned used = 1 + random() % kBinsPerMeter;
        const bool many = random() % 10 == 0;  // more than a byte holds
        for (unsigned i = random() % 600; i > 0; --i) {
          const unsigned bin = random() % used;
          const unsigned count = many ? random() % 50 : 1;
          for (unsigned k = 0; k < count; ++k) (*bins)[meter].add(bin);
          expected[meter * kBinsPerMeter + bin] += count;
          expected_sums[meter] += count;
        }
      }
      Sums sums;
      const std::span<const RowCount> rows = reader->read(*bins, sums);
      EXPECT_EQ(sums, expected_sums) << simd_name(simd);
      auto next = rows.begin();
      for (unsigned row = 0; row < kRowCount; ++row) {
        if (expected[row] == 0) continue;
        ASSERT_NE(next, rows.end()) << simd_name(simd);
        ASSERT_EQ(next->row, row) << simd_name(simd);
        ASSERT_EQ(next->count, expected[row]) << simd_name(simd);
        ++next;
      }
      EXPECT_EQ(next, rows.end()) << simd_name(simd);
      EXPECT_TRUE(reader->read(*bins, sums).empty()) << simd_name(simd);
    }
  }
}

TEST(MeterBins, HoldRangesOfMoreThanAByte) {
  for (const Simd simd : available_simd()) {
    const auto bins = std::make_unique<AllBins>();
    const auto reader = std::make_unique<BinReader>(simd);
    std::array<std::uint8_t, 32> counts{};
    counts[5] = 64;
    counts[31] = 128;
    const std::array<std::array<std::uint8_t, 32>, 8> ranges = {counts, counts, counts, counts,
                                                                counts, counts, counts, counts};
    (*bins)[2].add_ranges<32>(100, ranges);
    (*bins)[2].add_range(100, counts);
    Sums sums;
    const std::span<const RowCount> rows = reader->read(*bins, sums);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].row, 512 + 105);
    EXPECT_EQ(rows[0].count, 9 * 64);
    EXPECT_EQ(rows[1].row, 512 + 131);
    EXPECT_EQ(rows[1].count, 9 * 128);
    EXPECT_EQ(sums[2], 9U * 192);
  }
}

}  // namespace
}  // namespace spidd
