// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/monitor.h"

#include <utility>

namespace spidd {

Result<std::unique_ptr<AnomalyMonitor>> AnomalyMonitor::create(SpadeSettings settings, std::uint64_t seed,
                                                               AnomalySink& sink) {
  std::unique_ptr<AnomalyMonitor> monitor(new AnomalyMonitor(sink));
  if (settings.profile == SpadeProfile::v030125)
    settings.extensions.asset_prior = settings.extensions.quarantine = settings.extensions.incidents = false;
  const SpadeExtensions extensions = settings.extensions;
  AnomalySink& self = *monitor;
  if (extensions.incidents) monitor->incidents_.emplace(extensions, HomeNetwork(settings.home), seed, self);
  auto spade = Spade::create(std::move(settings), self);
  if (!spade) return tl::unexpected(std::move(spade.error()));
  monitor->spade_.emplace(*std::move(spade));
  monitor->leave_out_what_is_excluded();
  if (extensions.incidents && extensions.quarantine) {
    monitor->spade_->set_learning_filter(
        [incidents = &*monitor->incidents_](const Observation& one) { return !incidents->in_quarantine(one); });
  }
  return monitor;
}

void AnomalyMonitor::leave_out_what_is_excluded() {
  if (incidents_)
    incidents_->set_exclusion([spade = &*spade_](const Observation& one) { return spade->is_excluded(one); });
}

void AnomalyMonitor::observe(const Observation& observation) {
  Observation steady = observation;
  if (spade_->settings().profile != SpadeProfile::v030125) steady.time = time_.of(observation.time, clock_);
  Observation judged = steady;
  judged.time = clock_.time_of(steady.time);
  if (incidents_) incidents_->observe(judged);
  spade_->observe(steady);
}

std::optional<Timestamp> AnomalyMonitor::now() const {
  const auto now = clock_.now();
  return now ? std::optional(time_.dated(*now)) : std::nullopt;
}

void AnomalyMonitor::advance(Timestamp now) {
  now = time_.steady(now);
  clock_.advance(now);
  if (incidents_) incidents_->advance(now);
  spade_->advance(now);
}

void AnomalyMonitor::finish() {
  if (incidents_) incidents_->close_all();
}

SpadeState AnomalyMonitor::save() const {
  SpadeState state = spade_->save();
  if (incidents_) state.incidents = incidents_->save();
  for (IncidentCase& one : state.incidents.cases) one.incident = dated(one.incident);
  return state;
}

Spade::Restored AnomalyMonitor::restore(SpadeState state, Downtime downtime) {
  if (incidents_) incidents_->restore(std::move(state.incidents));
  return spade_->restore(state, downtime);
}

Spade::Restored AnomalyMonitor::take_over(AnomalyMonitor& before) {
  clock_ = before.clock_;
  time_ = before.time_;
  before.cutting_short_ = true;
  const Spade::Restored restored = spade_->take_over(*before.spade_);
  const SpadeSettings& was = before.spade_->settings();
  const SpadeSettings& is = spade_->settings();
  if (incidents_ && before.incidents_) {
    if (was.extensions == is.extensions && was.home == is.home) {
      *incidents_ = std::move(*before.incidents_);
      incidents_->set_sink(*this);
      leave_out_what_is_excluded();
    } else {
      incidents_->take_over(*before.incidents_);
    }
  } else {
    before.finish();
  }
  return restored;
}

void AnomalyMonitor::cut_short() {
  cutting_short_ = true;
  spade_->cut_short();
  cutting_short_ = false;
}

void AnomalyMonitor::alert(const SpadeAlert& alert) {
  if (time_.is_dated()) {
    sink_.alert(alert);
  } else {
    SpadeAlert dated = alert;
    dated.packet.time = time_.dated(alert.packet.time);
    dated.reported = time_.dated(alert.reported);
    sink_.alert(dated);
  }
  if (incidents_ && !cutting_short_) incidents_->alert(alert);
}

void AnomalyMonitor::incident(const Incident& incident, IncidentCause cause, Timestamp now) {
  if (time_.is_dated()) return sink_.incident(incident, cause, now);
  sink_.incident(dated(incident), cause, time_.dated(now));
}

Incident AnomalyMonitor::dated(const Incident& incident) const {
  Incident dated = incident;
  dated.first = time_.dated(incident.first);
  dated.last = time_.dated(incident.last);
  for (IncidentExample& example : dated.examples) example.time = time_.dated(example.time);
  return dated;
}

std::vector<Incident> AnomalyMonitor::open_incidents() const {
  std::vector<Incident> open;
  if (incidents_)
    for (const Incident* incident : incidents_->open()) open.push_back(dated(*incident));
  return open;
}

void AnomalyMonitor::adjusted(const ThresholdAdjusted& adjustment) {
  ThresholdAdjusted dated = adjustment;
  dated.time = time_.dated(adjustment.time);
  sink_.adjusted(dated);
}
void AnomalyMonitor::advised(const ThresholdAdviser& adviser) { sink_.advised(adviser); }
void AnomalyMonitor::surveyed(const ScoreSurvey& survey, std::size_t new_rows) { sink_.surveyed(survey, new_rows); }

}  // namespace spidd
