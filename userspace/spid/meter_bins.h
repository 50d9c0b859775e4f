// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where a single attribute meter counts: 256 bins, emptied by reading them out, so that a few of these objects serve
// all meters in turn and stay in the first-level cache. Private to spid/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "userspace/spid/attribute_meter.h"
#include "userspace/spid/simd.h"

namespace spidd {

class MeterBins {
 public:
  // Requires: bin < kBinsPerMeter. A bin holds 32767: 511 packets of 64 measurements each.
  void add(unsigned bin, unsigned count = 1) { counts_[bin] = static_cast<std::uint16_t>(counts_[bin] + count); }

  // Adds counts[i] to bin `first` + i. Requires: first + counts.size() <= kBinsPerMeter.
  template <class Count, std::size_t kSize>
  void add_range(unsigned first, const std::array<Count, kSize>& counts) {
    for (std::size_t i = 0; i < kSize; ++i) add(first + static_cast<unsigned>(i), counts[i]);
  }

  struct Flushed {
    std::size_t rows;
    std::uint32_t measurements;
  };
  // Writes the bins in use to `out` as rows of `meter`, in rising order, and empties them. `out` needs room for
  // kBinsPerMeter + kFlushSlack rows: rows behind the last may be overwritten.
  using Flush = Flushed (MeterBins::*)(unsigned meter, RowCount* out);
  static constexpr unsigned kFlushSlack = 16;
  static Flush flush_with(Simd simd);  // Requires: one of available_simd()

 private:
  Flushed flush_scalar(unsigned meter, RowCount* out);
#if defined(__x86_64__)
  Flushed flush_avx2(unsigned meter, RowCount* out);
  Flushed flush_avx512(unsigned meter, RowCount* out);
#endif

  alignas(64) std::array<std::uint16_t, kBinsPerMeter> counts_{};
};

static_assert(kMaxMeasuredPackets * kSnapLength <= 32767);

}  // namespace spidd
