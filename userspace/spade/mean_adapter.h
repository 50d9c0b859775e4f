// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "spade-adapt3": the mean of the thresholds that would have met the target in each of the last windows. Source:
// spade.md 7.4. Its two faults of memory (D12) have no defined result and are not imitated in either profile.
#pragma once

#include <deque>

#include "userspace/spade/adapter_base.h"

namespace spidd {

// Of LayeredAdapter and MeanAdapter: alerts a period for a target that is alerts an hour, or below 1 a share of the
// period's scores. At least 1.
std::uint64_t alerts_a_period(double target, double period_seconds, double scored);

class MeanThreshold : public AdapterBase {
 public:
  MeanThreshold(MeanAdapter settings, SpadeProfile profile);

 protected:
  std::uint64_t wished_of(double scored) const override;
  double adapt(const TopScores& window, double current) override;
  void save_history(std::vector<double>& numbers) const override;
  void restore_history(HistoryReader& reader) override;
  void forget_history() override { ideals_.clear(); }

 private:
  MeanAdapter settings_;
  std::deque<double> ideals_;
};

}  // namespace spidd
