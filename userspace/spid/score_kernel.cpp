// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: reference form, and AVX2 or AVX-512 chosen at run time.
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

constexpr std::size_t kAhead = 8;  // rows that are fetched before their turn: the table is larger than the first caches

std::int32_t packed_weights(WeightedRow first, WeightedRow second) {
  return static_cast<std::int32_t>(static_cast<std::uint16_t>(first.weight) |
                                   std::uint32_t{static_cast<std::uint16_t>(second.weight)} << 16);
}

// Fetches the pair of rows that follows row i by kAhead.
template <unsigned kColumns>
inline __attribute__((always_inline)) void fetch_ahead(const std::int16_t* table, std::span<const WeightedRow> rows,
                                                       std::size_t i) {
  if (i + kAhead + 1 >= rows.size()) return;
  for (const WeightedRow row : {rows[i + kAhead], rows[i + kAhead + 1]}) {
    const std::int16_t* values = table + std::size_t{row.row} * kColumns;
    for (unsigned column = 0; column < kColumns; column += 32)
      _mm_prefetch(reinterpret_cast<const char*>(values + column), _MM_HINT_T0);
  }
}

// Two rows at a time: their 16-bit values are interleaved, so that one multiply-and-add does both.
template <unsigned kGroups>
__attribute__((target("avx2"))) void score_rows_avx2(const std::int16_t* table, std::span<const WeightedRow> rows,
                                                     std::int32_t* sums) {
  constexpr unsigned kColumns = kGroups * kColumnGroup;
  const auto values_of = [table](WeightedRow row) { return table + std::size_t{row.row} * kColumns; };

  __m256i low[kGroups];
  __m256i high[kGroups];
  for (unsigned group = 0; group < kGroups; ++group) low[group] = high[group] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    const WeightedRow first = rows[i];
    const WeightedRow second = i + 1 < rows.size() ? rows[i + 1] : WeightedRow{first.row, 0};
    fetch_ahead<kColumns>(table, rows, i);
    const __m256i weights = _mm256_set1_epi32(packed_weights(first, second));
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

// The same with registers of twice the width. Requires: an even number of groups.
template <unsigned kGroups>
__attribute__((target("avx512bw"))) void score_rows_avx512(const std::int16_t* table, std::span<const WeightedRow> rows,
                                                           std::int32_t* sums) {
  constexpr unsigned kColumns = kGroups * kColumnGroup;
  constexpr unsigned kVectors = kGroups / 2;
  const auto values_of = [table](WeightedRow row) { return table + std::size_t{row.row} * kColumns; };

  __m512i low[kVectors];
  __m512i high[kVectors];
  for (unsigned vector = 0; vector < kVectors; ++vector) low[vector] = high[vector] = _mm512_setzero_si512();
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    const WeightedRow first = rows[i];
    const WeightedRow second = i + 1 < rows.size() ? rows[i + 1] : WeightedRow{first.row, 0};
    fetch_ahead<kColumns>(table, rows, i);
    const __m512i weights = _mm512_set1_epi32(packed_weights(first, second));
    for (unsigned vector = 0; vector < kVectors; ++vector) {
      const __m512i a = _mm512_load_si512(values_of(first) + vector * 32);
      const __m512i b = _mm512_load_si512(values_of(second) + vector * 32);
      low[vector] = _mm512_add_epi32(low[vector], _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), weights));
      high[vector] = _mm512_add_epi32(high[vector], _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), weights));
    }
  }
  // Unpacking works within quarters of the registers: of eight columns low has the first four, high the others.
  const __m512i front = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i back = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (unsigned vector = 0; vector < kVectors; ++vector) {
    std::int32_t* out = sums + vector * 32;
    _mm512_storeu_si512(out, _mm512_permutex2var_epi32(low[vector], front, high[vector]));
    _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi32(low[vector], back, high[vector]));
  }
}

void score_rows_avx512_any(const std::int16_t* table, unsigned groups, std::span<const WeightedRow> rows,
                           std::int32_t* sums) {
  switch (groups) {
    case 2:
      return score_rows_avx512<2>(table, rows, sums);
    case 4:
      return score_rows_avx512<4>(table, rows, sums);
    default:
      return score_rows_avx2_any(table, groups, rows, sums);
  }
}

}  // namespace

ScoreKernel score_kernel_avx512() {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx2") ? score_rows_avx512_any : nullptr;
}

ScoreKernel score_kernel_avx2() { return __builtin_cpu_supports("avx2") ? score_rows_avx2_any : nullptr; }
#else
ScoreKernel score_kernel_avx2() { return nullptr; }
ScoreKernel score_kernel_avx512() { return nullptr; }
#endif

ScoreKernel best_score_kernel() {
  for (const ScoreKernel kernel : {score_kernel_avx512(), score_kernel_avx2()})
    if (kernel != nullptr) return kernel;
  return score_rows_scalar;
}

}  // namespace spidd
