// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/weighted_adapter.h"

namespace spidd {

WeightedThreshold::WeightedThreshold(WeightedAdapter settings, SpadeProfile profile)
    : AdapterBase(settings.period_hours * 3600, settings.by_count, profile, settings.target),
      settings_(std::move(settings)) {}

std::uint64_t WeightedThreshold::wished_of(double /*scored*/) const { return settings_.target; }

double WeightedThreshold::adapt(const TopScores& window, double current) {
  RankedScores ranked;
  ranked.add(window);
  // D10: the original is one rank off.
  const double ideal = ranked.ideal(wished() + (profile() == SpadeProfile::v030125 ? 1 : 0));
  return current < 0 ? ideal : (1 - settings_.new_weight) * current + settings_.new_weight * ideal;
}

void WeightedThreshold::save_history(std::vector<double>& /*numbers*/) const {}

void WeightedThreshold::restore_history(HistoryReader& /*reader*/) {}

}  // namespace spidd
