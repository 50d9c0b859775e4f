// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is kept of incidents over a restart, and when settings change.
#include <algorithm>
#include <utility>

#include "userspace/spade/incident_state.h"

namespace spidd {

OpenIncidents Incidents::save() const {
  State& s = *state_;
  OpenIncidents saved{s.hash.key(), s.last_id, {}};
  saved.cases.reserve(s.cases.size(State::kOpen) + s.cases.size(State::kPatient));
  for (const unsigned list : {unsigned{State::kPatient}, unsigned{State::kOpen}})
    for (auto slot = s.cases.oldest(list); slot != State::Cases::kNone; slot = s.cases.newer(slot)) {
      s.refresh(s.cases[slot]);
      saved.cases.push_back(s.cases[slot]);
    }
  return saved;
}

void Incidents::restore(OpenIncidents saved) {
  State& s = *state_;
  s.hash.set_key(saved.key);
  s.last_id = std::max(s.last_id, saved.last_id);
  for (IncidentCase& one : saved.cases) {
    const HostKey key{one.incident.host, tag_of(one.incident.side, one.incident.family)};
    if (s.cases.find(key) != State::Cases::kNone) continue;
    while (s.cases.size(State::kOpen) >= s.most_open) s.give_one_up();
    one.answered_before = one.incident.answered;
    one.failed_before = one.incident.failed;
    const auto slot = s.cases.insert(key, State::kOpen);
    s.cases[slot] = std::move(one);
    s.cases[slot].classify(s.is_inside(key.address));
    ++s.counters.resumed;
  }
}

void Incidents::take_over(const Incidents& before) {
  State& s = *state_;
  s.now = before.state_->now;
  s.counters = before.counters();
  restore(before.save());
  s.counters.resumed = before.counters().resumed;
}

}  // namespace spidd
