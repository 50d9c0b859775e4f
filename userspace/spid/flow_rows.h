// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A flow as the score kernel wants it: groups of rows of one meter. Private to spid/.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "userspace/spid/attribute_meter.h"
#include "userspace/spid/profile.h"
#include "userspace/spid/score_kernel.h"

namespace spidd {

inline constexpr int kWeightOne = 16384;  // weights are in units of one part of so many

// Rows of a flow with their counts c_ai and weights 1/n_a. Counts of meters with more than kMostMeasurements
// measurements, which a flow of less than 100 packets does not have, are halved until they have fewer. A row whose
// count is more than kMaxCount stands in the list several times; groups are filled up with row 0, counted 0 times.
class FlowRows {
 public:
  static constexpr unsigned kMostMeasurements = 2047;

  // Requires: `simd` is one of available_simd().
  explicit FlowRows(const Fingerprint& flow, Simd simd = best_simd());
  FlowRows(const Fingerprint& flow, unsigned meter, Simd simd = best_simd());  // of this meter only
  FlowRows(const FlowRows&) = delete;
  FlowRows& operator=(const FlowRows&) = delete;

  WeightedRows rows() const {
    return {std::span(rows_).first(size_), std::span(counts_).first(size_),
            std::span(weights_).first(size_ / kRowsTogether)};
  }
  MeterMask meters() const { return meters_; }  // that have measurements

 private:
  static constexpr std::size_t kLanes = 16;  // entries that the vector form takes at a time
  // Every bin once, those that count more often than kMaxCount, and groups that are not full, two a step.
  static constexpr std::size_t kMostRows =
      kRowCount + kMeterCount * (kMostMeasurements / kMaxCount + 2 * kBinsPerMeter / kLanes * kRowsTogether);
  static constexpr std::size_t kCapacity = kMostRows + 2 * kBinsPerMeter;  // what is written at a time

  using Measurements = std::array<std::uint32_t, kMeterCount>;

  void fill(std::span<const RowCount> rows, const Measurements& measurements, Simd simd);
  void fill_plain(std::span<const RowCount> rows, const Measurements& measurements);
  bool fill_avx512(std::span<const RowCount> rows, const Measurements& measurements);
  std::size_t add(std::size_t size, std::uint16_t row, unsigned count);
  std::size_t end_group(std::size_t first, std::size_t size, int weight);

  MeterMask meters_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint16_t, kCapacity> rows_;
  std::array<std::uint8_t, kCapacity> counts_;
  std::array<std::int16_t, kCapacity / kRowsTogether> weights_;
};

}  // namespace spidd
