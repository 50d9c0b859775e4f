// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inner loop of matching: reference form, NEON, AVX2 and AVX-512.
#include "userspace/spid/score_kernel.h"

#include "userspace/spid/lanes.h"
#include "userspace/spid/x86_intrinsics.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace spidd {
namespace {

// Words of two columns are multiplied as they are, too: what the upper column adds to the sum of the lower is taken out
// at the end of the group, modulo 2^16.
void score_rows_scalar(const std::uint8_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  constexpr std::size_t kStep = sizeof(ByteLanes);
  constexpr unsigned kVectors = 2;  // registers hold no more
  const std::size_t columns = groups * kColumnGroup;
  const WordLanes low_bytes = WordLanes{} + std::uint16_t{0xff};
  for (std::size_t first = 0; first < columns; first += kVectors * kStep) {
    IntLanes sum[kVectors][4] = {};  // of the columns 4 i, 4 i + 1, 4 i + 2, 4 i + 3
    const std::uint16_t* row = rows.rows.data();
    const std::uint32_t* pair = rows.count_pairs.data();
    for (const std::int32_t weight : rows.weights) {
      WordLanes both[kVectors] = {};
      WordLanes odd[kVectors] = {};
      for (unsigned i = 0; i < kRowsTogether; i += 2) {
        const auto counts = reinterpret_cast<WordLanes>(IntLanes{} + static_cast<std::int32_t>(pair[i / 2]));
        const WordLanes count_of[2] = {counts & low_bytes, counts >> 8};
        for (unsigned k = 0; k < 2; ++k) {
          const std::uint8_t* from = table + row[i + k] * columns + first;
          for (unsigned v = 0; v < kVectors; ++v) {
            const auto values = load_lanes<WordLanes>(from + v * kStep);
            both[v] += values * count_of[k];
            odd[v] += (values >> 8) * count_of[k];
          }
        }
      }
      const IntLanes for_low = IntLanes{} + weight;
      const IntLanes for_high = for_low << 16;
      for (unsigned v = 0; v < kVectors; ++v) {
        const WordLanes even = both[v] - (odd[v] << 8);
        sum[v][0] += multiply_pairs(even, reinterpret_cast<WordLanes>(for_low));
        sum[v][1] += multiply_pairs(odd[v], reinterpret_cast<WordLanes>(for_low));
        sum[v][2] += multiply_pairs(even, reinterpret_cast<WordLanes>(for_high));
        sum[v][3] += multiply_pairs(odd[v], reinterpret_cast<WordLanes>(for_high));
      }
      row += kRowsTogether;
      pair += kRowsTogether / 2;
    }
    for (unsigned v = 0; v < kVectors; ++v) {
      for (unsigned i = 0; i < 4; ++i) {
        for (unsigned k = 0; k < 4; ++k) sums[first + v * kStep + 4 * i + k] += sum[v][k][i];
      }
    }
  }
}

#if defined(__x86_64__)
// Interleaving works within quarters of registers: of 16 columns, the first two vectors have the even and the odd ones
// of the lower eight, the others those of the upper eight.
template <unsigned kLanes>
void add_columns(const std::int32_t (&lanes)[4][kLanes], std::int32_t* sums) {
  for (unsigned i = 0; i < kLanes; ++i) {
    for (unsigned k = 0; k < 4; ++k) sums[i / 4 * 16 + k / 2 * 8 + i % 4 * 2 + k % 2] += lanes[k][i];
  }
}

// Half a group of columns at a time: registers hold no more.
__attribute__((target("avx2"))) void score_rows_avx2(const std::uint8_t* table, unsigned groups,
                                                     const WeightedRows& rows, std::int32_t* sums) {
  constexpr std::size_t kStep = sizeof(__m256i);
  const std::size_t columns = groups * kColumnGroup;
  for (std::size_t first = 0; first < columns; first += 2 * kStep) {
    __m256i sum[2][4];
    for (auto& half : sum)
      for (__m256i& lanes : half) lanes = _mm256_setzero_si256();
    const std::uint16_t* row = rows.rows.data();
    const std::uint32_t* pair = rows.count_pairs.data();
    for (const std::int32_t weight : rows.weights) {
      const __m256i counts_ab = _mm256_set1_epi32(static_cast<int>(pair[0]));
      const __m256i counts_cd = _mm256_set1_epi32(static_cast<int>(pair[1]));
      const __m256i for_low = _mm256_set1_epi32(weight);
      const __m256i for_high = _mm256_slli_epi32(for_low, 16);
      for (unsigned half = 0; half < 2; ++half) {
        const std::uint8_t* from = table + first + half * kStep;
        const auto load = [&](unsigned i) __attribute__((target("avx2"))) {
          return _mm256_load_si256(reinterpret_cast<const __m256i*>(from + row[i] * columns));
        };
        const __m256i a = load(0);
        const __m256i b = load(1);
        const __m256i c = load(2);
        const __m256i d = load(3);
        const __m256i low = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), counts_ab),
                                             _mm256_maddubs_epi16(_mm256_unpacklo_epi8(c, d), counts_cd));
        const __m256i high = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), counts_ab),
                                              _mm256_maddubs_epi16(_mm256_unpackhi_epi8(c, d), counts_cd));
        sum[half][0] = _mm256_add_epi32(sum[half][0], _mm256_madd_epi16(low, for_low));
        sum[half][1] = _mm256_add_epi32(sum[half][1], _mm256_madd_epi16(low, for_high));
        sum[half][2] = _mm256_add_epi32(sum[half][2], _mm256_madd_epi16(high, for_low));
        sum[half][3] = _mm256_add_epi32(sum[half][3], _mm256_madd_epi16(high, for_high));
      }
      row += kRowsTogether;
      pair += kRowsTogether / 2;
    }
    for (unsigned half = 0; half < 2; ++half) {
      alignas(kStep) std::int32_t lanes[4][kStep / sizeof(std::int32_t)];
      for (unsigned k = 0; k < 4; ++k) _mm256_store_si256(reinterpret_cast<__m256i*>(lanes[k]), sum[half][k]);
      add_columns(lanes, sums + first + half * kStep);
    }
  }
}

