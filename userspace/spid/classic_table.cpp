// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/classic_table.h"

#include <algorithm>
#include <cmath>

namespace spidd {
namespace {

constexpr double kUniform = 1.0 / kBinsPerMeter;
constexpr std::uint32_t kSmallCounts = 32;

// c log2 c for c = k + 1/256: what most bins of a flow have is a handful.
const auto kSmallEntropy = [] {
  std::array<double, kSmallCounts> table{};
  for (std::uint32_t count = 0; count < kSmallCounts; ++count)
    table[count] = (count + kUniform) * std::log2(count + kUniform);
  return table;
}();

double weighted_log(std::uint32_t count) {
  return count < kSmallCounts ? kSmallEntropy[count] : (count + kUniform) * std::log2(count + kUniform);
}

}  // namespace

ClassicTable::ClassicTable(const ProtocolModel& model) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    first_[meter] = static_cast<std::uint32_t>(bins_.size());
    const double log_total = std::log2(static_cast<double>(model.measurements[meter]) + kBinsPerMeter);
    log_unseen_[meter] = static_cast<float>(-log_total);
    sum_[meter] = -log_total * kBinsPerMeter;
    for (unsigned row = meter * kBinsPerMeter; row < (meter + 1) * kBinsPerMeter; ++row) {
      if (model.counters[row] == 0) continue;
      const double log_count = std::log2(model.counters[row] + 1.0);
      sum_[meter] += log_count;
      bins_.push_back({static_cast<std::uint16_t>(row), static_cast<float>(log_count - log_total)});
    }
  }
  first_[kMeterCount] = static_cast<std::uint32_t>(bins_.size());
}

// Sum over bins of P (log2 P - log2 Q) with P = (c + 1/256) / m, m = n + 1: the bins that the flow did not hit enter
// through sum_, and log2 m is taken out of the sum because the P add up to 1.
double ClassicTable::divergence(const Fingerprint& flow, std::span<const unsigned> meters) const {
  double total = 0;
  for (const unsigned meter : meters) {
    const double observed = 1.0 + flow.measurements[meter];
    const MeasuredRows::Columns rows = flow.rows.of_meter(meter);
    double entropy = 0;
    double cross = kUniform * sum_[meter];
    auto bin = bins_.begin() + first_[meter];
    const auto end = bins_.begin() + first_[meter + 1];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const unsigned row = meter * kBinsPerMeter + rows.bins[i];
      const unsigned count = rows.count(i);
      while (bin != end && bin->row < row) ++bin;
      entropy += weighted_log(count);
      cross += count * static_cast<double>(bin != end && bin->row == row ? bin->log_share : log_unseen_[meter]);
    }
    entropy += static_cast<double>(kBinsPerMeter - rows.size()) * kSmallEntropy[0];
    total += (entropy - cross) / observed - std::log2(observed);
  }
  return meters.empty() ? 0 : total / static_cast<double>(meters.size());
}

}  // namespace spidd
