// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/monitor.h"

#include <utility>

namespace spidd {

Result<std::unique_ptr<AnomalyMonitor>> AnomalyMonitor::create(SpadeSettings settings, std::uint64_t seed,
                                                               AnomalySink& sink) {
  std::unique_ptr<AnomalyMonitor> monitor(new AnomalyMonitor(sink));
  if (settings.profile == SpadeProfile::v030125)
    settings.extensions.asset_prior = settings.extensions.quarantine = false;
  const SpadeExtensions extensions = settings.extensions;
  if (extensions.incidents) monitor->incidents_.emplace(extensions, HomeNetwork(settings.home), seed, sink);
  auto spade = Spade::create(std::move(settings), *monitor);
  if (!spade) return tl::unexpected(std::move(spade.error()));
  monitor->spade_.emplace(*std::move(spade));
  if (extensions.incidents) {
    monitor->incidents_->set_exclusion(
        [spade = &*monitor->spade_](const Observation& one) { return spade->is_excluded(one); });
  }
  if (extensions.incidents && extensions.quarantine) {
    monitor->spade_->set_learning_filter(
        [incidents = &*monitor->incidents_](const Observation& one) { return !incidents->in_quarantine(one); });
  }
  return monitor;
}

void AnomalyMonitor::observe(const Observation& observation) {
  if (incidents_) {
    Observation judged = observation;
    judged.time = clock_.time_of(observation.time);
    incidents_->observe(judged);
  }
  spade_->observe(observation);
}

void AnomalyMonitor::advance(Timestamp now) {
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
  return state;
}

Spade::Restored AnomalyMonitor::restore(SpadeState state, Downtime downtime) {
  if (incidents_) incidents_->restore(std::move(state.incidents));
  return spade_->restore(state, downtime);
}

void AnomalyMonitor::alert(const SpadeAlert& alert) {
  sink_.alert(alert);
  if (incidents_) incidents_->alert(alert);
}

void AnomalyMonitor::adjusted(const ThresholdAdjusted& adjustment) { sink_.adjusted(adjustment); }
void AnomalyMonitor::advised(const ThresholdAdviser& adviser) { sink_.advised(adviser); }
void AnomalyMonitor::surveyed(const ScoreSurvey& survey, std::size_t new_rows) { sink_.surveyed(survey, new_rows); }

}  // namespace spidd
