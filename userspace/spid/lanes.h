// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sixteen bytes or eight words that are worked on together: the compiler's vectors of a size that every x86-64 and
// aarch64 processor has. The usual operators work lane by lane; comparisons give all ones or zero. Private to spid/.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spidd {

using ByteLanes __attribute__((vector_size(16))) = std::uint8_t;
using WordLanes __attribute__((vector_size(16))) = std::uint16_t;

using IntLanes __attribute__((vector_size(16))) = std::int32_t;

inline constexpr WordLanes kWordNumbers = {0, 1, 2, 3, 4, 5, 6, 7};
inline constexpr ByteLanes kByteNumbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// `from` need not be aligned. Requires: as many bytes can be read there.
template <class Lanes>
Lanes load_lanes(const void* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

// The first eight bytes as words. Requires: as many can be read.
inline WordLanes widen_lanes(const std::uint8_t* from) {
  using HalfLanes __attribute__((vector_size(8))) = std::uint8_t;
  return __builtin_convertvector(load_lanes<HalfLanes>(from), WordLanes);
}

// Bit i: lane i is all ones, not zero. Requires: each lane is one of these.
inline unsigned bits_of(ByteLanes lanes) {
#if defined(__SSE2__)
  return static_cast<unsigned>(_mm_movemask_epi8(reinterpret_cast<__m128i>(lanes)));
#else
  unsigned bits = 0;
  for (unsigned i = 0; i < 16; ++i) bits |= lanes[i] & 1U << i % 8 ? 1U << i : 0;
  return bits;
#endif
}

// The same of sixteen words; the bits of `low` come first.
inline unsigned bits_of(WordLanes low, WordLanes high) {
#if defined(__SSE2__)
  const __m128i packed = _mm_packs_epi16(reinterpret_cast<__m128i>(low), reinterpret_cast<__m128i>(high));
  return static_cast<unsigned>(_mm_movemask_epi8(packed));
#else
  unsigned bits = 0;
  for (unsigned i = 0; i < 8; ++i) bits |= (low[i] & 1U << i) | (high[i] & 1U << i) << 8;
  return bits;
#endif
}

// Lane i: the products of lanes 2 i and 2 i + 1, added up. Requires: values and weights below 0x8000.
inline IntLanes multiply_pairs(WordLanes values, WordLanes weights) {
#if defined(__SSE2__)
  return reinterpret_cast<IntLanes>(
      _mm_madd_epi16(reinterpret_cast<__m128i>(values), reinterpret_cast<__m128i>(weights)));
#else
  IntLanes sums;
  for (unsigned i = 0; i < 4; ++i) sums[i] = values[2 * i] * weights[2 * i] + values[2 * i + 1] * weights[2 * i + 1];
  return sums;
#endif
}

}  // namespace spidd
