// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/spade_run.h"

#include <algorithm>

#include "userspace/report/table.h"
#include "userspace/spade/adviser.h"
#include "userspace/spade/first_contacts.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/score_log.h"
#include "userspace/spade/state_file.h"
#include "userspace/spade/survey.h"

namespace spidd {

namespace {

// Of hashes. Nobody who makes a capture can do more harm with it than slow his own analysis, and two runs are alike.
constexpr std::uint64_t kSeed = 0x5bd1e995;

}  // namespace

Result<std::unique_ptr<SpadeRun>> SpadeRun::create(SpadeSettings settings, AlertFormat format,
                                                   std::shared_ptr<const Policy> policy, Output output) {
  const bool adjustments = settings.adjustments != SpadeDestination::none;
  std::unique_ptr<SpadeRun> run(new SpadeRun(format, adjustments, std::move(policy), std::move(output)));
  auto monitor = AnomalyMonitor::create(std::move(settings), kSeed, *run);
  if (!monitor) return tl::unexpected(monitor.error());
  run->monitor_ = std::move(*monitor);
  return run;
}

Result<std::vector<std::string>> SpadeRun::load_state(const std::string& path) {
  auto read = read_state(path, wall_clock_now());
  if (!read) return tl::unexpected(std::move(read.error()));
  if (!read->damage.empty()) return std::vector<std::string>{read->damage};
  if (!read->found) return std::vector<std::string>{};
  Spade::Restored restored = monitor_->restore(std::move(read->state), Downtime::ignored);
  entries_without_room_ = restored.entries_without_room;
  if (restored.entries_without_room != 0)
    restored.problems.push_back(
        fmt::format("{} entries of {} found no room in the tables", restored.entries_without_room, path));
  return std::move(restored.problems);
}

SpadeState SpadeRun::whole_state() const {
  std::vector<const ProbabilityTable*> tables;
  for (const Spade::TableView& view : monitor_->spade().tables()) tables.push_back(view.table);
  SpadeSnapshot snapshot(monitor_->save(), std::move(tables));
  snapshot.take_all();
  return std::move(snapshot).finish();
}

Result<> SpadeRun::save_state(const std::string& path) const { return write_state(path, whole_state()); }

void SpadeRun::observe(const Observation& observation) { monitor_->observe(observation); }

void SpadeRun::finish() {
  Duration longest = FirstContacts::kTimeout;
  for (const DetectorSettings& detector : monitor_->spade().settings().detectors)
    longest = std::max<Duration>(longest, std::chrono::seconds(detector.wait_seconds));
  // The packet clock has whole seconds.
  if (const auto now = monitor_->now()) monitor_->advance(*now + longest + std::chrono::seconds(2));
  monitor_->finish();
}

template <class Event>
void SpadeRun::print(const Event& event) {
  line_.clear();
  append_alert(line_, format_, event);
  output_(line_);
}

void SpadeRun::alert(const SpadeAlert& alert) { print(alert); }

void SpadeRun::adjusted(const ThresholdAdjusted& adjustment) {
  if (adjustments_) print(adjustment);
}

void SpadeRun::incident(const Incident& incident, IncidentCause cause, Timestamp now) {
  const IncidentDecision decision = decide(incident, *policy_);
  if (decision.action == Action::pass) return;
  if (cause == IncidentCause::closed) ++closed_[incident.kind];
  IncidentEvent event;
  event.time = now;
  event.incident = &incident;
  event.cause = cause;
  event.rule = policy_->name_of(decision.rule);
  event.blocked = decision.action == Action::block && cause != IncidentCause::closed;
  event.would_block = decision.obstacle != IncidentObstacle::none;
  event.reason = obstacle_name(decision.obstacle);
  print(event);
}

StatsSection SpadeRun::counters() const {
  const SpadeStatistics statistics = monitor_->spade().statistics();
  std::uint64_t reported = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t held_back = 0;
  for (const DetectorStatistics& detector : statistics.detectors) {
    reported += detector.reported;
    cancelled += detector.cancelled;
    held_back += detector.held_back;
  }
  return {"spade",
          {{"observations", statistics.observations},
           {"clock_outliers", statistics.clock_outliers},
           {"updates", statistics.updates},
           {"alerts", reported},
           {"cancelled", cancelled},
           {"held_back", held_back},
           {"waiting", statistics.waiting},
           {"waiting_refused", statistics.waiting_refused},
           {"waiting_dropped", statistics.waiting_dropped},
           {"waiting_cut_short", statistics.waiting_cut_short},
           {"attempts_forgotten", statistics.attempts_forgotten},
           {"table_entries", statistics.table_entries},
           {"entries_evicted", statistics.entries_evicted},
           {"observations_refused", statistics.observations_refused},
           {"entries_without_room", entries_without_room_}}};
}

std::string SpadeRun::summary() const {
  const SpadeStatistics statistics = monitor_->spade().statistics();
  Table table({{"DETECTOR"},
               {"ACTIVITY"},
               {"SCOPE"},
               {"THRESHOLD", Align::right},
               {"SCORED", Align::right},
               {"TOO EARLY", Align::right},
               {"OVER", Align::right},
               {"EXCLUDED", Align::right},
               {"HELD BACK", Align::right},
               {"WAITED", Align::right},
               {"CANCELLED", Align::right},
               {"ALERTS", Align::right}});
  for (const DetectorStatistics& detector : statistics.detectors)
    table.add({detector.id, detector.activity, detector.scope, fmt::format("{:.4f}", detector.threshold),
               fmt::to_string(detector.evaluated - detector.insufficient), fmt::to_string(detector.insufficient),
               fmt::to_string(detector.anomalous), fmt::to_string(detector.excluded),
               fmt::to_string(detector.held_back), fmt::to_string(detector.waited), fmt::to_string(detector.cancelled),
               fmt::to_string(detector.reported)});
  std::string text = fmt::format("{}SPADE: {} packets observed, {} remembered counts\n", table.text(),
                                 statistics.observations, statistics.table_entries);
  if (monitor_->incidents() == nullptr) return text;
  std::string kinds;
  for (const auto& [kind, count] : closed_)
    kinds += fmt::format("{}{} {}", kinds.empty() ? ": " : ", ", count, incident_kind_name(kind));
  const Incidents::Counters counters = monitor_->incidents()->counters();
  return text + fmt::format("Incidents: {}{}\n", counters.opened + counters.resumed, kinds);
}

StatsSection SpadeRun::incident_counters() const {
  if (monitor_->incidents() == nullptr) return {};
  const Incidents::Counters counters = monitor_->incidents()->counters();
  return {"incidents",
          {{"opened", counters.opened},
           {"resumed", counters.resumed},
           {"closed", counters.closed},
           {"given_up", counters.given_up},
           {"attempts_forgotten", counters.attempts_forgotten},
           {"sources_forgotten", counters.sources_forgotten},
           {"quarantined", counters.quarantined},
           {"contacts_failed", counters.contacts_failed},
           {"contacts_answered", counters.contacts_answered},
           {"outage", counters.outage}}};
}

std::string SpadeRun::log() const {
  const Spade& spade = monitor_->spade();
  std::string text = score_log(spade.statistics(), spade.advisers());
  if (const StatisticsSettings& wanted = spade.settings().statistics; is_wanted(wanted))
    for (const SpadeState::Table& table : whole_state().tables)
      text += table_log(table, wanted, spade.settings().profile);
  for (const ScoreSurvey* survey : spade.surveys()) {
    text += fmt::format("\nSurvey of {}\n{}", survey->settings().id, survey->header());
    for (const ScoreSurvey::Row& row : survey->rows()) text += row.text();
    text += survey->current().text();
  }
  return text;
}

}  // namespace spidd
