// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: adds up weighted rows of a table of int16, for up to 256 models at once. Integers only,
// so that every form gives the same bits. Private to spid/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "userspace/spid/simd.h"

namespace spidd {

inline constexpr unsigned kColumnGroup = 32;     // models that are added up together
inline constexpr unsigned kMaxColumnGroups = 8;  // of one table: as many as fit in the registers of AVX-512
inline constexpr std::size_t kTableAlignment = 64;

// Bounds that keep the sums within int32: the weights of a meter add up to kWeightOne and a rounding error of at most
// one half a bin.
inline constexpr int kWeightOne = 4096;
inline constexpr int kMaxTableValue = 8192;

// Rows of a table and what each weighs. Two lists, because a pair of weights is one operand. Requires: as many of the
// one as of the other, an even number.
struct WeightedRows {
  std::span<const std::uint16_t> rows;
  std::span<const std::int16_t> weights;
};

// sums[c] = sum over rows of weight * table[row * columns + c] for each of the kColumnGroup * groups columns. `table`
// is aligned to kTableAlignment. Requires: 1 <= groups <= kMaxColumnGroups.
using ScoreKernel = void (*)(const std::int16_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums);

ScoreKernel score_kernel(Simd simd);  // Requires: one of available_simd()

}  // namespace spidd
