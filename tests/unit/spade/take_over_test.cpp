// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An engine that goes on with other settings while traffic flows.
#include <algorithm>

#include "tests/unit/spade/spade_fixture.h"
#include "userspace/spade/adviser.h"
#include "userspace/spade/monitor.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/spade_state.h"
#include "userspace/spade/state_file.h"
#include "userspace/spade/survey.h"

namespace spidd {
namespace {

using namespace spade_test;

DetectorSettings closed(const std::string& id, unsigned wait) {
  DetectorSettings detector = named(id, default_detector(DetectorType::closed_dport));
  detector.min_observations = 1;
  detector.wait_seconds = wait;
  return detector;
}

SpadeSettings watched(unsigned wait = 3) {
  SpadeSettings settings = settings_of({closed("closed", wait)});
  settings.advisers.push_back({"closed", 3, 1});
  settings.surveys.push_back({"closed", "", 1});
  settings.adapters.push_back(MeanAdapter{"closed", 5, 1, 10});
  return settings;
}

Observation probe(double second, std::uint16_t port) { return tcp(second, "192.0.2.1", 4000, "10.0.0.1", port); }

// Answered connections to one port, for 100 seconds.
void use(Engine& engine, int from = 0) {
  for (int i = from; i < from + 100; i++) {
    const Observation syn = tcp(i, "192.0.2.1", 1025, "10.0.0.1", 80);
    engine.see(syn);
    engine.see(answer(i, syn, kSyn | kAck));
  }
}

TEST(TakeOver, GoesOnWithWhatIsUnchangedAsIfNothingHadHappened) {
  Engine first(watched()), second(watched()), alone(watched());
  for (Engine* engine : {&first, &alone}) {
    use(*engine);
    engine->see(probe(100, 81));
  }
  const Spade::Restored taken = second.spade->take_over(*first.spade);
  EXPECT_EQ(taken.tables, 1U);
  EXPECT_TRUE(taken.problems.empty());
  for (Engine* engine : {&second, &alone}) {
    use(*engine, 101);
    engine->see(probe(202, 82));
    engine->pass(300);
  }
  const SpadeStatistics a = second.spade->statistics(), b = alone.spade->statistics();
  EXPECT_EQ(a.observations, b.observations);
  EXPECT_EQ(a.updates, b.updates);
  EXPECT_EQ(a.detectors[0].evaluated, b.detectors[0].evaluated);
  EXPECT_EQ(a.detectors[0].reported, b.detectors[0].reported);
  EXPECT_EQ(a.detectors[0].waited, b.detectors[0].waited);
  EXPECT_EQ(a.detectors[0].remembered, b.detectors[0].remembered);
  EXPECT_EQ(a.detectors[0].threshold, b.detectors[0].threshold);
  EXPECT_EQ(a.waiting_cut_short, 0U);
  EXPECT_EQ(first.recorder.alerts.size(), 0U);
  EXPECT_EQ(second.recorder.alerts.size(), alone.recorder.alerts.size());
  EXPECT_EQ(first.recorder.adjustments.size() + second.recorder.adjustments.size(), alone.recorder.adjustments.size());
  EXPECT_EQ(second.spade->advisers()[0]->text(), alone.spade->advisers()[0]->text());
  ASSERT_EQ(second.spade->surveys()[0]->rows().size(), alone.spade->surveys()[0]->rows().size());
  EXPECT_EQ(second.spade->surveys()[0]->rows()[0].text(), alone.spade->surveys()[0]->rows()[0].text());
}

TEST(TakeOver, LetsWhatWaitsHearItsAnswer) {
  Engine first(watched()), second(watched());
  use(first);
  first.see(probe(100, 81));
  first.see(probe(100, 82));
  second.spade->take_over(*first.spade);
  EXPECT_EQ(second.spade->statistics().waiting, 2U);
  EXPECT_TRUE(second.see(answer(101, probe(100, 81), kSyn | kAck)).empty());
  const auto alerts = second.pass(104);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].packet.destination_port, 82);
  EXPECT_EQ(alerts[0].status, PortStatus::likely_closed);
}

