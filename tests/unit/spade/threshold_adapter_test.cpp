// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The three adapters against the golden vectors of spade.md 14 (12) and against sorting everything (13.2, 11).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "userspace/spade/mean_adapter.h"
#include "userspace/spade/threshold_observer.h"
#include "userspace/spade/top_scores.h"

namespace spidd {
namespace {

constexpr std::int64_t kStart = 1'700'000'000;

// Feeds an adapter as Spade does: tick, score, report, after_packet.
class Feeder {
 public:
  Feeder(const AdapterSettings& settings, SpadeProfile profile, double threshold = -1)
      : adapter(make_adapter(settings, profile)), current{threshold, 0} {
    clock.second = kStart;
  }

  void packet(std::int64_t second, ScoreValue value) {
    ++clock.total_packets;
    if (second > clock.second || clock.total_packets == 1) {
      clock.second = std::max(clock.second, second);
      take(adapter->tick(clock, current));
    }
    ++clock.scored;
    adapter->add(value, 1, clock);
    if (value >= current && current.score >= 0) {
      ++alerts;
      take(adapter->reported(value, 1, current));
    }
    take(adapter->after_packet(clock, current));
  }

  // A packet that is not scored: only time passes.
  void other(std::int64_t second) {
    ++clock.total_packets;
    clock.second = std::max(clock.second, second);
    take(adapter->tick(clock, current));
    take(adapter->after_packet(clock, current));
  }

  void take(const std::optional<ScoreValue>& threshold) {
    if (!threshold) return;
    current = *threshold;
    thresholds.push_back(current.score);
  }

  std::unique_ptr<ThresholdAdapter> adapter;
  ScoreValue current;
  ScoreClock clock;
  std::uint64_t alerts = 0;
  std::vector<double> thresholds;
};

// Scores low + 1 .. low + 20 in hour `hour`, then the packet that ends it.
void feed_twenty(Feeder& feeder, double low, std::int64_t hour) {
  const std::int64_t second = kStart + hour * 3600 + (hour > 0 ? 2 : 0);
  for (int i = 1; i <= 20; ++i) feeder.packet(second, {low + i, 0});
  feeder.other(second + 3601);
}

double first_threshold(const AdapterSettings& settings, SpadeProfile profile) {
  Feeder feeder(settings, profile);
  feed_twenty(feeder, 0, 0);
  return feeder.thresholds.at(0);
}

WeightedAdapter weighted(unsigned target) {
  return {.id = "a", .target = target, .period_hours = 1, .new_weight = 0.5, .by_count = false};
}
MeanAdapter three_an_hour() { return {.id = "a", .target = 3, .period_minutes = 60, .windows = 168}; }

TEST(ThresholdAdapter, FindsTheThresholdsOfTheGoldenVectors) {
  EXPECT_DOUBLE_EQ(first_threshold(weighted(3), SpadeProfile::documented), 17.5);
  EXPECT_DOUBLE_EQ(first_threshold(weighted(3), SpadeProfile::v030125), 16.5);
  EXPECT_DOUBLE_EQ(first_threshold(three_an_hour(), SpadeProfile::documented), 17.5);
  EXPECT_DOUBLE_EQ(first_threshold(three_an_hour(), SpadeProfile::v030125), 17.5);
}

TEST(ThresholdAdapter, TakesTheMeanOfTheWindowsInModeThree) {
  for (const SpadeProfile profile : {SpadeProfile::documented, SpadeProfile::v030125}) {
    Feeder feeder(three_an_hour(), profile);
    feed_twenty(feeder, 0, 0);
    feed_twenty(feeder, 100, 1);
    ASSERT_EQ(feeder.thresholds.size(), 2U);
    EXPECT_DOUBLE_EQ(feeder.thresholds[1], 67.5);
  }
}

std::vector<double> layered_thresholds(SpadeProfile profile) {
  const LayeredAdapter settings{
      .id = "a", .target = 3, .period_minutes = 60, .short_windows = 2, .medium_windows = 3, .long_windows = 2};
  Feeder feeder(settings, profile);
  for (int window = 0; window < 8; ++window) feed_twenty(feeder, window * 100 + 0.5, window);
  return feeder.thresholds;
}

TEST(ThresholdAdapter, LayersTheMeansInModeTwo) {
  const double ideal[8] = {18, 68, 168, 218, 284 + 2 / 3.0, 318, 418, 451 + 1 / 3.0};
  const std::vector<double> documented = layered_thresholds(SpadeProfile::documented);
  const std::vector<double> executed = layered_thresholds(SpadeProfile::v030125);
  ASSERT_EQ(documented.size(), 8U);
  ASSERT_EQ(executed.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(documented[i], ideal[i], 1e-9);
    EXPECT_EQ(executed[i], std::floor(ideal[i]));
  }
}

TEST(ThresholdAdapter, MovesByTheWeightFromTheThresholdThatWas) {
  WeightedAdapter settings = weighted(3);
  settings.new_weight = 0.25;
  Feeder feeder(settings, SpadeProfile::documented, 1.5);
  feed_twenty(feeder, 0, 0);
  EXPECT_DOUBLE_EQ(feeder.current.score, 0.75 * 1.5 + 0.25 * 17.5);
}

TEST(ThresholdAdapter, LeavesTheThresholdAloneWhenNothingWasScored) {
  Feeder feeder(weighted(3), SpadeProfile::documented, 0.8);
  feeder.other(kStart);
  for (int hour = 1; hour < 5; ++hour) feeder.other(kStart + hour * 3601);
  EXPECT_TRUE(feeder.thresholds.empty());
}

TEST(ThresholdAdapter, CountsALongGapAsPeriods) {
  Feeder feeder(three_an_hour(), SpadeProfile::documented);
  feed_twenty(feeder, 0, 0);
  feeder.other(kStart + 10 * 3600 + 5);  // the average is 2 packets a period now
  ASSERT_EQ(feeder.thresholds.size(), 1U);
  feeder.packet(kStart + 10 * 3600 + 6, {40, 0});
  feeder.packet(kStart + 10 * 3600 + 6, {30, 0});
  EXPECT_EQ(feeder.thresholds.size(), 2U);
}

// What an adapter must do, by sorting all scores of a window. Time and counts as in 7.1.
struct Oracle {
  std::int64_t period;
  std::function<std::uint64_t(double)> wished_of;
  std::function<double(const std::vector<std::vector<double>>&, std::uint64_t)> next;  // all windows so far
  std::uint64_t wished;

