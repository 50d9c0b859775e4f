// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: adds up weighted rows of a table of int16, for up to 64 models at once. Integers only, so
// that every form gives the same bits. Private to spid/.
#pragma once

#include <cstdint>
#include <span>

namespace spidd {

inline constexpr unsigned kColumnGroup = 16;     // models that are added up together
inline constexpr unsigned kMaxColumnGroups = 4;  // of one table: as many as fit in the registers of AVX2
inline constexpr std::size_t kTableAlignment = 64;

// Bounds that keep the sums within int32: the weights of a meter add up to kWeightOne and a rounding error of at most
// one half a bin.
inline constexpr int kWeightOne = 4096;
inline constexpr int kMaxTableValue = 8192;

// No initialisers: a large array of these must cost nothing until it is filled.
struct WeightedRow {
  std::uint16_t row;
  std::int16_t weight;
};

// sums[c] = sum over rows of weight * table[row * columns + c] for each of the 16 * groups columns. `table` is aligned
// to kTableAlignment. Requires: 1 <= groups <= kMaxColumnGroups.
using ScoreKernel = void (*)(const std::int16_t* table, unsigned groups, std::span<const WeightedRow> rows,
                             std::int32_t* sums);

void score_rows_scalar(const std::int16_t* table, unsigned groups, std::span<const WeightedRow> rows,
                       std::int32_t* sums);

// Null where the compiler or the processor does not have them.
ScoreKernel score_kernel_avx2();
ScoreKernel score_kernel_avx512();

// The fastest that this processor has.
ScoreKernel best_score_kernel();

}  // namespace spidd
