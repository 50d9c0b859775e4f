// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading out the bins of a meter. A flow has about a thousand bins in use in no pattern that a processor could
// predict, so the fast form squeezes the zeros out of eight bins at a time without a branch.
#include "userspace/spid/meter_bins.h"
#include "userspace/spid/x86_intrinsics.h"

namespace spidd {

MeterBins::Flushed MeterBins::flush_scalar(unsigned meter, RowCount* out) {
  RowCount* next = out;
  std::uint32_t sum = 0;
  for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
    if (counts_[bin] == 0) continue;
    *next++ = {static_cast<std::uint16_t>(meter * kBinsPerMeter + bin), counts_[bin]};
    sum += counts_[bin];
  }
  counts_.fill(0);
  return {static_cast<std::size_t>(next - out), sum};
}

#if defined(__x86_64__)
namespace {

// For each set of eight 16-bit lanes: the byte shuffle that moves them to the front, and how many they are.
struct Squeeze {
  alignas(16) std::array<std::array<std::uint8_t, 16>, 256> shuffle{};
  std::array<std::uint8_t, 256> size{};

  constexpr Squeeze() {
    for (unsigned set = 0; set < 256; ++set) {
      for (unsigned lane = 0; lane < 8; ++lane) {
        if ((set >> lane & 1) == 0) continue;
        shuffle[set][2 * size[set]] = static_cast<std::uint8_t>(2 * lane);
        shuffle[set][2 * size[set] + 1] = static_cast<std::uint8_t>(2 * lane + 1);
        ++size[set];
      }
    }
  }
};
constexpr Squeeze kSqueeze;

}  // namespace

__attribute__((target("avx2"))) MeterBins::Flushed MeterBins::flush_avx2(unsigned meter, RowCount* out) {
  constexpr unsigned kLanes = 8;
  constexpr unsigned kBlock = 8;  // vectors that are passed over together when all are empty
  static_assert(sizeof(RowCount) == 4 && kFlushSlack >= kLanes);
  const __m128i one = _mm_set1_epi16(1);
  const __m128i lanes = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
  RowCount* next = out;
  __m128i sums = _mm_setzero_si128();
  auto* counts = reinterpret_cast<__m128i*>(counts_.data());
  for (unsigned block = 0; block < kBinsPerMeter / kLanes; block += kBlock) {
    __m128i any = _mm_load_si128(counts + block);
    for (unsigned i = 1; i < kBlock; ++i) any = _mm_or_si128(any, _mm_load_si128(counts + block + i));
    if (_mm_testz_si128(any, any) != 0) continue;
    for (unsigned i = block; i < block + kBlock; ++i) {
      const __m128i count = _mm_load_si128(counts + i);
      const __m128i unused = _mm_packs_epi16(_mm_cmpeq_epi16(count, _mm_setzero_si128()), _mm_setzero_si128());
      const auto used = static_cast<unsigned>(_mm_movemask_epi8(unused)) ^ 0xff;
      const __m128i shuffle = _mm_load_si128(reinterpret_cast<const __m128i*>(kSqueeze.shuffle[used].data()));
      const __m128i row = _mm_add_epi16(_mm_set1_epi16(static_cast<short>(meter * kBinsPerMeter + i * kLanes)), lanes);
      const __m128i rows = _mm_shuffle_epi8(row, shuffle);
      const __m128i squeezed = _mm_shuffle_epi8(count, shuffle);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(next), _mm_unpacklo_epi16(rows, squeezed));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(next + kLanes / 2), _mm_unpackhi_epi16(rows, squeezed));
      next += kSqueeze.size[used];
      sums = _mm_add_epi32(sums, _mm_madd_epi16(count, one));
      _mm_store_si128(counts + i, _mm_setzero_si128());
    }
  }
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
  return {static_cast<std::size_t>(next - out), static_cast<std::uint32_t>(_mm_cvtsi128_si32(sums))};
}

// Here a single instruction squeezes, so that passing over empty bins would not pay.
__attribute__((target("avx512f,avx512bw,avx512vl,popcnt"))) MeterBins::Flushed MeterBins::flush_avx512(unsigned meter,
                                                                                                       RowCount* out) {
  constexpr unsigned kLanes = 16;
  static_assert(sizeof(RowCount) == sizeof(std::uint32_t) && offsetof(RowCount, count) == 2 && kFlushSlack >= kLanes);
  const __m512i next_rows = _mm512_set1_epi32(kLanes);
  __m512i rows = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(meter * kBinsPerMeter)),
                                  _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  RowCount* next = out;
  __m512i sums = _mm512_setzero_si512();
  auto* counts = reinterpret_cast<__m256i*>(counts_.data());
  for (unsigned i = 0; i < kBinsPerMeter / kLanes; ++i) {
    const __m512i count = _mm512_cvtepu16_epi32(_mm256_load_si256(counts + i));
    const __mmask16 used = _mm512_test_epi32_mask(count, count);
    const __m512i filled = _mm512_add_epi32(rows, _mm512_slli_epi32(count, 16));
    _mm512_storeu_si512(next, _mm512_maskz_compress_epi32(used, filled));
    next += __builtin_popcount(used);
    sums = _mm512_add_epi32(sums, count);
    rows = _mm512_add_epi32(rows, next_rows);
    _mm256_store_si256(counts + i, _mm256_setzero_si256());
  }
  return {static_cast<std::size_t>(next - out), static_cast<std::uint32_t>(_mm512_reduce_add_epi32(sums))};
}
#endif

MeterBins::Flush MeterBins::flush_with(Simd simd) {
#if defined(__x86_64__)
  if (simd == Simd::avx512) return &MeterBins::flush_avx512;
  if (simd == Simd::avx2) return &MeterBins::flush_avx2;
#else
  static_cast<void>(simd);
#endif
  return &MeterBins::flush_scalar;
}

}  // namespace spidd