TEST(TakeOver, ReportsWhatWaitedForADetectorThatChanges) {
  Engine first(watched(3)), second(watched(4));
  use(first);
  for (std::uint16_t port = 1000; port < 1040; port++) first.see(probe(100, port));
  const std::uint64_t observations = first.spade->statistics().observations;
  second.spade->take_over(*first.spade);
  EXPECT_EQ(first.recorder.alerts.size(), 40U);
  EXPECT_EQ(first.recorder.alerts[0].status, PortStatus::probably_closed);
  const SpadeStatistics statistics = second.spade->statistics();
  EXPECT_EQ(statistics.waiting, 0U);
  EXPECT_EQ(statistics.waiting_cut_short, 40U);
  EXPECT_EQ(statistics.detectors[0].reported, 0U);
  EXPECT_EQ(statistics.reported_before, 40U) << "sums of counters never go back";
  EXPECT_EQ(statistics.observations, observations);
  EXPECT_EQ(statistics.detectors[0].remembered, 140) << "what was learned stays";
}

TEST(TakeOver, KeepsTheNumbersOfADetectorThatReportsOtherThings) {
  SpadeSettings changed = watched();
  changed.adapters.clear();
  changed.detectors[0].threshold = 0.5;
  changed.detectors[0].exclusions.destination_ports = {81};
  Engine first(watched()), second(changed);
  use(first);
  const std::uint64_t evaluated = first.statistics().evaluated;
  second.spade->take_over(*first.spade);
  EXPECT_EQ(second.statistics().evaluated, evaluated);
  EXPECT_EQ(second.statistics().threshold, 0.5);
  second.see(probe(100, 81));
  EXPECT_EQ(second.statistics().excluded, 1U);
}

// Adapted in a table of relative scores; then bits.
TEST(TakeOver, DoesNotTakeAThresholdToScoresOfAnotherKind) {
  SpadeSettings other = watched();
  other.detectors[0].relative_score = false;
  other.detectors[0].threshold = 12;
  Engine first(watched()), reloaded(other), restarted(other), again(watched());
  use(first);
  for (std::uint16_t port = 1000; port < 1040; port++) first.see(probe(100 + port % 40, port));
  first.pass(200);
  const double adapted = first.statistics().threshold;
  ASSERT_NE(adapted, watched().detectors[0].threshold);
  const SpadeState state = first.spade->save();
  const Spade::Restored after_restart = restarted.spade->restore(state, Downtime::ignored);
  const Spade::Restored after_reload = reloaded.spade->take_over(*first.spade);
  for (const Spade::Restored& restored : {after_restart, after_reload}) {
    EXPECT_EQ(restored.thresholds, 0U);
    ASSERT_EQ(restored.problems.size(), 1U);
    EXPECT_EQ(restored.problems[0],
              "threshold of closed: its scores were closed-dport relative 3, and are closed-dport bits 3 now");
  }
  EXPECT_EQ(restarted.statistics().threshold, 12);
  EXPECT_EQ(reloaded.statistics().threshold, 12);
  // A file of before does not say of what kind they were.
  SpadeState unknown = state;
  unknown.thresholds[0].scores.clear();
  unknown.tables.clear();
  EXPECT_EQ(again.spade->restore(unknown, Downtime::ignored).thresholds, 1U);
  EXPECT_EQ(again.statistics().threshold, adapted);
}

TEST(TakeOver, SaysWhatASmallerTableHasNoRoomFor) {
  SpadeSettings large = watched();
  large.max_table_bytes = 64U << 20U;
  SpadeSettings small = watched();
  small.max_table_bytes = 1U << 20U;
  Engine first(large), second(small);
  use(first);
  for (int i = 0; i < 20000; i++)
    first.see(tcp(100, "192.0.2.1", 4000, fmt::format("10.0.{}.{}", i / 250, i % 250), 80));
  const std::uint64_t before = first.spade->statistics().table_entries;
  const Spade::Restored taken = second.spade->take_over(*first.spade);
  EXPECT_GT(taken.entries_without_room, 10000U);
  EXPECT_EQ(second.spade->statistics().table_entries + taken.entries_without_room, before);
}

TEST(TakeOver, DoesNotStopTheClockOfATableThatIsCopied) {
  SpadeSettings small = watched();
  small.max_table_bytes = 16U << 20U;
  Engine first(watched()), second(small), alone(watched());
  use(first);
  use(alone);
  first.pass(200 * 60);  // of 240 minutes until the counts are scaled
  second.spade->take_over(*first.spade);
  second.pass(250 * 60);
  alone.pass(250 * 60);
  EXPECT_LT(alone.statistics().remembered, 100);
  EXPECT_DOUBLE_EQ(second.statistics().remembered, alone.statistics().remembered);
}

