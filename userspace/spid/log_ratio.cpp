// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/log_ratio.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "userspace/spid/score_tables.h"

namespace spidd {

namespace {

// R_mai of matcher.h as log2((C / B + alpha) / (N + alpha)): bins that the counters never saw need no logarithm each.
template <class FlowRows, class FlowMeasurements>
float score_rows(const FlowRows& flow, const FlowMeasurements& measurements, const SparseCounters& counters,
                 std::span<const float> background, bool leave_out) {
  std::array<double, kMeterCount> sum{};
  std::array<double, kMeterCount> total{};
  std::array<double, kMeterCount> unseen{};
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    std::uint64_t known = counters.measurements()[meter];
    if (leave_out) known -= std::min<std::uint64_t>(known, measurements[meter]);
    if (known == 0) continue;
    total[meter] = static_cast<double>(known) + kSmoothing;
    unseen[meter] = std::log2(kSmoothing / total[meter]);
  }
  auto known = counters.rows().begin();
  const auto end = counters.rows().end();
  for (const auto& row : flow) {
    const unsigned meter = row.row / kBinsPerMeter;
    if (total[meter] == 0) continue;
    while (known != end && known->row < row.row) ++known;
    std::uint32_t count = known != end && known->row == row.row ? known->count : 0;
    if (leave_out) count -= std::min<std::uint32_t>(count, row.count);
    const double bits = count == 0
                            ? unseen[meter]
                            : std::log2((count / static_cast<double>(background[row.row]) + kSmoothing) / total[meter]);
    sum[meter] += row.count * bits;
  }
  double score = 0;
  unsigned shared = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (!is_scored(meter) || total[meter] == 0 || measurements[meter] == 0) continue;
    ++shared;
    score += sum[meter] / static_cast<double>(measurements[meter]);
  }
  return shared == 0 ? kNothingShared : static_cast<float>(score / shared);
}

}  // namespace

LogRatioScorer::LogRatioScorer(std::span<const ProtocolModel> models, View view) : background_(kRowCount) {
  const Background background(models, view);
  for (unsigned row = 0; row < kRowCount; ++row) background_[row] = static_cast<float>(background[row]);
}

float LogRatioScorer::score(const Fingerprint& flow, const SparseCounters& counters) const {
  return score_rows(flow.rows, flow.measurements, counters, background_, false);
}

float LogRatioScorer::score_left_out(const Fingerprint& flow, const SparseCounters& counters) const {
  return score_rows(flow.rows, flow.measurements, counters, background_, true);
}

float LogRatioScorer::score(const SparseCounters& flow, const SparseCounters& counters) const {
  return score_rows(flow.rows(), flow.measurements(), counters, background_, false);
}

}  // namespace spidd