  std::vector<double> thresholds;
  std::vector<std::vector<double>> windows{1};
  std::int64_t start = 0;  // 0: no packet yet
  std::uint64_t periods = 0, average = 0, total = 0, scored = 0, last = 0;

  void close() {
    last = total;
    if (windows.back().empty()) return;
    std::sort(windows.back().rbegin(), windows.back().rend());
    thresholds.push_back(next(windows, wished));
    windows.emplace_back();
  }
  void packet(std::int64_t second, double score) {
    ++total;
    if (start == 0) start = second;
    const bool first = periods == 0;
    bool crossed = false;
    while (second > start + period) {
      start += period;
      ++periods;
      crossed = true;
    }
    if (crossed) {
      average = std::max<std::uint64_t>(total / periods, 1);
      wished = std::max<std::uint64_t>(wished_of(static_cast<double>(scored) / static_cast<double>(periods)), 1);
      if (first) close();
    }
    ++scored;
    windows.back().push_back(score);
    if (periods > 0 && total - last >= average) close();
  }
};

double ideal_of(const std::vector<double>& descending, std::uint64_t k) {
  const auto at = [&](std::uint64_t rank) { return rank <= descending.size() ? descending[rank - 1] : 0.0; };
  return (at(k) + at(k + 1)) / 2;
}

enum class Shape { stationary, step, weekend, ties };

// `packets` scores of about two weeks.
void play(Shape shape, unsigned seed, const std::function<void(std::int64_t, double)>& packet) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(1);
  std::uniform_real_distribution<double> score(0, 1);
  double second = kStart;
  for (int i = 0; i < 60000; ++i) {
    double rate = 0.1;  // a second
    if (shape == Shape::step && i > 10000) rate = 1;
    if (shape == Shape::weekend && (static_cast<std::int64_t>(second) / 86400) % 7 >= 5) rate = 0.01;
    second += gap(random) / rate;
    const double value = score(random);
    packet(static_cast<std::int64_t>(second), shape == Shape::ties ? std::round(value * 20) / 20 : value);
  }
}

TEST(ThresholdAdapter, AgreesWithSortingEverything) {
  for (const Shape shape : {Shape::stationary, Shape::step, Shape::weekend, Shape::ties}) {
    for (const double target : {0.01, 5.0}) {
      // The original's order has no bits: the profile without them is compared, then the other without ties.
      for (const SpadeProfile profile : {SpadeProfile::v030125, SpadeProfile::documented}) {
        if (profile == SpadeProfile::documented && shape == Shape::ties) continue;
        Feeder feeder(MeanAdapter{.id = "a", .target = target, .period_minutes = 60, .windows = 24}, profile);
        Oracle oracle{.period = 3600,
                      .wished_of = [&](double scored) { return alerts_a_period(target, 3600, scored); },
                      .next =
                          [](const std::vector<std::vector<double>>& windows, std::uint64_t k) {
                            static thread_local std::vector<double> ideals;
                            if (windows.size() == 1) ideals.clear();
                            ideals.push_back(ideal_of(windows.back(), k));
                            const std::size_t n = std::min<std::size_t>(ideals.size(), 24);
                            double sum = 0;
                            for (std::size_t i = ideals.size() - n; i < ideals.size(); ++i) sum += ideals[i];
                            return sum / static_cast<double>(n);
                          },
                      .wished = alerts_a_period(target, 3600, 1e4),
                      .thresholds = {}};
        play(shape, 7, [&](std::int64_t second, double score) {
          feeder.packet(second, {score, 0});
          oracle.packet(second, score);
        });
        ASSERT_EQ(feeder.thresholds.size(), oracle.thresholds.size());
        ASSERT_GT(feeder.thresholds.size(), 10U);
        for (std::size_t i = 0; i < feeder.thresholds.size(); ++i)
          ASSERT_NEAR(feeder.thresholds[i], oracle.thresholds[i], 1e-9) << i;
      }
    }
  }
}

TEST(ThresholdAdapter, AgreesWithSortingTheUnionOfWindowsInModeTwo) {
  for (const Shape shape : {Shape::stationary, Shape::step, Shape::weekend}) {
    Feeder feeder(LayeredAdapter{.id = "a",
                                 .target = 0.02,
                                 .period_minutes = 60,
                                 .short_windows = 4,
                                 .medium_windows = 1000,
                                 .long_windows = 1},
                  SpadeProfile::documented);
    std::vector<double> medium;
    Oracle oracle{.period = 3600,
                  .wished_of = [](double scored) { return alerts_a_period(0.02, 3600, scored); },
                  .next =
                      [&](const std::vector<std::vector<double>>& windows, std::uint64_t k) {
                        std::vector<double> all;
                        for (std::size_t i = windows.size() > 4 ? windows.size() - 4 : 0; i < windows.size(); ++i)
                          all.insert(all.end(), windows[i].begin(), windows[i].end());
                        std::sort(all.rbegin(), all.rend());
                        const double recent = ideal_of(all, k);
                        if ((windows.size() - 1) % 4 == 0) medium.push_back(recent);
                        double sum = 0;
                        for (const double value : medium) sum += value;
                        return (recent + sum / static_cast<double>(medium.size())) / 2;
                      },
                  .wished = alerts_a_period(0.02, 3600, 1e7),
                  .thresholds = {}};
    play(shape, 8, [&](std::int64_t second, double score) {
      feeder.packet(second, {score, 0});
      oracle.packet(second, score);
    });
    ASSERT_EQ(feeder.thresholds.size(), oracle.thresholds.size());
    for (std::size_t i = 0; i < feeder.thresholds.size(); ++i)
      ASSERT_NEAR(feeder.thresholds[i], oracle.thresholds[i], 1e-9) << i;
  }
}

// 5 % of the scores are 1.0 and the target is 1 %: the score alone cannot tell them apart (7.5).
std::uint64_t alerts_with_ties(const AdapterSettings& settings, SpadeProfile profile, bool drifting) {
  Feeder feeder(settings, profile, 0.9);
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 200000; ++i) {
    if (i == 40000) feeder.alerts = 0;  // after it settled
    const bool novel = uniform(random) < 0.05;
    // The table grows for a while and is scaled down: bits drift for all alike. Or: sources of all sizes.
    const double bits = drifting ? std::log2(1000.0 + i % 7000) : 8 + 4 * uniform(random);
    feeder.packet(kStart + i * 2, {novel ? 1.0 : 0.9 * uniform(random), bits});
  }
  return feeder.alerts;
}

