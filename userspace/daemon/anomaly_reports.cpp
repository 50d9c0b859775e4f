// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_reports.h"

#include <algorithm>

#include "userspace/report/incident_event.h"
#include "userspace/spade/adviser.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/survey.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

ordered_json detector_json(const DetectorStatistics& detector) {
  return {{"id", detector.id},
          {"type", detector_type_name(detector.type)},
          {"activity", detector.activity},
          {"scope", detector.scope},
          {"threshold", detector.threshold},
          {"evaluated", detector.evaluated},
          {"insufficient", detector.insufficient},
          {"anomalous", detector.anomalous},
          {"excluded", detector.excluded},
          {"held_back", detector.held_back},
          {"waited", detector.waited},
          {"cancelled", detector.cancelled},
          {"reported", detector.reported},
          {"recorded", detector.recorded},
          {"remembered", detector.remembered}};
}

ordered_json status_json(const AnomalyWatch& watch) {
  const SpadeStatistics statistics = watch.monitor().spade().statistics();
  ordered_json status = {{"profile", profile_name(watch.monitor().spade().settings().profile)}};
  for (const StatsSection& section : spade_sections(watch))
    for (const auto& [name, value] : section.values) status[section.name][name] = value;
  status["detectors"] = ordered_json::array();
  for (const DetectorStatistics& detector : statistics.detectors)
    status["detectors"].push_back(detector_json(detector));
  return status;
}

ordered_json tables_json(const Spade& spade) {
  ordered_json tables = ordered_json::array();
  for (const Spade::TableView& view : spade.tables()) {
    ordered_json features = ordered_json::array();
    for (const Feature feature : view.table->features()) features.push_back(feature_name(feature));
    const ProbabilityTable::Counters& counters = view.table->counters();
    tables.push_back({{"conditions", view.conditions},
                      {"features", std::move(features)},
                      {"entries", view.table->entries()},
                      {"bytes", view.table->bytes()},
                      {"remembered", view.table->counts({}).at[0]},
                      {"updates", counters.updates},
                      {"forgotten", counters.forgotten},
                      {"evicted", counters.evicted},
                      {"refused", counters.refused}});
  }
  return {{"tables", std::move(tables)}};
}

ordered_json surveys_json(const Spade& spade) {
  ordered_json surveys = ordered_json::array();
  for (const ScoreSurvey* survey : spade.surveys()) {
    std::string text = survey->header();
    for (const ScoreSurvey::Row& row : survey->rows()) text += row.text();
    text += survey->current().text();
    surveys.push_back({{"id", survey->settings().id}, {"text", std::move(text)}});
  }
  return {{"surveys", std::move(surveys)}};
}

ordered_json advice_json(const Spade& spade) {
  ordered_json advisers = ordered_json::array();
  for (const ThresholdAdviser* adviser : spade.advisers()) {
    const ThresholdAdviser::Advice advice = adviser->advice();
    advisers.push_back({{"id", adviser->settings().id},
                        {"finished", advice.finished},
                        {"hours", advice.hours},
                        {"scores", advice.scores},
                        {"threshold", advice.threshold},
                        {"alerts_an_hour", advice.alerts_an_hour},
                        {"text", adviser->text()}});
  }
  return {{"advisers", std::move(advisers)}};
}

ordered_json incidents_json(const AnomalyMonitor& monitor) {
  ordered_json open = ordered_json::array();
  std::string line;
  for (const Incident& incident : monitor.open_incidents()) {
    line.clear();
    IncidentEvent event;
    event.time = incident.last;
    event.incident = &incident;
    append_json(line, event);
    ordered_json& one = open.emplace_back(ordered_json::parse(line));
    one["incident"]["change"] = "open";  // nothing has just happened to it
  }
  return {{"incidents", std::move(open)}};
}

}  // namespace

ordered_json spade_report(const AnomalyWatch& watch, SpadeRequest::Verb verb) {
  const Spade& spade = watch.monitor().spade();
  switch (verb) {
    case SpadeRequest::Verb::status:
      return status_json(watch);
    case SpadeRequest::Verb::tables:
      return tables_json(spade);
    case SpadeRequest::Verb::survey:
      return surveys_json(spade);
    case SpadeRequest::Verb::advise:
      return advice_json(spade);
    case SpadeRequest::Verb::incidents:
      return incidents_json(watch.monitor());
    case SpadeRequest::Verb::stats:
      break;
  }
  return {};
}

