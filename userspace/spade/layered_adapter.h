// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "spade-adapt2": the mean of what met the target recently, over some hours and over some days. Source: spade.md 7.3.
#pragma once

#include <deque>

#include "userspace/spade/adapter_base.h"

namespace spidd {

class LayeredThreshold : public AdapterBase {
 public:
  LayeredThreshold(LayeredAdapter settings, SpadeProfile profile);

 protected:
  std::uint64_t wished_of(double scored) const override;
  double adapt(const TopScores& window, double current) override;
  void save_history(std::vector<double>& numbers) const override;
  void restore_history(HistoryReader& reader) override;
  void forget_history() override;

 private:
  LayeredAdapter settings_;
  std::deque<TopScores> recent_;  // the last short_windows
  std::deque<double> medium_;
  std::deque<double> long_;
  std::uint64_t windows_ = 0;        // modulo short_windows
  std::uint64_t medium_pushes_ = 0;  // modulo medium_windows
};

}  // namespace spidd