TEST(ThresholdAdapter, ReachesTheTargetAmongTies) {
  // 160,000 scores after it settled, 1 %: 1,600.
  const MeanAdapter mode3{.id = "a", .target = 0.01, .period_minutes = 60, .windows = 168};
  const WeightedAdapter mode1{.id = "a", .target = 18, .period_hours = 1, .new_weight = 0.5, .by_count = true};
  const LayeredAdapter mode2{
      .id = "a", .target = 0.01, .period_minutes = 60, .short_windows = 4, .medium_windows = 24, .long_windows = 7};
  for (const bool drifting : {false, true}) {
    EXPECT_NEAR(static_cast<double>(alerts_with_ties(mode3, SpadeProfile::documented, drifting)), 1600, 160);
    EXPECT_NEAR(static_cast<double>(alerts_with_ties(mode1, SpadeProfile::documented, drifting)), 1600, 160);
    // Mode 2 is stricter than its target by up to short_windows (7.3).
    const std::uint64_t strict = alerts_with_ties(mode2, SpadeProfile::documented, drifting);
    EXPECT_LE(strict, 1760U);
    EXPECT_GE(strict, 360U);
  }
  // The original stays at 5 % for ever.
  EXPECT_NEAR(static_cast<double>(alerts_with_ties(mode3, SpadeProfile::v030125, false)), 8000, 400);
}