// The same with registers of twice the width and twice as many of them, so that all columns are done at once. More
// lines than two a row are fetched a group ahead.
template <unsigned kGroups>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void score_columns_avx512(const std::uint8_t* table,
                                                                                          const WeightedRows& rows,
                                                                                          std::int32_t* sums) {
  static_assert(kColumnGroup == sizeof(__m512i));
  constexpr std::size_t kColumns = kGroups * kColumnGroup;
  __m512i sum[kGroups][4];
  for (auto& group : sum)
    for (__m512i& lanes : group) lanes = _mm512_setzero_si512();
  const std::uint16_t* row = rows.rows.data();
  const std::uint16_t* end = row + rows.rows.size();
  const std::uint32_t* pair = rows.count_pairs.data();
  for (const std::int32_t weight : rows.weights) {
    const __m512i counts_ab = _mm512_set1_epi32(static_cast<int>(pair[0]));
    const __m512i counts_cd = _mm512_set1_epi32(static_cast<int>(pair[1]));
    const __m512i for_low = _mm512_set1_epi32(weight);
    const __m512i for_high = _mm512_slli_epi32(for_low, 16);
    const std::uint8_t* from[kRowsTogether];
    for (unsigned i = 0; i < kRowsTogether; ++i) from[i] = table + row[i] * kColumns;
    pair += kRowsTogether / 2;
    if (row + kRowsTogether != end) row += kRowsTogether;
    if (kGroups > 2) {
      for (unsigned i = 0; i < kRowsTogether; ++i) {
        for (unsigned group = 0; group < kGroups; ++group)
          _mm_prefetch(reinterpret_cast<const char*>(table + row[i] * kColumns + group * kColumnGroup), _MM_HINT_T0);
      }
    }
    for (unsigned group = 0; group < kGroups; ++group) {
      const __m512i a = _mm512_load_si512(from[0] + group * kColumnGroup);
      const __m512i b = _mm512_load_si512(from[1] + group * kColumnGroup);
      const __m512i c = _mm512_load_si512(from[2] + group * kColumnGroup);
      const __m512i d = _mm512_load_si512(from[3] + group * kColumnGroup);
      const __m512i low = _mm512_add_epi16(_mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), counts_ab),
                                           _mm512_maddubs_epi16(_mm512_unpacklo_epi8(c, d), counts_cd));
      const __m512i high = _mm512_add_epi16(_mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), counts_ab),
                                            _mm512_maddubs_epi16(_mm512_unpackhi_epi8(c, d), counts_cd));
      sum[group][0] = _mm512_dpwssd_epi32(sum[group][0], low, for_low);
      sum[group][1] = _mm512_dpwssd_epi32(sum[group][1], low, for_high);
      sum[group][2] = _mm512_dpwssd_epi32(sum[group][2], high, for_low);
      sum[group][3] = _mm512_dpwssd_epi32(sum[group][3], high, for_high);
    }
  }
  for (unsigned group = 0; group < kGroups; ++group) {
    // Quarter i of vector k has columns 16 i + 4 k and the next three.
    const __m512i quarters[4] = {
        _mm512_unpacklo_epi32(sum[group][0], sum[group][1]), _mm512_unpackhi_epi32(sum[group][0], sum[group][1]),
        _mm512_unpacklo_epi32(sum[group][2], sum[group][3]), _mm512_unpackhi_epi32(sum[group][2], sum[group][3])};
    const __m512i halves[4] = {
        _mm512_shuffle_i32x4(quarters[0], quarters[1], 0x44), _mm512_shuffle_i32x4(quarters[2], quarters[3], 0x44),
        _mm512_shuffle_i32x4(quarters[0], quarters[1], 0xee), _mm512_shuffle_i32x4(quarters[2], quarters[3], 0xee)};
    std::int32_t* to = sums + group * kColumnGroup;
    for (unsigned i = 0; i < 4; ++i, to += 16) {
      const __m512i lower = halves[i / 2 * 2];
      const __m512i upper = halves[i / 2 * 2 + 1];
      const __m512i columns =
          i % 2 == 0 ? _mm512_shuffle_i32x4(lower, upper, 0x88) : _mm512_shuffle_i32x4(lower, upper, 0xdd);
      _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_loadu_si512(to), columns));
    }
  }
}

