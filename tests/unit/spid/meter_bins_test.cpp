// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All forms of reading out bins give the same rows and leave the bins empty.
#include "userspace/spid/meter_bins.h"

#include <gtest/gtest.h>

#include <algorithm>
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
        const bool many = round % 2 == 1 && random() % 10 == 0;  // more than a byte holds
        for (unsigned i = random() % 255; i > 0; --i) {
          const unsigned bin = random() % used;
          const unsigned count = many ? random() % 50 : 1;
          for (unsigned k = 0; k < count; ++k) (*bins)[meter].add(bin);
          expected[meter * kBinsPerMeter + bin] += count;
          expected_sums[meter] += count;
        }
      }
      MeasuredRows expected_rows;
      for (unsigned row = 0; row < kRowCount; ++row) {
        if (expected[row] != 0)
          expected_rows.push_back({static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(expected[row])});
      }
      Fingerprint flow;
      reader->read(*bins, flow);
      EXPECT_EQ(flow.measurements, expected_sums) << simd_name(simd);
      EXPECT_TRUE(flow.rows == expected_rows) << simd_name(simd);
      reader->read(*bins, flow);
      EXPECT_TRUE(flow.rows.empty()) << simd_name(simd);
    }
  }
}

TEST(MeasuredRows, KeepSmallAndLargeCounts) {
  const std::vector<RowCount> expected = {{0, 1}, {255, 255}, {256, 256}, {1030, 65535}, {kRowCount - 1, 3}};
  MeasuredRows rows;
  for (const RowCount row : expected) rows.push_back(row);
  EXPECT_TRUE(std::ranges::equal(rows, expected));
  EXPECT_EQ(rows.size(), expected.size());
  EXPECT_EQ(rows.of_meter(0).size(), 2U);
  EXPECT_EQ(rows.of_meter(1).count(0), 256U);
  EXPECT_EQ(rows.of_meter(2).size(), 0U);
  EXPECT_EQ(rows.of_meter(kMeterCount - 1).count(0), 3U);
  rows.clear();
  EXPECT_TRUE(rows.empty());
  EXPECT_TRUE(rows.begin() == rows.end());
  rows.push_back({700, 2});
  EXPECT_TRUE(std::ranges::equal(rows, std::vector<RowCount>(1, {700, 2})));
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
    Fingerprint flow;
    reader->read(*bins, flow);
    EXPECT_TRUE(flow.rows == (MeasuredRows{{512 + 105, 9 * 64}, {512 + 131, 9 * 128}}));
    EXPECT_EQ(flow.measurements[2], 9U * 192);
  }
}

}  // namespace
}  // namespace spidd
