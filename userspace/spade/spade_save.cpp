// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What Spade keeps over a restart, and how it takes it up again.
#include <algorithm>

#include "userspace/spade/spade_core.h"
#include "userspace/spade/state_file.h"

namespace spidd {

namespace {

constexpr std::string_view kAdapterHistory = "adapter ";  // and the detector's id

// The saved table that has the features and packets of `table`, best with the same decay; each is used once.
const SpadeState::Table* find_saved(const std::vector<SpadeState::Table>& saved, std::vector<bool>& used,
                                    const TableSet::Table& table) {
  const std::string conditions = conditions_text(table.recorded);
  const auto find = [&](bool any_decay) -> const SpadeState::Table* {
    for (std::size_t i = 0; i < saved.size(); i++) {
      if (used[i] || saved[i].conditions != conditions || saved[i].features != table.table.features()) continue;
      if (!any_decay && saved[i].decay != table.table.decay()) continue;
      used[i] = true;
      return &saved[i];
    }
    return nullptr;
  };
  if (const auto* same = find(false); same != nullptr) return same;
  return find(true);
}

}  // namespace

std::string Spade::other_scores(std::string_view id, std::string_view was, std::string_view is) {
  return fmt::format("threshold of {}: its scores were {}, and are {} now", id, was, is);
}

SpadeState Spade::save() const {
  SpadeState saved;
  if (state_->second) saved.second = *state_->second;
  for (const TableSet::Table& table : state_->tables.tables()) {
    SpadeState::Table& entry = saved.tables.emplace_back();
    entry.conditions = conditions_text(table.recorded);
    entry.features = table.table.features();
    entry.decay = table.table.decay();
  }
  for (const WatchedDetector& watched : state_->detectors) {
    if (watched.adapter == nullptr) continue;
    const std::string& id = watched.statistics.id;
    saved.thresholds.push_back({id, watched.threshold, watched.detector.score_kind()});
    saved.histories.push_back({std::string(kAdapterHistory) + id, watched.adapter->save()});
  }
  return saved;
}

Spade::Restored Spade::restore(const SpadeState& saved, Downtime downtime) {
  Restored restored;
  std::vector<bool> used(saved.tables.size());
  auto& tables = state_->tables.tables();
  for (TableSet::Index i = 0; i < tables.size(); i++) {
    const SpadeState::Table* found = find_saved(saved.tables, used, tables[i]);
    if (found == nullptr) continue;
    const auto lost = restore_table(*found, downtime, tables[i].table);
    if (!lost) {
      restored.problems.push_back(fmt::format("table of \"{}\": {}", found->conditions, lost.error().message));
      state_->tables.clear(i);
      continue;
    }
    restored.tables++;
    restored.entries_without_room += *lost;
  }

  for (WatchedDetector& watched : state_->detectors) {
    if (watched.adapter == nullptr) continue;
    const std::string& id = watched.statistics.id;
    const auto threshold = std::ranges::find(saved.thresholds, id, &SpadeState::Threshold::detector);
    const auto history =
        std::ranges::find(saved.histories, std::string(kAdapterHistory) + id, &SpadeState::History::name);
    if (threshold == saved.thresholds.end() || history == saved.histories.end()) continue;
    if (!threshold->scores.empty() && threshold->scores != watched.detector.score_kind()) {
      restored.problems.push_back(other_scores(id, threshold->scores, watched.detector.score_kind()));
      continue;
    }
    if (auto taken = watched.adapter->restore(history->values); !taken) {
      restored.problems.push_back(fmt::format("adapter of {}: {}", id, taken.error().message));
      continue;
    }
    watched.threshold = threshold->value;
    restored.thresholds++;
  }
  return restored;
}

}  // namespace spidd
