// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "spade-threshadvise": watches a detector for some hours and says which threshold would have given the wished number
// of alerts. Source: spade.md 7.6. One object a detector and setting; not thread-safe. Memory: target + 1 scores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/spade/settings.h"
#include "userspace/spade/threshold_observer.h"
#include "userspace/spade/top_scores.h"

namespace spidd {

class ThresholdAdviser {
 public:
  struct Advice {
    std::uint64_t scores = 0;        // seen in the time
    double hours = 0;                // so far
    bool finished = false;           // the time is over: nothing is added any more
    double threshold = 0;            // mean of the target-th and the next highest; missing ones count as 0
    double runner_up = 0;            // the highest that is not among the top
    std::vector<double> top_scores;  // at most target, ascending
    double alerts_an_hour = 0;       // that the threshold would have given
  };

  explicit ThresholdAdviser(AdviserSettings settings);

  // Every scored packet with enough observations; ignored once finished.
  void add(ScoreValue value, std::uint32_t count, const ScoreClock& clock);
  // On every new packet second, before its packets are scored. True once: the time is over, write the log.
  bool tick(const ScoreClock& clock);

  const AdviserSettings& settings() const { return settings_; }
  Advice advice() const;
  // What the original writes to its log, as of now.
  std::string text() const;

 private:
  AdviserSettings settings_;
  TopScores top_;
  std::optional<std::int64_t> start_;
  std::int64_t last_ = 0;
  std::uint64_t scores_ = 0;
  bool finished_ = false;
};

}  // namespace spidd
