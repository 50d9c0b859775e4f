// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How an engine goes on where another one is that has other settings: what is the same is moved, so that it costs
// nothing; only tables of another size or decay are copied.
#include <algorithm>

#include "userspace/spade/spade_core.h"
#include "userspace/spade/state_file.h"

namespace spidd {

namespace {

// Scores the same packets in the same way; it may report others of them.
bool scores_alike(DetectorSettings a, const DetectorSettings& b) {
  a.threshold = b.threshold;
  a.exclusions = b.exclusions;
  return a == b;
}

// The last counts (settings.h).
const AdapterSettings* adapter_of(const SpadeSettings& settings, const std::string& detector) {
  const auto found = std::find_if(settings.adapters.rbegin(), settings.adapters.rend(),
                                  [&](const AdapterSettings& one) { return adapter_detector(one) == detector; });
  return found == settings.adapters.rend() ? nullptr : &*found;
}

// Those of `before` that are wanted again go on.
template <class Watcher>
void take_over_watchers(std::vector<Watcher>& mine, std::vector<Watcher>& before) {
  for (Watcher& watcher : mine) {
    const auto same =
        std::ranges::find_if(before, [&](const Watcher& one) { return one.settings() == watcher.settings(); });
    if (same == before.end()) continue;
    watcher = std::move(*same);
    before.erase(same);
  }
}

SpadeState::Table copy_of(const TableSet::Table& table) {
  SpadeState state;
  state.tables.push_back({conditions_text(table.recorded), table.table.features(), table.table.decay(), {}, {}, 0, {}});
  SpadeSnapshot snapshot(std::move(state), {&table.table});
  snapshot.take_all();
  return std::move(std::move(snapshot).finish().tables.front());
}

}  // namespace

Spade::Restored Spade::take_over(Spade& before) {
  Restored restored;
  state_->take_over(*before.state_, restored);
  return restored;
}

void Spade::State::take_over(State& before, Restored& restored) {
  take_over_detectors(before, restored);
  second = before.second;
  now = before.now;
  clock_ = before.clock_;
  overdue_ = before.overdue_;
  take_over_tables(before, restored);
  if (!before.attempts) return;
  if (attempts && settings.max_waiting == before.settings.max_waiting)
    attempts = std::move(before.attempts);
  else
    totals.attempts_forgotten += before.attempts->forgotten();
}

void Spade::State::take_over_detectors(State& before, Restored& restored) {
  const bool alike = settings.profile == before.settings.profile && settings.home == before.settings.home &&
                     settings.extensions.asset_prior == before.settings.extensions.asset_prior;
  std::vector<bool> taken(before.detectors.size());
  const auto index_of = [&](const std::string& id) {
    const auto same = std::ranges::find(
        before.detectors, id, [](const WatchedDetector& one) -> const std::string& { return one.statistics.id; });
    return static_cast<std::size_t>(same - before.detectors.begin());
  };
  for (std::size_t i = 0; i < detectors.size(); i++) {
    const std::size_t from = index_of(detectors[i].statistics.id);
    if (from == taken.size() || !alike) continue;
    taken[from] = scores_alike(detectors[i].detector.settings(), before.detectors[from].detector.settings());
    if (taken[from]) take_over_waiting(before, from, i);
  }
  // What is left in its queue. It needs its tables for that.
  for (std::size_t i = 0; i < before.detectors.size(); i++) before.cut_short(i);

  totals = before.totals;
  for (WatchedDetector& mine : detectors) {
    const std::string& id = mine.statistics.id;
    const std::size_t from = index_of(id);
    if (from == taken.size()) continue;
    WatchedDetector& other = before.detectors[from];
    if (taken[from]) {
      mine.take_over(other);
      take_over_watchers(mine.advisers, other.advisers);
      take_over_watchers(mine.surveys, other.surveys);
    }
    if (mine.adapter == nullptr || other.adapter == nullptr) continue;
    if (mine.detector.score_kind() != other.detector.score_kind()) {
      restored.problems.push_back(other_scores(id, other.detector.score_kind(), mine.detector.score_kind()));
      continue;
    }
    const AdapterSettings* const wanted = adapter_of(settings, id);
    const AdapterSettings* const known = adapter_of(before.settings, id);
    if (taken[from] && wanted != nullptr && known != nullptr && *wanted == *known) {
      mine.adapter = std::move(other.adapter);
    } else if (auto done = mine.adapter->restore(other.adapter->save()); !done) {
      restored.problems.push_back(fmt::format("adapter of {}: {}", id, done.error().message));
      continue;
    }
    mine.threshold = other.threshold;
    restored.thresholds++;
  }
  for (std::size_t i = 0; i < taken.size(); i++) {
    if (taken[i]) continue;
    totals.anomalous_before += before.detectors[i].statistics.anomalous;
    totals.held_back_before += before.detectors[i].statistics.held_back;
    totals.reported_before += before.detectors[i].statistics.reported;
  }
}

void Spade::State::take_over_waiting(State& before, std::size_t from, std::size_t to) {
  const auto theirs = static_cast<std::uint32_t>(from);
  while (queue.size() < settings.max_waiting) {
    const auto since = before.queue.oldest(theirs);
    if (!since) return;
    queue.add(static_cast<std::uint32_t>(to), *since, *before.queue.take_older(theirs, *since));
  }
}

void Spade::State::take_over_tables(State& before, Restored& restored) {
  std::vector<TableSet::Table>& theirs = before.tables.tables();
  std::vector<bool> used(theirs.size());
  const auto find = [&](const TableSet::Table& wanted, bool any_decay, bool any_size) -> TableSet::Table* {
    for (std::size_t i = 0; i < theirs.size(); i++) {
      const TableSet::Table& one = theirs[i];
      if (used[i] || one.recorded != wanted.recorded || one.table.features() != wanted.table.features()) continue;
      if (!any_decay && one.table.decay() != wanted.table.decay()) continue;
      if (!any_size && (one.max_entries != wanted.max_entries || one.entropy_depths != wanted.entropy_depths)) continue;
      used[i] = true;
      return &theirs[i];
    }
    return nullptr;
  };
  std::vector<TableSet::Index> others;
  for (TableSet::Index i = 0; i < tables.tables().size(); i++) {
    TableSet::Table& mine = tables.tables()[i];
    TableSet::Table* const same = find(mine, false, false);
    if (same == nullptr) {
      others.push_back(i);
      continue;
    }
    mine.table = std::move(same->table);
    mine.observations = same->observations;
    restored.tables++;
  }
  for (const TableSet::Index i : others) {
    TableSet::Table& mine = tables.tables()[i];
    const TableSet::Table* alike = find(mine, false, true);
    if (alike == nullptr) alike = find(mine, true, true);
    if (alike != nullptr) {
      totals.entries_evicted += alike->table.counters().evicted;
      totals.observations_refused += alike->table.counters().refused;
      mine.observations = alike->observations;
      const SpadeState::Table copy = copy_of(*alike);
      before.tables.clear(static_cast<TableSet::Index>(alike - theirs.data()));
      if (const auto lost = restore_table(copy, Downtime::decayed, mine.table)) {
        restored.tables++;
        restored.entries_without_room += *lost;
      } else {
        restored.problems.push_back(fmt::format("table of \"{}\": {}", copy.conditions, lost.error().message));
        tables.clear(i);
      }
    }
    if (second) tables.tables()[i].table.advance(*second);
  }
  for (std::size_t i = 0; i < theirs.size(); i++) {
    if (used[i]) continue;
    totals.entries_evicted += theirs[i].table.counters().evicted;
    totals.observations_refused += theirs[i].table.counters().refused;
  }
}

}  // namespace spidd
