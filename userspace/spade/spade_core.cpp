// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A packet's way: clock, scores, responses, tables. Nothing here allocates, but for a report that has to wait.
#include "userspace/spade/spade_core.h"

#include <limits>

#include "userspace/spade/batch_score.h"
#include "userspace/spade/exclusions.h"

namespace spidd {

namespace {

// After a flood tens of thousands can be due at once: a packet takes so many of each detector with it.
constexpr std::size_t kMostAtOnce = 4096;
constexpr double kEntropyRounding = 1e-9;  // of a sum that is kept up step by step

std::int64_t second_of(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

bool looks_for_scans(const WatchedDetector& detector) {
  return detector.statistics.type == DetectorType::closed_dport || detector.statistics.type == DetectorType::dead_dest;
}

}  // namespace

Spade::State::State(SpadeSettings wanted, const Compatibility& profile, std::vector<WatchedDetector> watched,
                    TableSet all_tables, SpadeSink& receiver)
    : settings(std::move(wanted)),
      compatibility(profile),
      classifier(settings.home, profile),
      detectors(std::move(watched)),
      tables(std::move(all_tables)),
      queue(detectors.size(), settings.max_waiting),
      sink(&receiver) {
  for (const WatchedDetector& d : detectors) {
    masks.push_back({d.detector.scope(), d.detector.responses()});
    if (looks_for_scans(d) && !d.detector.settings().exclusions.empty()) detectors_exclude = true;
  }
  if (settings.extensions.learn_answered_only) attempts.emplace(std::max(settings.max_waiting, 1U));
}

void Spade::State::observe(const Observation& packet) {
  if (packet.count == 0) return;
  const Timestamp time = clock_.time_of(packet.time);
  if (time == packet.time) return judge(packet);
  totals.clock_outliers += packet.count;
  Observation judged = packet;
  judged.time = time;
  judge(judged);
}

bool Spade::State::is_excluded(const Observation& packet) const {
  if (spidd::is_excluded(settings.exclusions, packet)) return true;
  if (!detectors_exclude) return false;
  const Conditions conditions = classifier.conditions(packet);
  bool excluded = false;
  for (std::size_t i = 0; i < detectors.size(); i++) {
    if (!looks_for_scans(detectors[i]) || (conditions & masks[i].scope) != masks[i].scope) continue;
    if (!spidd::is_excluded(detectors[i].detector.settings().exclusions, packet)) return false;
    excluded = true;
  }
  return excluded;
}

bool Spade::State::is_excluded_of(const WatchedDetector& d, const Observation& packet) const {
  return spidd::is_excluded(d.detector.settings().exclusions, packet) ||
         spidd::is_excluded(settings.exclusions, packet);
}

void Spade::State::judge(const Observation& packet) {
  totals.observations += packet.count;
  if (!second || packet.time > now) now = packet.time;
  if (const std::int64_t value = second_of(packet.time); !second || value > *second) {
    new_second(value, kMostAtOnce);
  } else if (overdue_) {
    expire_overdue();
  }

  const Conditions conditions = classifier.conditions(packet);
  const bool scorable = packet.kind == Observation::Kind::packet;
  tables.next_packet();
  for (std::size_t i = 0; i < masks.size(); i++) {
    if (scorable && (conditions & masks[i].scope) == masks[i].scope) score(i, packet);
    if (masks[i].responses.matches(conditions)) respond(i, packet, conditions);
  }
  if (scorable) learn(packet, conditions);
}

void Spade::State::advance(Timestamp time) {
  if (!second) return;
  clock_.advance(time);
  now = std::max(now, time);
  if (const std::int64_t value = second_of(time); value > *second) {
    new_second(value, std::numeric_limits<std::size_t>::max());
  } else if (overdue_) {
    expire_overdue();
  }
}

void Spade::State::new_second(std::int64_t value, std::size_t most) {
  second = value;
  overdue_ = false;
  for (std::size_t i = 0; i < detectors.size(); i++) {
    detectors[i].tick(clock_of(detectors[i]), now, *sink);
    if (expire(i, most)) overdue_ = true;
  }
  tables.advance(value);
}

void Spade::State::expire_overdue() {
  overdue_ = false;
  for (std::size_t i = 0; i < detectors.size(); i++)
    if (expire(i, kMostAtOnce)) overdue_ = true;
}

ScoreClock Spade::State::clock_of(const WatchedDetector& watched) const {
  return {*second, totals.observations, watched.statistics.evaluated - watched.statistics.insufficient};
}

void Spade::State::score(std::size_t index, const Observation& packet) {
  WatchedDetector& d = detectors[index];
  const std::size_t entropy_depth = d.detector.entropy_depth();
  if (entropy_depth > 0 &&
      tables.entropy(d.table, packet, entropy_depth) > d.detector.settings().max_entropy + kEntropyRounding) {
    return;
  }

  const bool apart = d.detector.counts_versions_apart();
  const TableSet::Index table = apart && packet.transport == Transport::icmp6 ? d.second_table : d.table;
  const ProbabilityTable::Counts& first = tables.counts(table, packet);
  const bool both = !apart && d.detector.tables().size() > 1;
  const Detector::Counts counts{&first, both ? &tables.counts(d.second_table, packet) : nullptr};
  DetectorStatistics& statistics = d.statistics;
  statistics.evaluated += packet.count;
  if (!d.is_watched()) {
    // A live host, as nearly all are: no score reaches the threshold.
    if (statistics.type == DetectorType::dead_dest && first.at[1] > 0) {
      statistics.insufficient +=
          packets_missing(d.detector.settings().min_observations, first.at[0], packet.count, false);
      return;
    }
    const BatchScore batch = score_batch(d.detector, counts, packet.count, d.detector.learns_from_scored(), d.threshold,
                                         [](const ScoreValue&, std::uint32_t) {});
    statistics.insufficient += batch.insufficient;
    if (batch.over > 0) report(index, packet, batch);
    return;
  }

  ScoreClock clock = clock_of(d);
  bool fed = false;
  const std::optional<ScoreValue> held = d.adapter != nullptr ? d.adapter->held() : std::nullopt;
  const BatchScore batch = score_batch(d.detector, counts, packet.count, d.detector.learns_from_scored(), d.threshold,
                                       [&](const ScoreValue& value, std::uint32_t count) {
                                         d.feed(value, count, clock);
                                         fed = true;
                                         if (!held || !is_over(value, *held) || is_over(value, d.threshold)) return;
                                         statistics.anomalous += count;
                                         (is_excluded_of(d, packet) ? statistics.excluded : statistics.held_back) +=
                                             count;
                                       });
  statistics.insufficient += batch.insufficient;
  if (batch.over > 0) report(index, packet, batch);
  clock = clock_of(d);
  if (fed) d.after_packet(clock, now, *sink);
}

void Spade::State::report(std::size_t index, const Observation& packet, const BatchScore& batch) {
  WatchedDetector& d = detectors[index];
  d.statistics.anomalous += batch.over;
  if (is_excluded_of(d, packet)) {
    d.statistics.excluded += batch.over;
    return;
  }
  sink->suspected(packet);
  WaitingReport report{packet, batch.top.value.score, batch.top.value.raw_bits, batch.top.base, d.threshold.score};
  report.packet.count = batch.over;
  if (d.detector.waiting() != Detector::Waiting::none) {
    if (queue.add(static_cast<std::uint32_t>(index), *second, report)) {
      d.statistics.waited += batch.over;
      return;
    }
    // What only an answer could confirm would be an alert for each packet of a flood.
    if (!d.detector.timed_out().report) {
      totals.waiting_dropped += batch.over;
      return;
    }
    totals.waiting_refused += batch.over;
  }
  d.report(report, d.detector.first_status(), false, now, *sink);
}

// True if more than that is due.
bool Spade::State::expire(std::size_t index, std::size_t most) {
  const auto number = static_cast<std::uint32_t>(index);
  const Detector& detector = detectors[index].detector;
  const std::int64_t latest = *second - detector.settings().wait_seconds - 1;
  const Resolution resolution = detector.timed_out();
  for (; queue.size(number) > 0; most--) {
    if (most == 0) return true;
    const auto waiting = queue.take_older(number, latest);
    if (!waiting) return false;
    resolve(index, *waiting, resolution);
  }
  return false;
}

void Spade::State::respond(std::size_t index, const Observation& packet, Conditions conditions) {
  WatchedDetector& d = detectors[index];
  d.statistics.responses += packet.count;
  const auto number = static_cast<std::uint32_t>(index);
  if (queue.size(number) == 0) return;
  const WaitingKey key = WaitingKey::answered_by(packet, number);
  const auto resolution = d.detector.answered(key.destination, packet, conditions);
  if (!resolution) return;
  while (const auto waiting = queue.take(key)) resolve(index, *waiting, *resolution);
}

// Meanwhile, to somebody else.
bool Spade::State::has_spoken(const WatchedDetector& d, const WaitingReport& waiting) {
  return d.statistics.type == DetectorType::dead_dest && !compatibility.no_second_look &&
         tables.is_live(d.table, waiting.packet.destination);
}

void Spade::State::resolve(std::size_t index, const WaitingReport& waiting, const Resolution& resolution) {
  WatchedDetector& d = detectors[index];
  if (resolution.report && (resolution.status == PortStatus::open || !has_spoken(d, waiting))) {
    d.report(waiting, resolution.status, true, now, *sink);
  } else {
    d.statistics.cancelled += waiting.packet.count;
  }
}

void Spade::State::cut_short(std::size_t index) {
  WatchedDetector& d = detectors[index];
  const auto number = static_cast<std::uint32_t>(index);
  while (const auto since = queue.oldest(number)) {
    const WaitingReport waiting = *queue.take_older(number, *since);
    totals.waiting_cut_short += waiting.packet.count;
    if (d.detector.timed_out().report && !has_spoken(d, waiting))
      d.report(waiting, d.detector.first_status(), false, now, *sink);
  }
}

void Spade::State::learn(const Observation& packet, Conditions conditions) {
  if (!attempts && !may_learn) return record(packet, conditions, TableSet::kAll);
  record(packet, conditions, TableSet::kLiveSources);
  constexpr TableSet::Kinds kFiltered = TableSet::kAttempts | TableSet::kMessages;
  const bool learned = tables.is_recorded(conditions, kFiltered);
  if (learned && may_learn && !may_learn(packet)) return;
  if (!attempts) return record(packet, conditions, kFiltered);
  record(packet, conditions, TableSet::kMessages);
  learn_attempt(packet, conditions);
}

// 12.7.1. A count stands for attempts whose answers nobody can tell apart any more; it is of connections that were
// answered before.
void Spade::State::learn_attempt(const Observation& packet, Conditions conditions) {
  if ((conditions & (condition::kSynAck | condition::kUdp)) != 0) {
    if (const auto attempt = attempts->take_answered_by(packet, *second)) {
      if (!may_learn || may_learn(*attempt)) record(*attempt, classifier.conditions(*attempt), TableSet::kAttempts);
      return;
    }
  }
  if (!tables.is_recorded(conditions, TableSet::kAttempts)) return;
  if (packet.count > 1) return record(packet, conditions, TableSet::kAttempts);
  attempts->add(packet, *second);
}

void Spade::State::record(const Observation& packet, Conditions conditions, TableSet::Kinds kinds) {
  totals.updates += std::uint64_t{tables.record(packet, conditions, kinds)} * packet.count;
}

}  // namespace spidd