TEST(ThresholdAdapter, GoesOnAfterARestartAsIfThereHadBeenNone) {
  const AdapterSettings all[] = {
      weighted(20), three_an_hour(),
      LayeredAdapter{
          .id = "a", .target = 0.01, .period_minutes = 30, .short_windows = 3, .medium_windows = 4, .long_windows = 2}};
  for (const AdapterSettings& settings : all) {
    Feeder whole(settings, SpadeProfile::documented, 0.5);
    Feeder before(settings, SpadeProfile::documented, 0.5);
    Feeder after(settings, SpadeProfile::documented, 0.5);
    constexpr std::int64_t kDowntime = 5'000'000;
    std::mt19937_64 random(5);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (int i = 0; i < 40000; ++i) {
      const ScoreValue value{uniform(random), 10 * uniform(random)};
      const std::int64_t second = kStart + i * 3;
      whole.packet(second, value);
      if (i < 21234) {
        before.packet(second, value);
        continue;
      }
      if (i == 21234) {
        ASSERT_TRUE(after.adapter->restore(before.adapter->save()));
        after.current = before.current;
        after.thresholds = before.thresholds;
        // The period goes on from the second of the last packet: three seconds are lost.
        after.clock.second = 0;
      }
      after.packet(second + kDowntime, value);
    }
    ASSERT_EQ(after.thresholds.size(), whole.thresholds.size());
    for (std::size_t i = 0; i < whole.thresholds.size(); ++i)
      EXPECT_NEAR(after.thresholds[i], whole.thresholds[i], 0.02) << i;
  }
}

