// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Computation of the tables: logarithms here, so that matching needs none.
#include "userspace/spid/score_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace spidd {
namespace {

constexpr double kUniformShare = 0.1;  // of the background; no bin is impossible
constexpr MeterMask kAllMeters = (MeterMask{1} << kMeterCount) - 1;

std::uint8_t to_table_value(double bits) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(bits * kStepsPerBit), 0L, long{kMaxTableValue}));
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

ScoreBlock::ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background, MeterMask scored)
    : groups_(static_cast<unsigned>((models.size() + kColumnGroup - 1) / kColumnGroup)),
      unseen_(kMeterCount * columns()),
      all_unseen_(columns()) {
  table_.reset(new (std::align_val_t(kTableAlignment)) std::uint8_t[std::size_t{kRowCount} * columns()]());
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const unsigned first_row = meter * kBinsPerMeter;
    for (std::size_t column = 0; column < models.size(); ++column) {
      const ProtocolModel& model = *models[column];
      if (model.measurements[meter] == 0 || (scored >> meter & 1) == 0) continue;
      // Above a bin that was never seen, in bits. Where the table does not hold them all, the lowest are raised.
      std::array<double, kBinsPerMeter> above;
      for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
        const double count = model.counters[first_row + bin];
        above[bin] = count == 0 ? 0 : std::log2(count / background[first_row + bin] / kSmoothing + 1);
      }
      const double lowest = std::max(0.0, std::ranges::max(above) - double{kMaxTableValue} / kStepsPerBit);
      for (unsigned bin = 0; bin < kBinsPerMeter; ++bin)
        table_[(first_row + bin) * columns() + column] = to_table_value(above[bin] - lowest);
      const double never_seen = -std::log2(static_cast<double>(model.measurements[meter]) / kSmoothing + 1);
      const auto unseen = static_cast<std::int32_t>(std::lround((never_seen + lowest) * kStepsPerBit * kWeightOne));
      unseen_[meter * columns() + column] = unseen;
      all_unseen_[column] += unseen;
    }
  }
}

void ScoreBlock::add_up(const FlowRows& flow, Simd simd, std::int32_t* sums) const {
  std::ranges::copy(all_unseen_, sums);
  // Flows mostly have most meters. The number of columns is a local, or every sum might change it.
  const std::size_t count = columns();
  for (MeterMask without = ~flow.meters() & kAllMeters; without != 0; without &= without - 1) {
    const std::int32_t* unseen = &unseen_[static_cast<std::size_t>(std::countr_zero(without)) * count];
    for (std::size_t column = 0; column < count; ++column) sums[column] -= unseen[column];
  }
  score_kernel(simd)(table_.get(), groups_, flow.rows(), sums);
}

MeterMask measured_meters(const ProtocolModel& model) {
  MeterMask mask = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (model.measurements[meter] != 0) mask |= MeterMask{1} << meter;
  }
  return mask;
}

}  // namespace spidd
