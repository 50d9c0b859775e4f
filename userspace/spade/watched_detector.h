// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A detector at work: its threshold, those who watch its scores, and its numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "userspace/spade/adviser.h"
#include "userspace/spade/alert.h"
#include "userspace/spade/detector.h"
#include "userspace/spade/spade.h"
#include "userspace/spade/survey.h"
#include "userspace/spade/table_set.h"
#include "userspace/spade/threshold_observer.h"
#include "userspace/spade/wait_queue.h"

namespace spidd {

struct WatchedDetector {
  explicit WatchedDetector(Detector plan);

  // Moves the clocks of all who watch, before the packets of a new second.
  void tick(const ScoreClock& clock, Timestamp now, SpadeSink& sink);
  // `count` packets were scored with enough observations.
  void feed(const ScoreValue& value, std::uint32_t count, const ScoreClock& clock);
  // After the packet that was fed: an adapter can be due.
  void after_packet(const ScoreClock& clock, Timestamp now, SpadeSink& sink);
  bool is_watched() const { return adapter != nullptr || !advisers.empty() || !surveys.empty(); }

  // Goes on with what `before` has scored and told, the same as this one would have. Not who watches.
  void take_over(const WatchedDetector& before);

  void report(const WaitingReport& report, PortStatus status, bool waited, Timestamp now, SpadeSink& sink);

  Detector detector;
  TableSet::Index table = 0;
  TableSet::Index second_table = 0;  // probmode 0, a prior, ICMPv6
  ScoreValue threshold;
  std::unique_ptr<ThresholdAdapter> adapter;
  std::vector<ThresholdAdviser> advisers;
  std::vector<ScoreSurvey> surveys;
  DetectorStatistics statistics;  // but for what the table knows

 private:
  void adjust(const std::optional<ScoreValue>& wanted, Timestamp now, SpadeSink& sink);

  std::uint64_t reported_at_adjustment_ = 0;
  std::uint64_t scored_at_adjustment_ = 0;
  SpadeAlert alert_;  // filled anew for each report, so that none is built
};

}  // namespace spidd
