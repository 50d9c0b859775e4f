// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inside of Spade: what it consists of and the order of work for a packet (spade.md 4.4).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "userspace/spade/batch_score.h"
#include "userspace/spade/packet_clock.h"
#include "userspace/spade/spade.h"
#include "userspace/spade/table_set.h"
#include "userspace/spade/unanswered_attempts.h"
#include "userspace/spade/wait_queue.h"
#include "userspace/spade/watched_detector.h"

namespace spidd {

struct Spade::State {
  State(SpadeSettings wanted, const Compatibility& profile, std::vector<WatchedDetector> watched, TableSet all_tables,
        SpadeSink& receiver);

  void observe(const Observation& packet);
  void advance(Timestamp now);
  bool is_excluded(const Observation& packet) const;
  void cut_short(std::size_t index);
  void take_over(State& before, Restored& restored);

  // What every packet is compared with, close together.
  struct Masks {
    Conditions scope;
    ResponseScope responses;
  };

  SpadeSettings settings;
  Compatibility compatibility;
  Classifier classifier;
  std::vector<WatchedDetector> detectors;
  std::vector<Masks> masks;
  TableSet tables;
  WaitQueue queue;
  bool detectors_exclude = false;              // one of those that look for scans has lists of its own
  std::optional<UnansweredAttempts> attempts;  // if only answered ones are learned
  Spade::LearningFilter may_learn;
  SpadeSink* sink;
  std::optional<std::int64_t> second;  // of the packet clock
  Timestamp now;
  SpadeStatistics totals;  // of no detector

 private:
  bool is_excluded_of(const WatchedDetector& detector, const Observation& packet) const;
  void judge(const Observation& packet);
  // Everything that waited long enough, or the `most` oldest of each detector; what is left is `overdue_`.
  void new_second(std::int64_t value, std::size_t most);
  void expire_overdue();
  void score(std::size_t index, const Observation& packet);
  void report(std::size_t index, const Observation& packet, const BatchScore& batch);
  bool expire(std::size_t index, std::size_t most);
  void respond(std::size_t index, const Observation& packet, Conditions conditions);
  void resolve(std::size_t index, const WaitingReport& waiting, const Resolution& resolution);
  void learn(const Observation& packet, Conditions conditions);
  void learn_attempt(const Observation& packet, Conditions conditions);
  void record(const Observation& packet, Conditions conditions, TableSet::Kinds kinds);
  ScoreClock clock_of(const WatchedDetector& watched) const;
  bool has_spoken(const WatchedDetector& detector, const WaitingReport& waiting);
  void take_over_detectors(State& before, Restored& restored);
  void take_over_tables(State& before, Restored& restored);
  void take_over_waiting(State& before, std::size_t from, std::size_t to);

  PacketClock clock_;
  bool overdue_ = false;  // reports are due that no packet took along yet
};

}  // namespace spidd
