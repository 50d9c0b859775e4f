// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Computation of the tables: logarithms here, so that matching needs none.
#include "userspace/spid/score_tables.h"

#include <algorithm>
#include <cmath>

namespace spidd {
namespace {

constexpr double kUniformShare = 0.1;  // of the background; no bin is impossible

std::int16_t to_table_value(double bits) {
  return static_cast<std::int16_t>(
      std::clamp(std::lround(bits * kStepsPerBit), -long{kMaxTableValue}, long{kMaxTableValue}));
}

}  // namespace

Background::Background(std::span<const ProtocolModel> models, View view) : share_(kRowCount) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const auto share = std::span(share_).subspan(meter * kBinsPerMeter, kBinsPerMeter);
    unsigned with_meter = 0;
    for (const ProtocolModel& model : models) {
      if (model.measurements[meter] == 0 || model.view != view || model.provisional) continue;
      ++with_meter;
      const double one = 1 / static_cast<double>(model.measurements[meter]);
      for (unsigned bin = 0; bin < kBinsPerMeter; ++bin)
        share[bin] += one * model.counters[meter * kBinsPerMeter + bin];
    }
    const double mean = with_meter == 0 ? 0 : (1 - kUniformShare) / with_meter;
    for (double& bin : share) bin = bin * mean + kUniformShare / kBinsPerMeter;
  }
}

ScoreBlock::ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background)
    : groups_(static_cast<unsigned>((models.size() + kColumnGroup - 1) / kColumnGroup)) {
  const std::size_t columns = groups_ * kColumnGroup;
  table_.reset(new (std::align_val_t(kTableAlignment)) std::int16_t[kRowCount * columns]());
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const unsigned first_row = meter * kBinsPerMeter;
    for (std::size_t column = 0; column < models.size(); ++column) {
      const ProtocolModel& model = *models[column];
      if (model.measurements[meter] == 0 || !is_scored(meter)) continue;
      const double total = static_cast<double>(model.measurements[meter]) + kSmoothing;
      const std::int16_t never_seen = to_table_value(std::log2(kSmoothing / total));
      for (unsigned row = first_row; row < first_row + kBinsPerMeter; ++row) {
        const double count = model.counters[row];
        table_[row * columns + column] =
            count == 0 ? never_seen : to_table_value(std::log2((count / background[row] + kSmoothing) / total));
      }
    }
  }
}

FlowWeights::FlowWeights(const Fingerprint& flow) {
  // Division by multiplication with the reciprocal; exact enough for 16 bits, and the same everywhere.
  constexpr unsigned kShift = 32;
  std::array<std::uint64_t, kMeterCount> reciprocals;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const std::uint64_t measurements = flow.measurements[meter];
    reciprocals[meter] = measurements == 0 ? 0 : (std::uint64_t{kWeightOne} << kShift) / measurements;
    if (measurements != 0) meters_ |= MeterMask{1} << meter;
  }
  size_ = std::min<std::size_t>(flow.rows.size(), rows_.size());
  WeightedRow* next = rows_.data();
  for (const RowCount row : std::span(flow.rows).first(size_)) {
    const std::uint64_t weight = row.count * reciprocals[row.row / kBinsPerMeter] + (std::uint64_t{1} << (kShift - 1));
    *next++ = {row.row, static_cast<std::int16_t>(weight >> kShift)};
  }
}

MeterMask measured_meters(const ProtocolModel& model) {
  MeterMask mask = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (model.measurements[meter] != 0 && is_scored(meter)) mask |= MeterMask{1} << meter;
  }
  return mask;
}

float to_score(std::int32_t sum, unsigned meters) {
  return static_cast<float>(sum / (double{kWeightOne} * kStepsPerBit * meters));
}

}  // namespace spidd
