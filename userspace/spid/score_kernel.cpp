// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: reference form, and AVX2 chosen at run time.
#include "userspace/spid/score_kernel.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spidd {

void score_rows_scalar(const std::int16_t* table, unsigned groups, std::span<const WeightedRow> rows,
                       std::int32_t* sums) {
  const unsigned columns = groups * kColumnGroup;
  std::fill_n(sums, columns, 0);
  for (const WeightedRow row : rows) {
    const std::int16_t* values = table + std::size_t{row.row} * columns;
    for (unsigned column = 0; column < columns; ++column) sums[column] += row.weight * values[column];
  }
}

#if defined(__x86_64__)
namespace {

// Two rows at a time: their 16-bit values are interleaved, so that one multiply-and-add does both.
template <unsigned kGroups>
__attribute__((target("avx2"))) void score_rows_avx2(const std::int16_t* table, std::span<const WeightedRow> rows,
                                                     std::int32_t* sums) {
  constexpr unsigned kColumns = kGroups * kColumnGroup;
  constexpr std::size_t kAhead = 8;  // rows; the table does not fit in the first-level cache
  const auto values_of = [table](WeightedRow row) { return table + std::size_t{row.row} * kColumns; };

  __m256i low[kGroups];
  __m256i high[kGroups];
  for (unsigned group = 0; group < kGroups; ++group) low[group] = high[group] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    const WeightedRow first = rows[i];
    const WeightedRow second = i + 1 < rows.size() ? rows[i + 1] : WeightedRow{first.row, 0};
    if (i + kAhead + 1 < rows.size()) {
      for (std::size_t ahead = i + kAhead; ahead < i + kAhead + 2; ++ahead) {
        for (unsigned column = 0; column < kColumns; column += 32) {
          _mm_prefetch(reinterpret_cast<const char*>(values_of(rows[ahead]) + column), _MM_HINT_T0);
        }
      }
    }
    const __m256i weights = _mm256_set1_epi32(static_cast<std::int32_t>(
        static_cast<std::uint16_t>(first.weight) | std::uint32_t{static_cast<std::uint16_t>(second.weight)} << 16));
    const auto* one = reinterpret_cast<const __m256i*>(values_of(first));
    const auto* other = reinterpret_cast<const __m256i*>(values_of(second));
    for (unsigned group = 0; group < kGroups; ++group) {
      const __m256i a = _mm256_load_si256(one + group);
      const __m256i b = _mm256_load_si256(other + group);
      low[group] = _mm256_add_epi32(low[group], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights));
      high[group] = _mm256_add_epi32(high[group], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights));
    }
  }
  // Unpacking works within halves of the registers: low has columns 0-3 and 8-11, high has 4-7 and 12-15.
  for (unsigned group = 0; group < kGroups; ++group) {
    auto* out = reinterpret_cast<__m256i*>(sums + group * kColumnGroup);
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(low[group], high[group], 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low[group], high[group], 0x31));
  }
}

void score_rows_avx2_any(const std::int16_t* table, unsigned groups, std::span<const WeightedRow> rows,
                         std::int32_t* sums) {
  static_assert(kMaxColumnGroups == 4);
  switch (groups) {
    case 1:
      return score_rows_avx2<1>(table, rows, sums);
    case 2:
      return score_rows_avx2<2>(table, rows, sums);
    case 3:
      return score_rows_avx2<3>(table, rows, sums);
    default:
      return score_rows_avx2<4>(table, rows, sums);
  }
}

}  // namespace

ScoreKernel score_kernel_avx2() { return __builtin_cpu_supports("avx2") ? score_rows_avx2_any : nullptr; }
#else
ScoreKernel score_kernel_avx2() { return nullptr; }
#endif

ScoreKernel best_score_kernel() {
  const ScoreKernel avx2 = score_kernel_avx2();
  return avx2 != nullptr ? avx2 : score_rows_scalar;
}

}  // namespace spidd
