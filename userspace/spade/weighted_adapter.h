// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "spade-adapt": the threshold moves by a weight towards the one that would have met the target. Source: spade.md 7.2.
#pragma once

#include "userspace/spade/adapter_base.h"

namespace spidd {

class WeightedThreshold : public AdapterBase {
 public:
  WeightedThreshold(WeightedAdapter settings, SpadeProfile profile);

 protected:
  std::uint64_t wished_of(double scored) const override;
  double adapt(const TopScores& window, double current) override;
  void save_history(std::vector<double>& numbers) const override;
  void restore_history(HistoryReader& reader) override;
  void forget_history() override {}

 private:
  WeightedAdapter settings_;
};

}  // namespace spidd
