// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/mean_adapter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace spidd {
namespace {

constexpr double kGuessedAnHour = 1e4;  // scores, before a period was measured

double seconds_of(const MeanAdapter& settings) { return settings.period_minutes * 60; }

}  // namespace

std::uint64_t alerts_a_period(double target, double period_seconds, double scored) {
  const double alerts = target >= 1 ? target * period_seconds / 3600 : target * scored;
  return static_cast<std::uint64_t>(std::clamp(std::round(alerts), 1.0, static_cast<double>(TopScores::kMostKept - 1)));
}

MeanThreshold::MeanThreshold(MeanAdapter settings, SpadeProfile profile)
    : AdapterBase(seconds_of(settings), true, profile,
                  alerts_a_period(settings.target, seconds_of(settings), kGuessedAnHour * seconds_of(settings) / 3600)),
      settings_(std::move(settings)) {}

std::uint64_t MeanThreshold::wished_of(double scored) const {
  return alerts_a_period(settings_.target, seconds_of(settings_), scored);
}

double MeanThreshold::adapt(const TopScores& window, double /*current*/) {
  RankedScores ranked;
  ranked.add(window);
  ideals_.push_back(ranked.ideal(wished()));
  while (ideals_.size() > std::max(settings_.windows, 1U)) ideals_.pop_front();
  return std::accumulate(ideals_.begin(), ideals_.end(), 0.0) / static_cast<double>(ideals_.size());
}

void MeanThreshold::save_history(std::vector<double>& numbers) const {
  numbers.push_back(static_cast<double>(ideals_.size()));
  numbers.insert(numbers.end(), ideals_.begin(), ideals_.end());
}

void MeanThreshold::restore_history(HistoryReader& reader) {
  ideals_ = reader.next_scores(std::max(settings_.windows, 1U));
}

}  // namespace spidd
