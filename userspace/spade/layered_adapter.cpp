// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/layered_adapter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "userspace/spade/mean_adapter.h"

namespace spidd {
namespace {

constexpr std::uint64_t kMostWindows = 1'000'000;  // of any layer, and more
constexpr double kGuessedAnHour = 1e7;             // scores, before a period was measured

double seconds_of(const LayeredAdapter& settings) { return settings.period_minutes * 60; }

double mean_of(const std::deque<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void push(std::deque<double>& ring, double value, std::size_t limit) {
  ring.push_back(value);
  if (ring.size() > limit) ring.pop_front();
}

LayeredAdapter with_windows(LayeredAdapter settings) {
  settings.short_windows = std::max(settings.short_windows, 1U);
  settings.medium_windows = std::max(settings.medium_windows, 1U);
  settings.long_windows = std::max(settings.long_windows, 1U);
  return settings;
}

void save_ring(const std::deque<double>& ring, std::vector<double>& numbers) {
  numbers.push_back(static_cast<double>(ring.size()));
  numbers.insert(numbers.end(), ring.begin(), ring.end());
}

}  // namespace

LayeredThreshold::LayeredThreshold(LayeredAdapter settings, SpadeProfile profile)
    : AdapterBase(seconds_of(settings), true, profile,
                  alerts_a_period(settings.target, seconds_of(settings), kGuessedAnHour * seconds_of(settings) / 3600)),
      settings_(with_windows(std::move(settings))) {}

std::uint64_t LayeredThreshold::wished_of(double scored) const {
  return alerts_a_period(settings_.target, seconds_of(settings_), scored);
}

double LayeredThreshold::adapt(const TopScores& window, double /*current*/) {
  recent_.push_back(window);
  if (recent_.size() > settings_.short_windows) recent_.pop_front();
  RankedScores ranked;
  for (const TopScores& scores : recent_) ranked.add(scores);
  const double recent = ranked.ideal(wished());

  // The first window counts as the end of a group: that is how the original comes to its first medium value.
  if (windows_ == 0) {
    push(medium_, recent, settings_.medium_windows);
    medium_pushes_ = (medium_pushes_ + 1) % settings_.medium_windows;
    if (medium_pushes_ == 0) push(long_, mean_of(medium_), settings_.long_windows);
  }
  windows_ = (windows_ + 1) % settings_.short_windows;

  std::deque<double> layers{recent, mean_of(medium_)};
  if (!long_.empty()) layers.push_back(mean_of(long_));
  const double threshold = mean_of(layers);
  return profile() == SpadeProfile::v030125 ? std::trunc(threshold) : threshold;  // D11
}

void LayeredThreshold::save_history(std::vector<double>& numbers) const {
  numbers.push_back(static_cast<double>(windows_));
  numbers.push_back(static_cast<double>(medium_pushes_));
  save_ring(medium_, numbers);
  save_ring(long_, numbers);
  numbers.push_back(static_cast<double>(recent_.size()));
  for (const TopScores& scores : recent_) save_window(scores, numbers);
}

void LayeredThreshold::restore_history(HistoryReader& reader) {
  windows_ = reader.next_count(kMostWindows) % settings_.short_windows;
  medium_pushes_ = reader.next_count(kMostWindows) % settings_.medium_windows;
  medium_ = reader.next_scores(settings_.medium_windows);
  long_ = reader.next_scores(settings_.long_windows);
  const std::uint64_t size = reader.next_count(kMostWindows);
  for (std::uint64_t i = 0; i < size && reader.ok(); ++i) {
    restore_window(reader, recent_.emplace_back(TopScores::kMostKept));
    if (recent_.size() > settings_.short_windows) recent_.pop_front();
  }
}

void LayeredThreshold::forget_history() {
  recent_.clear();
  medium_.clear();
  long_.clear();
  windows_ = 0;
  medium_pushes_ = 0;
}

}  // namespace spidd
