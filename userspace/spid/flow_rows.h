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
    return {std::span(rows_).first(size_), std::span(count_pairs_).first(size_ / 2),
            std::span(weights_).first(size_ / kRowsTogether)};
  }
  MeterMask meters() const { return meters_; }  // that have measurements

 private:
  static constexpr std::size_t kLanes = 32;  // rows that the vector form takes at a time
  // Of a meter: every bin once, those that count more often than kMaxCount, and a group that is not full.
  static constexpr std::size_t kMostRowsOfMeter =
      (2 * kBinsPerMeter + kMostMeasurements / kMaxCount) / kRowsTogether * kRowsTogether + kRowsTogether;
  static constexpr std::size_t kCapacity = kMeterCount * kMostRowsOfMeter + kLanes;

  void fill(const Fingerprint& flow, unsigned first_meter, unsigned meters, Simd simd);
  std::size_t add_meter(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows,
                        std::uint32_t measurements);
  bool add_small_counts(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows);
  std::size_t add_any_counts(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows,
                             std::uint32_t measurements);
  std::size_t end_meter(std::size_t before, std::size_t size, int weight);
#if defined(__x86_64__)
  void fill_avx512(const Fingerprint& flow, unsigned first_meter, unsigned meters);
#endif

  MeterMask meters_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint16_t, kCapacity> rows_;
  std::array<std::uint32_t, kCapacity / 2> count_pairs_;
  std::array<std::int32_t, kCapacity / kRowsTogether> weights_;
};

}  // namespace spidd
