// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What happens around a score: who is told of it, and how it is reported.
#include "userspace/spade/watched_detector.h"

#include "userspace/spade/batch_score.h"

namespace spidd {

namespace {

std::uint64_t scored(const DetectorStatistics& statistics) { return statistics.evaluated - statistics.insufficient; }

}  // namespace

WatchedDetector::WatchedDetector(Detector plan)
    : detector(std::move(plan)), threshold{detector.settings().threshold, 0} {
  statistics.id = detector.settings().id;
  statistics.type = detector.settings().type;
  statistics.activity = detector.activity(detector.waiting() != Detector::Waiting::none);
  statistics.scope = detector.scope_text();
  alert_.detector = statistics.id;
  alert_.type = statistics.type;
  alert_.sid = detector.sid();
  alert_.scope = statistics.scope;
}

void WatchedDetector::tick(const ScoreClock& clock, Timestamp now, SpadeSink& sink) {
  if (adapter != nullptr) adjust(adapter->tick(clock, threshold), now, sink);
  for (ThresholdAdviser& adviser : advisers) {
    if (adviser.tick(clock)) sink.advised(adviser);
  }
  for (ScoreSurvey& survey : surveys) {
    if (const std::size_t rows = survey.tick(clock); rows > 0) sink.surveyed(survey, rows);
  }
}

void WatchedDetector::feed(const ScoreValue& value, std::uint32_t count, const ScoreClock& clock) {
  if (adapter != nullptr) adapter->add(value, count, clock);
  for (ThresholdAdviser& adviser : advisers) adviser.add(value, count, clock);
  for (ScoreSurvey& survey : surveys) survey.add(value, count, clock);
}

void WatchedDetector::after_packet(const ScoreClock& clock, Timestamp now, SpadeSink& sink) {
  if (adapter != nullptr) adjust(adapter->after_packet(clock, threshold), now, sink);
}

void WatchedDetector::take_over(const WatchedDetector& before) {
  statistics = before.statistics;
  reported_at_adjustment_ = before.reported_at_adjustment_;
  scored_at_adjustment_ = before.scored_at_adjustment_;
}

void WatchedDetector::adjust(const std::optional<ScoreValue>& wanted, Timestamp now, SpadeSink& sink) {
  if (!wanted) return;
  threshold = *wanted;
  ThresholdAdjusted adjustment{now,
                               statistics.id,
                               threshold.score,
                               statistics.reported - reported_at_adjustment_,
                               scored(statistics) - scored_at_adjustment_,
                               adapter->held().has_value()};
  reported_at_adjustment_ = statistics.reported;
  scored_at_adjustment_ = scored(statistics);
  sink.adjusted(adjustment);
}

void WatchedDetector::report(const WaitingReport& report, PortStatus status, bool waited, Timestamp now,
                             SpadeSink& sink) {
  const ScoreValue value{report.score, report.raw_bits};
  // As many as wished were reported while this one waited.
  if (adapter != nullptr && adapter->held() && !is_over(value, threshold)) {
    statistics.held_back += report.packet.count;
    return;
  }
  statistics.reported += report.packet.count;
  alert_.packet = report.packet;
  alert_.reported = now;
  alert_.score = report.score;
  alert_.raw_bits = report.raw_bits;
  alert_.threshold = report.threshold;
  alert_.base = report.base;
  alert_.status = status;
  alert_.activity = detector.activity(waited);
  sink.alert(alert_);
  if (adapter != nullptr) adjust(adapter->reported(value, report.packet.count, threshold), now, sink);
}

}  // namespace spidd
