// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: reference form, NEON, AVX2 and AVX-512. Measured: rows come in rising order, so that up
// to 64 columns the processor fetches ahead by itself; with more, prefetching gains 5 %.
#include "userspace/spid/score_kernel.h"

#include <algorithm>
#include <cstring>

#include "userspace/spid/x86_intrinsics.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace spidd {
namespace {

void score_rows_scalar(const std::int16_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  const unsigned columns = groups * kColumnGroup;
  std::fill_n(sums, columns, 0);
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const std::int16_t* values = table + std::size_t{rows.rows[i]} * columns;
    for (unsigned column = 0; column < columns; ++column) sums[column] += rows.weights[i] * values[column];
  }
}

#if defined(__x86_64__)
// Two weights as they stand in memory: the operand of multiply-and-add.
std::int32_t weight_pair(const std::int16_t* weights) {
  std::int32_t pair;
  std::memcpy(&pair, weights, sizeof(pair));
  return pair;
}

// Two rows at a time: their 16-bit values are interleaved, so that one multiply-and-add does both. As many columns at
// once as the registers hold.
template <unsigned kGroups>
__attribute__((target("avx2"))) void score_columns_avx2(const std::int16_t* table, unsigned columns,
                                                        const WeightedRows& rows, std::int32_t* sums) {
  constexpr unsigned kLanes = 16;
  constexpr unsigned kVectors = kGroups * kColumnGroup / kLanes;
  __m256i low[kVectors];
  __m256i high[kVectors];
  for (unsigned v = 0; v < kVectors; ++v) low[v] = high[v] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rows.rows.size(); i += 2) {
    const __m256i weights = _mm256_set1_epi32(weight_pair(&rows.weights[i]));
    const auto* one = reinterpret_cast<const __m256i*>(table + std::size_t{rows.rows[i]} * columns);
    const auto* other = reinterpret_cast<const __m256i*>(table + std::size_t{rows.rows[i + 1]} * columns);
    for (unsigned v = 0; v < kVectors; ++v) {
      const __m256i a = _mm256_load_si256(one + v);
      const __m256i b = _mm256_load_si256(other + v);
      low[v] = _mm256_add_epi32(low[v], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights));
      high[v] = _mm256_add_epi32(high[v], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights));
    }
  }
  // Unpacking works within halves of the registers: low has columns 0-3 and 8-11, high has 4-7 and 12-15.
  for (unsigned v = 0; v < kVectors; ++v) {
    auto* out = reinterpret_cast<__m256i*>(sums + v * kLanes);
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(low[v], high[v], 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low[v], high[v], 0x31));
  }
}

void score_rows_avx2(const std::int16_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  const unsigned columns = groups * kColumnGroup;
  unsigned column = 0;
  for (; column + 2 * kColumnGroup <= columns; column += 2 * kColumnGroup)
    score_columns_avx2<2>(table + column, columns, rows, sums + column);
  if (column < columns) score_columns_avx2<1>(table + column, columns, rows, sums + column);
}

// The same with registers of twice the width and twice as many of them, so that all columns are done at once.
template <unsigned kGroups>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void score_columns_avx512(const std::int16_t* table,
                                                                                          const WeightedRows& rows,
                                                                                          std::int32_t* sums) {
  constexpr unsigned kLanes = 32;
  static_assert(kColumnGroup == kLanes);
  constexpr unsigned kColumns = kGroups * kColumnGroup;
  constexpr std::ptrdiff_t kAhead = 8;  // rows, an even number
  __m512i low[kGroups];
  __m512i high[kGroups];
  for (unsigned v = 0; v < kGroups; ++v) low[v] = high[v] = _mm512_setzero_si512();
  const std::uint16_t* row = rows.rows.data();
  const std::uint16_t* end = row + rows.rows.size();
  for (const std::int16_t* weight = rows.weights.data(); row != end; row += 2, weight += 2) {
    const __m512i weights = _mm512_set1_epi32(weight_pair(weight));
    const std::int16_t* one = table + std::size_t{row[0]} * kColumns;
    const std::int16_t* other = table + std::size_t{row[1]} * kColumns;
    if (kGroups > 2 && end - row > kAhead) {
      for (unsigned v = 0; v < kGroups; ++v) {
        _mm_prefetch(reinterpret_cast<const char*>(table + std::size_t{row[kAhead]} * kColumns + v * kLanes),
                     _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(table + std::size_t{row[kAhead + 1]} * kColumns + v * kLanes),
                     _MM_HINT_T0);
      }
    }
    for (unsigned v = 0; v < kGroups; ++v) {
      const __m512i a = _mm512_load_si512(one + v * kLanes);
      const __m512i b = _mm512_load_si512(other + v * kLanes);
      low[v] = _mm512_dpwssd_epi32(low[v], _mm512_unpacklo_epi16(a, b), weights);
      high[v] = _mm512_dpwssd_epi32(high[v], _mm512_unpackhi_epi16(a, b), weights);
    }
  }
  // Unpacking works within quarters of the registers: of eight columns low has the first four, high the others.
  const __m512i front = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i back = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (unsigned v = 0; v < kGroups; ++v) {
    std::int32_t* out = sums + v * kLanes;
    _mm512_storeu_si512(out, _mm512_permutex2var_epi32(low[v], front, high[v]));
    _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi32(low[v], back, high[v]));
  }
}

void score_rows_avx512(const std::int16_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  using Form = void (*)(const std::int16_t*, const WeightedRows&, std::int32_t*);
  static constexpr Form kForms[kMaxColumnGroups] = {
      score_columns_avx512<1>, score_columns_avx512<2>, score_columns_avx512<3>, score_columns_avx512<4>,
      score_columns_avx512<5>, score_columns_avx512<6>, score_columns_avx512<7>, score_columns_avx512<8>};
  kForms[groups - 1](table, rows, sums);
}
#elif defined(__aarch64__)
// A group of columns at a time; sixteen lanes a step would not use more of the registers.
void score_rows_neon(const std::int16_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  constexpr unsigned kLanes = 8;
  constexpr unsigned kVectors = kColumnGroup / kLanes;
  const unsigned columns = groups * kColumnGroup;
  for (unsigned column = 0; column < columns; column += kColumnGroup) {
    int32x4_t low[kVectors];
    int32x4_t high[kVectors];
    for (unsigned v = 0; v < kVectors; ++v) low[v] = high[v] = vdupq_n_s32(0);
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      const std::int16_t* values = table + std::size_t{rows.rows[i]} * columns + column;
      const std::int16_t weight = rows.weights[i];
      for (unsigned v = 0; v < kVectors; ++v) {
        const int16x8_t value = vld1q_s16(values + v * kLanes);
        low[v] = vmlal_n_s16(low[v], vget_low_s16(value), weight);
        high[v] = vmlal_high_n_s16(high[v], value, weight);
      }
    }
    for (unsigned v = 0; v < kVectors; ++v) {
      vst1q_s32(sums + column + v * kLanes, low[v]);
      vst1q_s32(sums + column + v * kLanes + kLanes / 2, high[v]);
    }
  }
}
#endif

}  // namespace

ScoreKernel score_kernel(Simd simd) {
#if defined(__x86_64__)
  if (simd == Simd::avx512) return score_rows_avx512;
  if (simd == Simd::avx2) return score_rows_avx2;
#elif defined(__aarch64__)
  if (simd == Simd::neon) return score_rows_neon;
#else
  static_cast<void>(simd);
#endif
  return score_rows_scalar;
}

}  // namespace spidd
