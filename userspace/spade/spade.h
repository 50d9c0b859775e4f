// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE, the Statistical Packet Anomaly Detection Engine of Silicon Defense, built anew from its specification
// (spade.md): observations in, alerts out. One object for all interfaces, because a table that is cut in pieces scores
// differently. The order of work for a packet is that of 4.4.
//
// Not thread-safe. Never asks for the time: the clock is that of the observations, and advance().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/observation.h"
#include "userspace/spade/alert.h"
#include "userspace/spade/settings.h"

namespace spidd {

class ProbabilityTable;
class ScoreSurvey;
class ThresholdAdviser;
struct SpadeState;
enum class Downtime : std::uint8_t;

// One detector's numbers since the start (7.9).
struct DetectorStatistics {
  std::string id;
  DetectorType type = DetectorType::closed_dport;
  std::string activity;
  std::string scope;
  double threshold = 0;
  std::uint64_t evaluated = 0;     // packets in scope, gated ones excepted
  std::uint64_t insufficient = 0;  // of these: not enough observations
  std::uint64_t anomalous = 0;     // over the threshold
  std::uint64_t held_back = 0;     // of these, at once or after a wait: not reported, as its adapter had its number
  std::uint64_t excluded = 0;
  std::uint64_t waited = 0;  // put into the wait queue
  std::uint64_t cancelled = 0;
  std::uint64_t reported = 0;
  std::uint64_t responses = 0;  // checked against the wait queue
  std::uint64_t recorded = 0;
  double remembered = 0;  // decayed N of its table
};

struct SpadeStatistics {
  std::uint64_t observations = 0;    // packets, pseudo-packets of ICMP errors included
  std::uint64_t clock_outliers = 0;  // of these: dated more than a day ahead, judged at the present (packet_clock.h)
  std::uint64_t updates = 0;         // of tables, for each packet
  std::uint64_t waiting = 0;
  std::uint64_t waiting_refused = 0;     // reports that found the wait queue full: reported at once as unconfirmed
  std::uint64_t waiting_dropped = 0;     // the same of detectors that report if there is an answer: not reported
  std::uint64_t waiting_cut_short = 0;   // reports whose wait cut_short() ended
  std::uint64_t attempts_forgotten = 0;  // learn_answered_only: not learned even if answered, for want of room
  std::uint64_t table_entries = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t entries_evicted = 0;
  std::uint64_t observations_refused = 0;  // see ProbabilityTable::Counters::refused
  std::vector<DetectorStatistics> detectors;
  // Of detectors that Spade::take_over() did not find any more.
  std::uint64_t anomalous_before = 0;
  std::uint64_t held_back_before = 0;
  std::uint64_t reported_before = 0;
};

class Spade {
 public:
  // An error names the setting that cannot be: an id twice, an adapter for an unknown detector, ...
  static Result<Spade> create(SpadeSettings settings, SpadeSink& sink);
  Spade(Spade&&) noexcept;
  Spade& operator=(Spade&&) noexcept;
  ~Spade();

  void observe(const Observation& observation);

  // Time passes without packets (live): expires waits, adapts. A clock that goes back is ignored.
  void advance(Timestamp now);

  // Asked after the detectors have judged a packet and before it is recorded: what it says no to does not become
  // normal (12.7.2). Hosts are learned to be alive all the same. None: everything is learned.
  using LearningFilter = std::function<bool(const Observation&)>;
  void set_learning_filter(LearningFilter filter);

  // On the lists of what is not reported: of all detectors; or of each closed-dport and dead-dest that it is in the
  // scope of, if there is one. Then nothing that follows from it is to be reported either.
  bool is_excluded(const Observation& packet) const;

  const SpadeSettings& settings() const;
  SpadeStatistics statistics() const;
  std::vector<const ThresholdAdviser*> advisers() const;
  std::vector<const ScoreSurvey*> surveys() const;

  // Of tables since the start: what checkpoints are counted by. Costs nothing.
  std::uint64_t updates() const;

  // For the state file (state_file.h): thresholds and histories of adapters, and the tables without what is in them, in
  // the order of tables().
  SpadeState save() const;
  // Before the first packet. A table is found again by its packets and features and keeps the decay that is configured
  // now; a threshold only if there is an adapter that can go on with it and the
  // detector's scores are of the same kind.
  struct Restored {
    std::size_t tables = 0;
    std::size_t thresholds = 0;
    std::size_t entries_without_room = 0;
    std::vector<std::string> problems;  // what was not usable, in words; it starts empty
  };
  Restored restore(const SpadeState& state, Downtime downtime);

  // Before the first packet: goes on where `before` is, with other settings. What these leave as it was goes on as if
  // nothing had happened: tables, detectors with their numbers, thresholds, adapters, advisers, surveys and what waits.
  // The rest is as after restore(), but that time does not stand still; what waits for it is cut short, and `before`
  // reports it. `before` is then good for nothing.
  Restored take_over(Spade& before);

  // Nobody will hear the answers: what waits is reported now, as unconfirmed; not what only an answer confirms.
  void cut_short();

  // For the state file and `spidctl spade tables`.
  struct TableView {
    std::string conditions;  // "local dest, syn": whose packets are recorded
    const ProbabilityTable* table = nullptr;
  };
  std::vector<TableView> tables() const;

 private:
  struct State;
  // A problem of Restored.
  static std::string other_scores(std::string_view detector, std::string_view was, std::string_view is);
  explicit Spade(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace spidd
