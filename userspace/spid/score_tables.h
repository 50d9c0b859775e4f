// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models turned into tables for matching: for every model, meter and bin the log-ratio R of matcher.h in 1/256 bit.
// Rows are bins, columns are models of one transport. Private to spid/.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "userspace/spid/profile.h"
#include "userspace/spid/protocol_model.h"
#include "userspace/spid/score_kernel.h"

namespace spidd {

inline constexpr int kStepsPerBit = 256;  // resolution of the table
inline constexpr double kSmoothing = 64;  // alpha: so many measurements of the background are mixed into a model

static_assert(std::int64_t{kMeterCount} * (kWeightOne + kBinsPerMeter / 2) * kMaxTableValue <= INT32_MAX);

// Distribution that a measurement of average traffic has, per row, from the confirmed models of one view.
class Background {
 public:
  explicit Background(std::span<const ProtocolModel> models, View view = View::both);

  double operator[](unsigned row) const { return share_[row]; }

 private:
  std::vector<double> share_;
};

// Up to 256 models beside one another, padded with zeros to a multiple of kColumnGroup.
class ScoreBlock {
 public:
  // Rows of other meters than `scored` are zero. Requires: 1 to kMaxColumnGroups * kColumnGroup models.
  ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background, MeterMask scored);

  unsigned groups() const { return groups_; }
  const std::int16_t* table() const { return table_.get(); }
  std::int16_t value(unsigned row, unsigned column) const { return table_[row * groups_ * kColumnGroup + column]; }

 private:
  struct Deleter {
    void operator()(std::int16_t* table) const { ::operator delete[](table, std::align_val_t(kTableAlignment)); }
  };

  unsigned groups_;
  std::unique_ptr<std::int16_t[], Deleter> table_;
};

// Rows of a flow with their weights 1/n_a * c_ai in 1/kWeightOne.
class FlowWeights {
 public:
  explicit FlowWeights(const Fingerprint& flow, Simd simd = best_simd());  // Requires: one of available_simd()

  // Followed by one of no weight where their number is odd.
  WeightedRows rows() const { return {std::span(rows_).first(size_), std::span(weights_).first(size_)}; }
  MeterMask meters() const { return meters_; }  // that have measurements

 private:
  MeterMask meters_ = 0;
  std::size_t size_ = 0;
  // Room for a vector behind the last.
  std::array<std::uint16_t, kRowCount + 32> rows_;
  std::array<std::int16_t, kRowCount + 32> weights_;
};

MeterMask measured_meters(const ProtocolModel& model);

// A sum of the kernel as a score: bits per measurement, mean over `meters` meters.
inline float to_score(std::int32_t sum, unsigned meters) {
  return static_cast<float>(sum / (double{kWeightOne} * kStepsPerBit * meters));
}

}  // namespace spidd
