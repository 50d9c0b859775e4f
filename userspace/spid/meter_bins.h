// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where a single attribute meter counts: 256 bins, emptied by reading them out. One object serves all meters in turn,
// so that the counters never leave the first-level cache and nothing has to be cleared that was not counted.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "userspace/spid/attribute_meter.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spidd {

class MeterBins {
 public:
  // Requires: bin < kBinsPerMeter. A bin holds 65535: 1023 packets of 64 measurements each.
  void add(unsigned bin, unsigned count = 1) { counts_[bin] = static_cast<std::uint16_t>(counts_[bin] + count); }

  // Appends the bins in use to `out` as rows of `meter`, in rising order, and empties them. `out` needs room for
  // kBinsPerMeter rows. Returns the number appended.
  unsigned flush(unsigned meter, RowCount* out, std::uint32_t& measurements);

 private:
  // One bit for each of the 64 bins from `first` on: set where something was counted.
  std::uint64_t used(unsigned first) const;

  alignas(64) std::array<std::uint16_t, kBinsPerMeter> counts_{};
};

inline std::uint64_t MeterBins::used(unsigned first) const {
  std::uint64_t mask = 0;
#if defined(__SSE2__)
  const __m128i zero = _mm_setzero_si128();
  for (unsigned i = 0; i < 64; i += 16) {
    const auto* counts = reinterpret_cast<const __m128i*>(counts_.data() + first + i);
    const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(counts), zero);
    const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(counts + 1), zero);
    const auto empty = static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    mask |= (empty ^ 0xffff) << i;
  }
#else
  for (unsigned i = 0; i < 64; ++i) mask |= std::uint64_t{counts_[first + i] != 0} << i;
#endif
  return mask;
}

inline unsigned MeterBins::flush(unsigned meter, RowCount* out, std::uint32_t& measurements) {
  RowCount* next = out;
  std::uint32_t sum = 0;
  for (unsigned first = 0; first < kBinsPerMeter; first += 64) {
    std::uint64_t mask = used(first);
    const unsigned base = meter * kBinsPerMeter + first;
    while (mask != 0) {
      const auto bin = static_cast<unsigned>(std::countr_zero(mask));
      mask &= mask - 1;
      const std::uint16_t count = counts_[first + bin];
      *next++ = {static_cast<std::uint16_t>(base + bin), count};
      sum += count;
    }
  }
  if (sum != 0) std::memset(counts_.data(), 0, sizeof(counts_));
  measurements = sum;
  return static_cast<unsigned>(next - out);
}

}  // namespace spidd
