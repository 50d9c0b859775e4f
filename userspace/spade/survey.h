// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "spade-survey": how a detector's scores are distributed, interval by interval. Source: spade.md 7.7. One object a
// detector and setting; not thread-safe. Memory is bounded: percentiles are exact up to kExactScores different scores
// in an interval, beyond that they are off by at most one part in a thousand.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/spade/settings.h"
#include "userspace/spade/threshold_observer.h"

namespace spidd {

// Percentiles of a stream of scores.
class ScoreDistribution {
 public:
  static constexpr std::size_t kExactScores = 16384;

  void add(double score, std::uint64_t count);
  std::uint64_t size() const { return size_; }
  bool exact() const { return bins_.empty(); }

  // The score at rank `rank` of 1..size(), between two ranks interpolated; ranks outside are those of the ends. 0 if
  // there is none.
  double at(double rank) const;

 private:
  double at_whole(std::uint64_t rank) const;
  void fold();

  std::uint64_t size_ = 0;
  double lowest_ = 0;
  double highest_ = 0;
  std::map<double, std::uint64_t> scores_;  // while exact
  std::vector<std::uint64_t> bins_;         // logarithmic, afterwards
};

class ScoreSurvey {
 public:
  static constexpr std::size_t kRowsKept = 1024;

  struct Row {
    std::uint64_t interval = 0;  // from 1
    std::uint64_t count = 0;
    double median = 0;
    double percentile90 = 0;
    double percentile99 = 0;

    std::string text() const;  // the original's line, tab separated, with its end
  };

  ScoreSurvey(SurveySettings settings, SpadeProfile profile);

  void add(ScoreValue value, std::uint32_t count, const ScoreClock& clock);
  // On every new packet second, before its packets are scored: how many rows were added at the end of rows(). Of a gap
  // of more than kRowsKept intervals only the last ones have rows.
  std::size_t tick(const ScoreClock& clock);

  const SurveySettings& settings() const { return settings_; }
  std::string header() const;                            // the first line of the file, with its end
  const std::deque<Row>& rows() const { return rows_; }  // the last kRowsKept
  Row current() const;                                   // of the interval that goes on

 private:
  SurveySettings settings_;
  SpadeProfile profile_;
  ScoreDistribution scores_;
  std::optional<std::int64_t> start_;  // of the interval
  std::uint64_t interval_ = 1;
  std::deque<Row> rows_;
};

}  // namespace spidd
