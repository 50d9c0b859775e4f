// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/adviser.h"

#include <fmt/format.h>

#include <algorithm>

namespace spidd {

ThresholdAdviser::ThresholdAdviser(AdviserSettings settings)
    : settings_(std::move(settings)), top_(std::uint64_t{settings_.target} + 1) {}

void ThresholdAdviser::add(ScoreValue value, std::uint32_t count, const ScoreClock& clock) {
  if (finished_) return;
  if (!start_) start_ = clock.second;
  last_ = std::max(last_, clock.second);
  scores_ += count;
  top_.add(value, count);
}

bool ThresholdAdviser::tick(const ScoreClock& clock) {
  if (finished_) return false;
  if (!start_) start_ = clock.second;
  last_ = std::max(last_, clock.second);
  finished_ = last_ - *start_ > std::int64_t{settings_.hours} * 3600;
  return finished_;
}

ThresholdAdviser::Advice ThresholdAdviser::advice() const {
  Advice advice{.scores = scores_, .finished = finished_, .top_scores = {}};
  advice.hours = start_ ? static_cast<double>(last_ - *start_) / 3600 : 0;
  RankedScores ranked;
  ranked.add(top_);
  const std::uint64_t wanted = std::min<std::uint64_t>(settings_.target, TopScores::kMostKept - 1);
  advice.threshold = ranked.ideal(wanted);
  advice.runner_up = ranked.at(wanted + 1).score;
  const std::uint64_t listed = std::min(ranked.size(), wanted);
  for (const TopScores::Entry& entry : ranked.entries())
    for (std::uint64_t i = 0; i < entry.count && advice.top_scores.size() < listed; ++i)
      advice.top_scores.push_back(entry.value.score);
  std::reverse(advice.top_scores.begin(), advice.top_scores.end());
  if (advice.hours > 0) advice.alerts_an_hour = static_cast<double>(listed) / advice.hours;
  return advice;
}

std::string ThresholdAdviser::text() const {
  const Advice found = advice();
  std::string text =
      fmt::format("Threshold learning results (id={}){}: top {} anomaly scores over {:.5f} hours ({} scores)\n",
                  settings_.id, found.finished ? "" : ", so far", found.top_scores.size(), found.hours, found.scores);
  if (found.top_scores.empty()) return text + "  No scores yet.\n";
  text += fmt::format("  Suggested threshold based on observation: {:.6f}\n", found.threshold);
  text += "  Top scores: ";
  for (std::size_t i = 0; i < found.top_scores.size(); ++i)
    text += fmt::format("{}{:.5f}", i == 0 ? "" : ",", found.top_scores[i]);
  text +=
      fmt::format("\n  First runner up is {:.5f}, so use threshold between {:.5f} and {:.5f} for {:.3f} packets/hr\n",
                  found.runner_up, found.runner_up, found.top_scores.front(), found.alerts_an_hour);
  return text;
}

}  // namespace spidd
