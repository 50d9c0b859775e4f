// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long something took, in microseconds, as a histogram of fixed size: 8 buckets per power of two, so that a
// percentile is at most an eighth too high. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "userspace/base/time.h"

namespace spidd {

class LatencyHistogram {
 public:
  // Negative durations count as zero.
  void add(Duration duration) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    const std::uint64_t value = count < 0 ? 0 : static_cast<std::uint64_t>(count);
    ++buckets_[bucket_of(value)];
    ++count_;
    if (value > largest_) largest_ = value;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t largest() const { return largest_; }

  // The value that `share` (0..1) of all values do not exceed; 0 if there are none.
  std::uint64_t percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) return std::min(upper_end(i), largest_);
    }
    return largest_;
  }

 private:
  static constexpr unsigned kFineBits = 3;
  static constexpr std::uint64_t kFine = 1U << kFineBits;
  static constexpr std::size_t kBuckets = (64 - kFineBits) * kFine + kFine;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kFine) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kFineBits - 1;
    return (shift + 1) * kFine + ((value >> shift) - kFine);
  }
  static std::uint64_t upper_end(std::size_t bucket) {
    if (bucket < kFine) return bucket;
    const auto shift = static_cast<unsigned>(bucket / kFine - 1);
    return (((bucket % kFine) + kFine + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace spidd
