// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/score_logs.h"

#include <utility>

#include "userspace/spade/probability_table.h"
#include "userspace/spade/score_log.h"

namespace spidd {

namespace {

// What a table is about, without what is in it.
SpadeState outlines(const Spade& spade) {
  SpadeState state = spade.save();
  const std::vector<Spade::TableView> views = spade.tables();
  for (std::size_t i = 0; i < views.size(); ++i) {
    state.tables[i].start_second = views[i].table->start_second();
    state.tables[i].last_scaled_second = views[i].table->last_scaled_second();
  }
  return state;
}

}  // namespace

bool ScoreLogs::ask(Request request) {
  if (requests_.size() >= kMostWaiting) return false;
  requests_.push_back(std::move(request));
  return true;
}

void ScoreLogs::tend(const Spade& spade) {
  if (requests_.empty()) return;
  if (making_.valid() && making_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  if (!copy_) {
    const bool whole = is_wanted(spade.settings().statistics);
    std::vector<const ProbabilityTable*> tables;
    if (whole)
      for (const Spade::TableView& view : spade.tables()) tables.push_back(view.table);
    copy_.emplace(outlines(spade), std::move(tables));
  }
  if (copy_->take_slice()) make(spade);
}

void ScoreLogs::make(const Spade& spade) {
  const StatisticsSettings wanted = spade.settings().statistics;
  const bool tables = requests_.front().every_table || is_wanted(wanted);
  making_ = std::async(std::launch::async, [text = score_log(spade.statistics(), spade.advisers()),
                                            copy = std::move(*copy_), request = std::move(requests_.front()), wanted,
                                            tables, profile = spade.settings().profile]() mutable {
    const SpadeState state = tables ? std::move(copy).finish() : SpadeState{};
    for (const SpadeState::Table& table : state.tables) text += table_log(table, wanted, profile, request.most_lines);
    request.done(std::move(text));
  });
  copy_.reset();
  requests_.pop_front();
}

void ScoreLogs::finish(const Spade& spade) {
  while (!requests_.empty()) {
    if (making_.valid()) making_.wait();
    tend(spade);
  }
  if (making_.valid()) making_.wait();
}

}  // namespace spidd
