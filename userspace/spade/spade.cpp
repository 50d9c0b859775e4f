// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From settings to an engine, and what can be asked of it.
#include "userspace/spade/spade.h"

#include <algorithm>

#include "userspace/spade/spade_core.h"

namespace spidd {

namespace {

// The detector that something watches. D19: the original makes one where there is none.
Result<std::size_t> watched_detector(SpadeSettings& settings, const Compatibility& compatibility, std::string_view what,
                                     const std::string& id) {
  auto& detectors = settings.detectors;
  const auto found = std::ranges::find(detectors, id, &DetectorSettings::id);
  if (found != detectors.end()) return static_cast<std::size_t>(found - detectors.begin());
  if (!compatibility.adapter_makes_detector) {
    if (id.empty()) return fail("{} does not say of which detector", what);
    return fail("{} is of a detector \"{}\" that does not exist", what, id);
  }
  if (id.empty() && !detectors.empty()) return detectors.size() - 1;
  DetectorSettings detector = default_detector(DetectorType::closed_dport);
  detector.id = id.empty() ? "default" : id;
  detectors.push_back(std::move(detector));
  return detectors.size() - 1;
}

// D2.
void forget_unexamined_responses(std::vector<WatchedDetector>& detectors) {
  using namespace condition;
  constexpr Conditions kPrimitives = kSynAck | kReset | kEstablished | kTeardown;
  Conditions examined = 0;
  for (const WatchedDetector& watched : detectors) examined |= watched.detector.examined();
  for (WatchedDetector& watched : detectors) {
    if (watched.statistics.type == DetectorType::dead_dest)
      watched.detector.forget_responses((kPrimitives & ~examined) | kUnreachableTcp);
  }
}

}  // namespace

Result<Spade> Spade::create(SpadeSettings settings, SpadeSink& sink) {
  const Compatibility compatibility = Compatibility::of(settings.profile);
  std::vector<std::size_t> adapted, advised, surveyed;
  for (const AdapterSettings& adapter : settings.adapters) {
    auto index = watched_detector(settings, compatibility, "an adapter", adapter_detector(adapter));
    if (!index) return std::move(index).error().within("spade");
    adapted.push_back(*index);
  }
  for (const AdviserSettings& adviser : settings.advisers) {
    auto index = watched_detector(settings, compatibility, "an adviser", adviser.id);
    if (!index) return std::move(index).error().within("spade");
    advised.push_back(*index);
  }
  for (const SurveySettings& survey : settings.surveys) {
    auto index = watched_detector(settings, compatibility, "a survey", survey.id);
    if (!index) return std::move(index).error().within("spade");
    surveyed.push_back(*index);
  }

  std::vector<WatchedDetector> detectors;
  std::vector<TableNeed> needs;
  std::vector<std::size_t> first_need;
  for (const DetectorSettings& wanted : settings.detectors) {
    if (std::ranges::count(settings.detectors, wanted.id, &DetectorSettings::id) > 1)
      return fail("spade: there are two detectors with the id {}", wanted.id);
    auto detector = Detector::create(wanted, compatibility, settings.extensions.asset_prior);
    if (!detector) return std::move(detector).error().within("spade");
    first_need.push_back(needs.size());
    needs.insert(needs.end(), detector->tables().begin(), detector->tables().end());
    detectors.emplace_back(std::move(*detector));
  }
  if (compatibility.dead_dest_misses_responses) forget_unexamined_responses(detectors);

  auto tables = TableSet::create(needs, settings.max_table_bytes);
  if (!tables) return std::move(tables).error().within("spade");
  for (std::size_t i = 0; i < detectors.size(); i++) {
    detectors[i].table = tables->table_of(first_need[i]);
    detectors[i].second_table = tables->table_of(first_need[i] + detectors[i].detector.tables().size() - 1);
  }
  for (std::size_t i = 0; i < adapted.size(); i++)
    detectors[adapted[i]].adapter = make_adapter(settings.adapters[i], settings.profile);
  for (std::size_t i = 0; i < advised.size(); i++) detectors[advised[i]].advisers.emplace_back(settings.advisers[i]);
  for (std::size_t i = 0; i < surveyed.size(); i++)
    detectors[surveyed[i]].surveys.emplace_back(settings.surveys[i], settings.profile);
  return Spade(
      std::make_unique<State>(std::move(settings), compatibility, std::move(detectors), *std::move(tables), sink));
}

Spade::Spade(std::unique_ptr<State> state) : state_(std::move(state)) {}
Spade::Spade(Spade&&) noexcept = default;
Spade& Spade::operator=(Spade&&) noexcept = default;
Spade::~Spade() = default;

void Spade::observe(const Observation& observation) { state_->observe(observation); }
void Spade::advance(Timestamp now) { state_->advance(now); }
void Spade::set_learning_filter(LearningFilter filter) { state_->may_learn = std::move(filter); }
bool Spade::is_excluded(const Observation& packet) const { return state_->is_excluded(packet); }
void Spade::cut_short() {
  for (std::size_t i = 0; i < state_->detectors.size(); i++) state_->cut_short(i);
}
std::uint64_t Spade::updates() const { return state_->totals.updates; }
const SpadeSettings& Spade::settings() const { return state_->settings; }

SpadeStatistics Spade::statistics() const {
  SpadeStatistics statistics = state_->totals;
  statistics.waiting = state_->queue.size();
  if (state_->attempts) statistics.attempts_forgotten += state_->attempts->forgotten();
  const auto& tables = state_->tables.tables();
  for (const TableSet::Table& table : tables) {
    statistics.table_entries += table.table.entries();
    statistics.table_bytes += table.table.bytes();
    statistics.entries_evicted += table.table.counters().evicted;
    statistics.observations_refused += table.table.counters().refused;
  }
  for (const WatchedDetector& watched : state_->detectors) {
    DetectorStatistics& detector = statistics.detectors.emplace_back(watched.statistics);
    detector.threshold = watched.threshold.score;
    detector.recorded = tables[watched.table].observations;
    detector.remembered = tables[watched.table].table.counts({}).at[0];
    if (!watched.detector.counts_versions_apart()) continue;
    detector.recorded += tables[watched.second_table].observations;
    detector.remembered += tables[watched.second_table].table.counts({}).at[0];
  }
  return statistics;
}

std::vector<const ThresholdAdviser*> Spade::advisers() const {
  std::vector<const ThresholdAdviser*> advisers;
  for (const WatchedDetector& watched : state_->detectors)
    for (const ThresholdAdviser& adviser : watched.advisers) advisers.push_back(&adviser);
  return advisers;
}

std::vector<const ScoreSurvey*> Spade::surveys() const {
  std::vector<const ScoreSurvey*> surveys;
  for (const WatchedDetector& watched : state_->detectors)
    for (const ScoreSurvey& survey : watched.surveys) surveys.push_back(&survey);
  return surveys;
}

std::vector<Spade::TableView> Spade::tables() const {
  std::vector<TableView> views;
  for (const TableSet::Table& table : state_->tables.tables())
    views.push_back({conditions_text(table.recorded), &table.table});
  return views;
}

}  // namespace spidd