ordered_json spade_summary(const AnomalyWatch& watch) {
  const SpadeStatistics statistics = watch.monitor().spade().statistics();
  const AnomalyCounters counters = watch.counters();
  const Incidents* const incidents = watch.monitor().incidents();
  std::uint64_t rare = statistics.anomalous_before;
  std::uint64_t learning = 0;
  for (const DetectorStatistics& detector : statistics.detectors) {
    rare += detector.anomalous;
    if (detector.evaluated == detector.insufficient) ++learning;
  }
  return {{"enabled", true},
          {"observations", counters.observations},
          {"counted", counters.counted},
          {"rare_packets", rare},
          {"detectors", statistics.detectors.size()},
          {"detectors_learning", learning},
          {"table_entries", statistics.table_entries},
          {"table_bytes", statistics.table_bytes},
          {"open_incidents", incidents == nullptr ? 0 : incidents->open().size()},
          {"incidents", incidents == nullptr ? 0 : incidents->counters().opened + incidents->counters().resumed},
          {"checkpoints", counters.checkpoints},
          {"checkpoints_failed", counters.checkpoints_failed}};
}

std::vector<StatsSection> spade_sections(const AnomalyWatch& watch) {
  const SpadeStatistics statistics = watch.monitor().spade().statistics();
  const AnomalyCounters counters = watch.counters();
  std::uint64_t rare = statistics.anomalous_before;
  std::uint64_t held_back = statistics.held_back_before;
  std::uint64_t reported = statistics.reported_before;
  for (const DetectorStatistics& detector : statistics.detectors) {
    rare += detector.anomalous;
    held_back += detector.held_back;
    reported += detector.reported;
  }
  std::vector<StatsSection> sections = {{"spade",
                                         {{"observations", counters.observations},
                                          {"counted", counters.counted},
                                          {"undecodable", counters.undecodable},
                                          {"conversations", counters.conversations},
                                          {"conversations_lost", counters.conversations_lost},
                                          {"known_attempts", counters.known_attempts},
                                          {"attempts_without_room", counters.attempts_without_room},
                                          {"rare_packets", rare},
                                          {"held_back", held_back},
                                          {"reported", reported},
                                          {"clock_outliers", statistics.clock_outliers},
                                          {"updates", statistics.updates},
                                          {"waiting", statistics.waiting},
                                          {"waiting_refused", statistics.waiting_refused},
                                          {"waiting_dropped", statistics.waiting_dropped},
                                          {"waiting_cut_short", statistics.waiting_cut_short},
                                          {"attempts_forgotten", statistics.attempts_forgotten},
                                          {"table_entries", statistics.table_entries},
                                          {"table_bytes", statistics.table_bytes},
                                          {"entries_evicted", statistics.entries_evicted},
                                          {"observations_refused", statistics.observations_refused},
                                          {"entries_without_room", counters.entries_without_room},
                                          {"checkpoints", counters.checkpoints},
                                          {"checkpoints_failed", counters.checkpoints_failed},
                                          {"files_written", counters.files_written},
                                          {"files_lost", counters.files_lost}}}};
  const Incidents* const incidents = watch.monitor().incidents();
  if (incidents == nullptr) return sections;
  const Incidents::Counters sums = incidents->counters();
  sections.push_back({"incidents",
                      {{"open", incidents->open().size()},
                       {"opened", sums.opened},
                       {"resumed", sums.resumed},
                       {"closed", sums.closed},
                       {"given_up", sums.given_up},
                       {"attempts_forgotten", sums.attempts_forgotten},
                       {"sources_forgotten", sums.sources_forgotten},
                       {"quarantined", sums.quarantined},
                       {"contacts_failed", sums.contacts_failed},
                       {"contacts_answered", sums.contacts_answered},
                       {"outage", sums.outage},
                       {"bytes", incidents->bytes()}}});
  return sections;
}

}  // namespace spidd
