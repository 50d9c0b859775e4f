// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An engine that goes on where another one stopped.
#include "tests/unit/spade/spade_fixture.h"
#include "userspace/spade/state_file.h"

namespace spidd {
namespace {

using namespace spade_test;

SpadeState whole_state(const Spade& spade) {
  std::vector<const ProbabilityTable*> tables;
  for (const Spade::TableView& view : spade.tables()) tables.push_back(view.table);
  SpadeSnapshot snapshot(spade.save(), tables);
  snapshot.take_all();
  return *decode_state(encode_state(std::move(snapshot).finish()));
}

SpadeSettings wanted(double threshold = 0) {
  DetectorSettings closed = named("closed", default_detector(DetectorType::closed_dport));
  closed.min_observations = 1;
  closed.threshold = threshold;
  DetectorSettings odd = named("odd", default_detector(DetectorType::odd_port_dest));
  odd.min_observations = 1;
  odd.threshold = 0;
  return settings_of({closed, odd});
}

Observation inbound(double second, std::uint16_t port) { return tcp(second, "192.0.2.1", 1025, "10.0.0.1", port); }
Observation outbound(double second, const std::string& to) { return tcp(second, "10.0.0.5", 1025, to, 53); }

void use(Engine& engine) {
  for (int i = 0; i < 30; i++) engine.see(inbound(i, static_cast<std::uint16_t>(80 + i % 3)));
  for (int i = 0; i < 30; i++) engine.see(outbound(30 + i, "192.0.2." + std::to_string(i % 2)));
}

TEST(SpadeState, ScoresGoOnAsIfThereHadBeenNoRestart) {
  Engine first(wanted());
  use(first);
  Engine second(wanted());
  const auto restored = second.spade->restore(whole_state(*first.spade), Downtime::ignored);
  EXPECT_EQ(restored.tables, 2U);
  EXPECT_EQ(restored.entries_without_room, 0U);
  EXPECT_TRUE(restored.problems.empty());
  for (const Observation& packet :
       {inbound(100, 81), inbound(100, 99), outbound(100, "192.0.2.1"), outbound(100, "192.0.2.9")}) {
    const auto a = first.see(packet);
    const auto b = second.see(packet);
    ASSERT_EQ(a.size(), 1U);
    ASSERT_EQ(b.size(), 1U);
    EXPECT_DOUBLE_EQ(a[0].score, b[0].score);
  }
}

TEST(SpadeState, TablesAreFoundByPacketsAndFeatures) {
  Engine first(wanted());
  use(first);
  SpadeSettings changed = wanted();
  changed.detectors[0].decay.cutoff = 0.2;       // the same table with another decay
  changed.detectors[1].side = NetworkSide::any;  // other packets
  Engine second(changed);
  EXPECT_EQ(second.spade->restore(whole_state(*first.spade), Downtime::ignored).tables, 1U);
  EXPECT_EQ(second.spade->tables()[0].table->decay().cutoff, 0.2);
  EXPECT_EQ(second.statistics(0).remembered, 30);
  EXPECT_EQ(second.statistics(1).remembered, 0);
}

TEST(SpadeState, ADamagedTableStartsEmptyAndIsNamed) {
  Engine first(wanted());
  use(first);
  SpadeState state = whole_state(*first.spade);
  ASSERT_FALSE(state.tables[0].entries.empty());
  state.tables[0].entries[0].count = -1;
  Engine second(wanted());
  const auto restored = second.spade->restore(state, Downtime::ignored);
  EXPECT_EQ(restored.tables, 1U);
  ASSERT_EQ(restored.problems.size(), 1U);
  EXPECT_EQ(restored.problems[0].substr(0, 28), "table of \"local dest, syn\": ");
  EXPECT_EQ(second.statistics(0).remembered, 0);
  second.see(inbound(100, 80));
  EXPECT_EQ(second.see(inbound(100, 81)).size(), 1U);
}

TEST(SpadeState, ThresholdsSurviveWithTheAdapterThatMadeThem) {
  SpadeSettings settings = wanted(-1);
  settings.adapters.push_back(MeanAdapter{.id = "closed", .target = 3, .period_minutes = 1, .windows = 4});
  Engine first(settings);
  use(first);
  for (int i = 0; i < 200; i++) first.see(inbound(100 + i, static_cast<std::uint16_t>(i % 20 == 0 ? 1000 + i : 80)));
  const double threshold = first.statistics().threshold;
  ASSERT_GT(threshold, 0);
  const SpadeState state = whole_state(*first.spade);

  Engine second(settings);
  EXPECT_EQ(second.spade->restore(state, Downtime::ignored).thresholds, 1U);
  EXPECT_EQ(second.statistics().threshold, threshold);

  Engine unadapted(wanted(0.9));
  EXPECT_EQ(unadapted.spade->restore(state, Downtime::ignored).thresholds, 0U);
  EXPECT_EQ(unadapted.statistics().threshold, 0.9);
}

}  // namespace
}  // namespace spidd