// What was learned in periods of an hour says as much in those of five minutes.
TEST(ThresholdAdapter, GoesOnWithPeriodsOfAnotherLength) {
  for (const double minutes : {5.0, 600.0}) {
    MeanAdapter other = three_an_hour();
    other.target = 60;
    other.windows = 2;
    MeanAdapter hourly = other;
    hourly.period_minutes = 60;
    other.period_minutes = minutes;
    Feeder before(hourly, SpadeProfile::documented);
    for (int i = 0; i < 18'000; ++i) before.packet(kStart + i, {static_cast<double>(i % 1000), 0});
    for (int i = 0; i < 2400; ++i) before.packet(kStart + 18'000 + i, {static_cast<double>(i % 1000), 0});
    Feeder after(other, SpadeProfile::documented);
    const auto restored = after.adapter->restore(before.adapter->save());
    ASSERT_TRUE(restored) << restored.error().message;
    // As many packets as a period has now.
    const int packets = static_cast<int>(minutes) * 60;
    for (int i = 0; i < packets * 3; ++i) after.packet(kStart + 30'000 + i, {static_cast<double>(i % 1000), 0});
    EXPECT_GE(after.thresholds.size(), 2U) << minutes;
    EXPECT_LE(after.thresholds.size(), 4U) << minutes;
  }
}

TEST(ThresholdAdapter, KeepsTheEndOfAHistoryThatIsTooLong) {
  MeanAdapter shorter = three_an_hour();
  shorter.windows = 1;
  Feeder before(three_an_hour(), SpadeProfile::documented);
  feed_twenty(before, 0, 0);
  feed_twenty(before, 100, 1);
  Feeder after(shorter, SpadeProfile::documented);
  ASSERT_TRUE(after.adapter->restore(before.adapter->save()));

  LayeredAdapter layered{
      .id = "a", .target = 3, .period_minutes = 60, .short_windows = 4, .medium_windows = 3, .long_windows = 2};
  Feeder layers(layered, SpadeProfile::documented);
  for (int window = 0; window < 30; ++window) feed_twenty(layers, window * 100 + 0.5, window);
  layered.short_windows = layered.medium_windows = layered.long_windows = 1;
  EXPECT_TRUE(make_adapter(layered, SpadeProfile::documented)->restore(layers.adapter->save()));
}

TEST(ThresholdAdapter, KeepsAHistoryWhosePeriodEndedAmongPacketsOfOthers) {
  Feeder before(three_an_hour(), SpadeProfile::documented);
  feed_twenty(before, 0, 0);
  before.clock.total_packets += 50;
  before.clock.second += 3601;
  before.take(before.adapter->tick(before.clock, before.current));
  const auto restored = make_adapter(three_an_hour(), SpadeProfile::documented)->restore(before.adapter->save());
  EXPECT_TRUE(restored) << restored.error().message;
}

TEST(ThresholdAdapter, RefusesAHistoryThatIsNotItsOwn) {
  Feeder feeder(three_an_hour(), SpadeProfile::documented);
  feed_twenty(feeder, 0, 0);
  const std::vector<double> good = feeder.adapter->save();
  const auto restored = [](const std::vector<double>& numbers) {
    return static_cast<bool>(make_adapter(three_an_hour(), SpadeProfile::documented)->restore(numbers));
  };
  EXPECT_TRUE(restored(good));
  EXPECT_FALSE(restored({}));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<double> bad(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(restored(bad)) << i;
    bad = good;
    bad[i] = std::nan("");
    EXPECT_FALSE(restored(bad)) << i;
  }
  std::vector<double> longer = good;
  longer.push_back(0);
  EXPECT_FALSE(restored(longer));
  EXPECT_FALSE(feeder.adapter->restore(good));  // it has begun
}

TEST(TopScores, KeepNoMoreThanTheLimit) {
  TopScores scores(TopScores::kMostKept * 10);
  for (int i = 0; i < 300000; ++i) scores.add({static_cast<double>(i), 0}, 1);
  EXPECT_EQ(scores.kept(), TopScores::kMostKept);
  RankedScores ranked;
  ranked.add(scores);
  EXPECT_EQ(ranked.at(1).score, 299999);
  EXPECT_EQ(ranked.at(TopScores::kMostKept).score, 300000.0 - static_cast<double>(TopScores::kMostKept));
}

TEST(TopScores, CountEqualOnesTogether) {
  TopScores scores(5);
  scores.add({0.5, 0}, 100);
  scores.add({0.9, 0}, 2);
  scores.add({0.7, 0}, 2);
  RankedScores ranked;
  ranked.add(scores);
  EXPECT_EQ(ranked.at(2).score, 0.9);
  EXPECT_EQ(ranked.at(4).score, 0.7);
  EXPECT_EQ(ranked.at(5).score, 0.5);
  EXPECT_EQ(ranked.at(105).score, 0);
}

}  // namespace
}  // namespace spidd
