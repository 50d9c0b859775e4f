// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where a single attribute meter counts: 256 bins, emptied by reading them out. A bin is one byte, so that the bins of
// all meters stay in the first-level cache; what one byte does not hold is carried over. Private to spid/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "userspace/spid/attribute_meter.h"
#include "userspace/spid/lanes.h"
#include "userspace/spid/simd.h"

namespace spidd {

class MeterBins {
 public:
  // Requires: bin < kBinsPerMeter. A bin holds 65535: more than 500 packets of 64 measurements each.
  void add(unsigned bin) {
    if (++counts_[bin] == 0) [[unlikely]]
      carry(bin);
  }

  // Adds counts[i] of each of these to bin `first` + i. Requires: first + kSize <= kBinsPerMeter.
  template <std::size_t kSize>
  void add_ranges(unsigned first, std::span<const std::array<std::uint8_t, kSize>> ranges) {
    constexpr unsigned kLanes = sizeof(ByteLanes);
    static_assert(kSize % kLanes == 0);
    for (unsigned i = 0; i < kSize; i += kLanes) {
      auto sum = load_lanes<ByteLanes>(&counts_[first + i]);
      ByteLanes overflows{};
      for (const auto& counts : ranges) {
        const auto added = load_lanes<ByteLanes>(&counts[i]);
        sum += added;
        overflows |= static_cast<ByteLanes>(sum < added);
      }
      if (bits_of(overflows) == 0) [[likely]]
        std::memcpy(&counts_[first + i], &sum, sizeof(sum));
      else
        for (const auto& counts : ranges) add_and_carry(first + i, std::span(counts).subspan(i, kLanes));
    }
  }
  template <std::size_t kSize>
  void add_range(unsigned first, const std::array<std::uint8_t, kSize>& counts) {
    add_ranges(first, std::span(&counts, 1));
  }

  // For meters that count many bins at a time. No bin may pass 255 here.
  std::uint8_t* bytes() { return counts_.data(); }

 private:
  friend class BinReader;

  void carry(unsigned bin) {
    ++carried_[bin];
    has_carried_ = true;
  }

  void add_and_carry(unsigned first, std::span<const std::uint8_t> counts) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::uint8_t& bin = counts_[first + i];
      bin = static_cast<std::uint8_t>(bin + counts[i]);
      if (bin < counts[i]) carry(static_cast<unsigned>(first + i));
    }
  }

  alignas(64) std::array<std::uint8_t, kBinsPerMeter> counts_{};
  std::array<std::uint8_t, kBinsPerMeter> carried_{};  // times 256
  bool has_carried_ = false;
};

static_assert(kMaxMeasuredPackets * kSnapLength <= 0xffff);

using AllBins = std::array<MeterBins, kMeterCount>;  // by meter

// Reads out the bins of all meters. Holds the memory that it needs.
class BinReader {
 public:
  explicit BinReader(Simd simd);  // Requires: one of available_simd()

  // The bins in use as rows of `out`, and the sum of each meter's counts. Leaves the bins empty.
  void read(AllBins& bins, Fingerprint& out);

 private:
  static constexpr unsigned kSlack = 64;  // what stores of whole vectors may write behind the last row
  using Bytes = std::array<std::uint8_t, kRowCount + kSlack>;
  using Sums = std::array<std::uint32_t, kMeterCount>;

  // In a bin of a meter; times 256.
  struct Carried {
    std::uint8_t meter;
    std::uint8_t bin;
    std::uint8_t count;
    bool alone;
  };
  static constexpr std::size_t kMostCarried = kMeterCount * (kMaxMeasuredPackets * kSnapLength / 256 + 1);

  std::size_t take_carried(AllBins& bins);
  void put_carried(std::size_t carried, std::size_t size, Sums& sums);
  // These return the number of rows. Requires: nothing is carried.
  std::size_t read_scalar(AllBins& bins, Sums& sums);
#if defined(__x86_64__)
  std::size_t read_avx2(AllBins& bins, Sums& sums);
  std::size_t read_avx512(AllBins& bins, Sums& sums);
#endif
  std::size_t (BinReader::*read_)(AllBins& bins, Sums& sums);
  // Of MeasuredRows.
  Bytes bins_;
  Bytes counts_;
  Bytes carried_;
  std::array<std::uint16_t, kMeterCount> sizes_;
  std::array<Carried, kMostCarried> taken_;
};

}  // namespace spidd
