// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: adds up weighted rows of a table of small numbers, for up to 256 models at once. Integers
// only, so that every form gives the same bits. Private to spid/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "userspace/spid/simd.h"

namespace spidd {

inline constexpr unsigned kColumnGroup = 64;     // models that are added up together: a row of them is a cache line
inline constexpr unsigned kMaxColumnGroups = 4;  // of one table: as many as fit in the registers of AVX-512
inline constexpr std::size_t kTableAlignment = 64;

// Rows of a meter are multiplied by their counts and added up in 16 bits, so many at a time, before they are weighted.
inline constexpr unsigned kRowsTogether = 4;
inline constexpr int kMaxTableValue = 63;
inline constexpr unsigned kMaxCount = 127;
static_assert(kRowsTogether * kMaxTableValue * kMaxCount <= INT16_MAX);

// Rows of a table, how often each counts, and what a count of each kRowsTogether of them weighs. The counts of each two
// rows are there twice, in turn, and weights have four bytes: to spread four bytes of memory over a register is free,
// two are not. Requires: twice as many rows as pairs, kRowsTogether times as many as weights; counts <= kMaxCount,
// weights from 0 to INT16_MAX.
struct WeightedRows {
  std::span<const std::uint16_t> rows;
  std::span<const std::uint32_t> count_pairs;
  std::span<const std::int32_t> weights;

  unsigned count(std::size_t row) const { return count_pairs[row / 2] >> row % 2 * 8 & 0xff; }
};

// sums[c] += sum over the rows of weight * count * table[row * columns + c], for each of the kColumnGroup * groups
// columns. `table` is aligned to kTableAlignment. Requires: 1 <= groups <= kMaxColumnGroups; the sums fit.
using ScoreKernel = void (*)(const std::uint8_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums);

ScoreKernel score_kernel(Simd simd);  // Requires: one of available_simd()

}  // namespace spidd