void score_rows_avx512(const std::uint8_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  using Form = void (*)(const std::uint8_t*, const WeightedRows&, std::int32_t*);
  static constexpr Form kForms[kMaxColumnGroups] = {score_columns_avx512<1>, score_columns_avx512<2>,
                                                    score_columns_avx512<3>, score_columns_avx512<4>};
  kForms[groups - 1](table, rows, sums);
}
#elif defined(__aarch64__)
// Half a group of columns at a time: registers hold no more.
void score_rows_neon(const std::uint8_t* table, unsigned groups, const WeightedRows& rows, std::int32_t* sums) {
  constexpr std::size_t kStep = sizeof(uint8x16_t);
  constexpr unsigned kVectors = 2;
  const std::size_t columns = groups * kColumnGroup;
  for (std::size_t first = 0; first < columns; first += kVectors * kStep) {
    int32x4_t sum[kVectors][4];
    for (auto& vector : sum)
      for (int32x4_t& lanes : vector) lanes = vdupq_n_s32(0);
    const std::uint16_t* row = rows.rows.data();
    std::size_t next = 0;
    for (const std::int32_t group_weight : rows.weights) {
      const auto weight = static_cast<std::int16_t>(group_weight);
      for (unsigned v = 0; v < kVectors; ++v) {
        const std::uint8_t* from = table + first + v * kStep;
        uint16x8_t low_sum = vdupq_n_u16(0);
        uint16x8_t high_sum = vdupq_n_u16(0);
        for (unsigned i = 0; i < kRowsTogether; ++i) {
          const uint8x16_t bytes = vld1q_u8(from + row[i] * columns);
          const uint8x16_t times = vdupq_n_u8(static_cast<std::uint8_t>(rows.count(next + i)));
          low_sum = vmlal_u8(low_sum, vget_low_u8(bytes), vget_low_u8(times));
          high_sum = vmlal_high_u8(high_sum, bytes, times);
        }
        const int16x8_t low = vreinterpretq_s16_u16(low_sum);
        const int16x8_t high = vreinterpretq_s16_u16(high_sum);
        sum[v][0] = vmlal_n_s16(sum[v][0], vget_low_s16(low), weight);
        sum[v][1] = vmlal_high_n_s16(sum[v][1], low, weight);
        sum[v][2] = vmlal_n_s16(sum[v][2], vget_low_s16(high), weight);
        sum[v][3] = vmlal_high_n_s16(sum[v][3], high, weight);
      }
      row += kRowsTogether;
      next += kRowsTogether;
    }
    for (unsigned v = 0; v < kVectors; ++v) {
      for (unsigned k = 0; k < 4; ++k) {
        std::int32_t* out = sums + first + v * kStep + 4 * k;
        vst1q_s32(out, vaddq_s32(vld1q_s32(out), sum[v][k]));
      }
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
