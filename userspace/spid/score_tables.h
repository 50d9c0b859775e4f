// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models turned into tables for matching. Of the log-ratio R of matcher.h the table has, for every model, meter and
// bin, what it is above that of a bin the model never saw, in quarters of a bit; the rest is the same for all bins of a
// meter and kept apart. Rows are bins, columns are models of one transport. Private to spid/.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "userspace/spid/flow_rows.h"
#include "userspace/spid/profile.h"
#include "userspace/spid/protocol_model.h"
#include "userspace/spid/score_kernel.h"

namespace spidd {

inline constexpr int kStepsPerBit = 4;    // resolution of the table; README.md, "Speed", says what it costs
inline constexpr double kSmoothing = 64;  // alpha: so many measurements of the background are mixed into a model

// Neither what rows add up to, with a rounding error of half a unit a measurement, nor the rest (counters have 64 bits)
// overflows.
static_assert(std::int64_t{kMeterCount} * (kWeightOne + FlowRows::kMostMeasurements) *
                  (kMaxTableValue + 64 * kStepsPerBit) <=
              INT32_MAX);

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
  // Other meters than `scored` add nothing. Requires: 1 to kMaxColumnGroups * kColumnGroup models.
  ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background, MeterMask scored);

  static constexpr unsigned kMaxColumns = kMaxColumnGroups * kColumnGroup;
  unsigned columns() const { return groups_ * kColumnGroup; }

  // What the flow gives each column, to be made a score by to_score(). Requires: room for columns() sums; `simd` is one
  // of available_simd().
  void add_up(const FlowRows& flow, Simd simd, std::int32_t* sums) const;

 private:
  struct Deleter {
    void operator()(std::uint8_t* table) const { ::operator delete[](table, std::align_val_t(kTableAlignment)); }
  };

  unsigned groups_;
  std::unique_ptr<std::uint8_t[], Deleter> table_;
  std::vector<std::int32_t> unseen_;      // meter by meter: what a flow gets for whatever bins
  std::vector<std::int32_t> all_unseen_;  // of all meters
};

MeterMask measured_meters(const ProtocolModel& model);

// By which a sum becomes a score: bits per measurement, mean over `meters` meters.
inline float score_unit(unsigned meters) { return 1 / (float{kWeightOne} * kStepsPerBit * static_cast<float>(meters)); }
inline float to_score(std::int32_t sum, float unit) { return static_cast<float>(sum) * unit; }

}  // namespace spidd