struct Incoming : AnomalySink {
  void alert(const SpadeAlert&) override { alerts++; }
  void adjusted(const ThresholdAdjusted&) override {}
  void incident(const Incident&, IncidentCause cause, Timestamp) override { causes.push_back(cause); }

  std::size_t alerts = 0;
  std::vector<IncidentCause> causes;
};

void scan(AnomalyMonitor& monitor, int from, int to) {
  for (int i = from; i < to; ++i) {
    const Observation syn = tcp(i * 0.1, "203.0.113.5", 40000, "10.0.0.1", static_cast<std::uint16_t>(1000 + i));
    monitor.observe(syn);
    monitor.observe(answer(i * 0.1 + 0.01, syn, kRst | kAck));
  }
}

TEST(TakeOver, LeavesIncidentsOpenWhateverChanges) {
  const SpadeSettings settings = settings_of({closed("closed", 0)});
  SpadeSettings other_detector = settings_of({closed("closed", 3)});
  SpadeSettings other_incidents = settings;
  other_incidents.extensions.max_incidents = 100;
  for (const SpadeSettings& changed : {settings, other_detector, other_incidents}) {
    Incoming said;
    auto first = AnomalyMonitor::create(settings, 1, said);
    auto second = AnomalyMonitor::create(changed, 1, said);
    ASSERT_TRUE(first && second);
    scan(**first, 0, 50);
    const std::vector<const Incident*> before = (*first)->incidents()->open();
    ASSERT_EQ(before.size(), 1U);
    const std::uint64_t id = before[0]->id;
    const std::uint64_t opened = (*first)->incidents()->counters().opened;
    (*second)->take_over(**first);
    first->reset();
    scan(**second, 50, 100);
    ASSERT_EQ((*second)->incidents()->open().size(), 1U);
    EXPECT_EQ((*second)->incidents()->open()[0]->id, id);
    EXPECT_EQ((*second)->incidents()->counters().opened, opened);
    EXPECT_EQ((*second)->incidents()->counters().resumed, 0U);
    EXPECT_GT((*second)->incidents()->counters().contacts_failed, 90U);
    EXPECT_EQ(std::ranges::count(said.causes, IncidentCause::opened), 1);
    EXPECT_EQ(std::ranges::count(said.causes, IncidentCause::closed), 0);
  }
}

TEST(TakeOver, ClosesIncidentsThatAreSwitchedOff) {
  const SpadeSettings settings = settings_of({closed("closed", 0)});
  SpadeSettings without = settings;
  without.extensions.incidents = false;
  Incoming said;
  auto first = AnomalyMonitor::create(settings, 1, said);
  auto second = AnomalyMonitor::create(without, 1, said);
  ASSERT_TRUE(first && second);
  scan(**first, 0, 50);
  (*second)->take_over(**first);
  EXPECT_EQ(std::ranges::count(said.causes, IncidentCause::closed), 1);
}

TEST(CutShort, ReportsWhatWaitsWithoutMakingItEvidence) {
  Incoming said;
  auto monitor = AnomalyMonitor::create(settings_of({closed("closed", 3)}), 1, said);
  ASSERT_TRUE(monitor);
  for (std::uint16_t i = 0; i < 41; ++i) (*monitor)->observe(probe(i * 0.01, static_cast<std::uint16_t>(1000 + i)));
  ASSERT_EQ((*monitor)->spade().statistics().waiting, 40U);
  const std::size_t said_before = said.causes.size();
  (*monitor)->cut_short();
  EXPECT_EQ(said.alerts, 40U);
  EXPECT_EQ((*monitor)->spade().statistics().waiting, 0U);
  EXPECT_EQ((*monitor)->spade().statistics().waiting_cut_short, 40U);
  EXPECT_EQ(said.causes.size(), said_before);
}

TEST(CutShort, DropsWhatOnlyAnAnswerConfirms) {
  DetectorSettings detector =
      named("closed", default_detector(DetectorType::closed_dport, Transport::tcp, TcpScope::synack));
  detector.min_observations = 0;
  Engine engine(settings_of({detector}));
  engine.see(tcp(0, "192.0.2.1", 4000, "10.0.0.1", 80));
  engine.see(tcp(1, "192.0.2.1", 4000, "10.0.0.1", 81, kSyn | kAck));
  ASSERT_EQ(engine.spade->statistics().waiting, 1U);
  engine.spade->cut_short();
  EXPECT_TRUE(engine.recorder.alerts.empty());
  EXPECT_EQ(engine.spade->statistics().waiting_cut_short, 1U);
}

}  // namespace
}  // namespace spidd
