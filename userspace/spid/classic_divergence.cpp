// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The divergence of the original SPID, exactly, but from the few bins in use instead of all 256: the bins that a flow
// did not hit all have the same probability, so they enter through the sum of the model's logarithms.
#include <algorithm>
#include <cmath>

#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

constexpr double kUniform = 1.0 / kBinsPerMeter;

// Divergence of one meter: sum over bins of P (log2 P - log2 Q) with P = (c + 1/256) / (n + 1) and
// Q = (C + 1) / (N + 256). `rows` are those of the meter.
double meter_divergence(const MeasuredRows::Columns& rows, std::uint32_t measurements, const ProtocolModel& model,
                        unsigned meter) {
  const double observed = 1.0 + measurements;
  const double log_total = std::log2(static_cast<double>(model.measurements[meter]) + kBinsPerMeter);
  const auto log_model = [&](unsigned row) { return std::log2(model.counters[row] + 1.0) - log_total; };

  double all_log_model = 0;
  for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) all_log_model += log_model(meter * kBinsPerMeter + bin);
  const double never = kUniform / observed;
  const auto unused = static_cast<double>(kBinsPerMeter - rows.size());
  double divergence = unused * never * std::log2(never) - never * all_log_model;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const unsigned count = rows.count(i);
    const double share = (count + kUniform) / observed;
    divergence += share * std::log2(share) - count / observed * log_model(meter * kBinsPerMeter + rows.bins[i]);
  }
  return divergence;
}

}  // namespace

double classic_divergence(const Fingerprint& flow, const ProtocolModel& model, std::span<const unsigned> meters) {
  double sum = 0;
  for (const unsigned meter : meters) {
    sum += meter_divergence(flow.rows.of_meter(meter), flow.measurements[meter], model, meter);
  }
  return meters.empty() ? 0 : sum / static_cast<double>(meters.size());
}

}  // namespace spidd
