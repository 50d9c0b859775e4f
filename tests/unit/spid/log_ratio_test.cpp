// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sparse counters against the models they stand for, and their scores against those of the matcher.
#include "userspace/spid/log_ratio.h"

#include <gtest/gtest.h>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

constexpr std::size_t kNoLimit = kRowCount;

std::vector<Fingerprint> some_flows(unsigned seed, unsigned count, unsigned values) {
  std::mt19937 random(seed);
  AttributeMeters meters;
  std::vector<Fingerprint> flows(count);
  for (Fingerprint& flow : flows) meters.measure(random_flow(random, 8, values), flow);
  return flows;
}

ModelDatabase two_models(const std::vector<Fingerprint>& one, const std::vector<Fingerprint>& other) {
  ModelDatabase database;
  ProtocolModel& first = database.find_or_add("one", Transport::tcp, Category::plain, "one");
  for (const Fingerprint& flow : one) first.add(flow);
  ProtocolModel& second = database.find_or_add("other", Transport::tcp, Category::plain, "other");
  for (const Fingerprint& flow : other) second.add(flow);
  return database;
}

SparseCounters sum_of(const std::vector<Fingerprint>& flows, std::size_t most_rows = kNoLimit) {
  SparseCounters counters;
  for (const Fingerprint& flow : flows) counters.add(flow, most_rows);
  return counters;
}

TEST(SparseCounters, HoldWhatAModelHolds) {
  const auto flows = some_flows(1, 5, 250);
  ProtocolModel model;
  for (const Fingerprint& flow : flows) model.add(flow);
  ProtocolModel copy;
  sum_of(flows).add_to(copy);
  EXPECT_EQ(copy.counters, model.counters);
  EXPECT_EQ(copy.measurements, model.measurements);
}

TEST(SparseCounters, MergeByAdding) {
  const auto flows = some_flows(2, 6, 100);
  SparseCounters left = sum_of({flows[0], flows[1], flows[2]});
  left.merge(sum_of({flows[3], flows[4], flows[5]}), kNoLimit);
  const SparseCounters all = sum_of(flows);
  EXPECT_TRUE(std::ranges::equal(left.rows(), all.rows()));
  EXPECT_EQ(left.measurements(), all.measurements());
}

TEST(SparseCounters, KeepNoMoreBinsThanTheLimitAndThoseOfLargestShare) {
  const auto flows = some_flows(3, 8, 250);
  const SparseCounters all = sum_of(flows);
  ASSERT_GT(all.rows().size(), 500U);
  SparseCounters limited;
  limited.merge(all, 500);
  EXPECT_EQ(limited.rows().size(), 500U);
  std::array<std::uint64_t, kMeterCount> sums{};
  for (const SparseCounters::Row& row : limited.rows()) sums[row.row / kBinsPerMeter] += row.count;
  EXPECT_EQ(limited.measurements(), sums);
  const auto has = [&](std::uint16_t row) {
    return std::ranges::find(limited.rows(), row, &SparseCounters::Row::row) != limited.rows().end();
  };
  for (const SparseCounters::Row& row : all.rows()) {
    const unsigned meter = row.row / kBinsPerMeter;
    const bool most_of_it = is_scored(meter) && 2 * row.count > all.measurements()[meter];
    EXPECT_TRUE(!most_of_it || has(row.row)) << row.row;
  }
}

TEST(SparseCounters, RefuseRowsThatNoneWouldHave) {
  EXPECT_TRUE(SparseCounters::from_rows({{3, 1}, {4, 7}}));
  EXPECT_FALSE(SparseCounters::from_rows({{4, 1}, {3, 7}}));
  EXPECT_FALSE(SparseCounters::from_rows({{4, 1}, {4, 7}}));
  EXPECT_FALSE(SparseCounters::from_rows({{4, 0}}));
  EXPECT_FALSE(SparseCounters::from_rows({{kRowCount, 1}}));
}

TEST(LogRatioScorer, ScoresAsTheMatcherDoes) {
  const auto one = some_flows(4, 6, 40);
  const auto other = some_flows(5, 6, 250);
  const ModelDatabase database = two_models(one, other);
  const auto matcher = Matcher::build(database);
  ASSERT_TRUE(matcher);
  const LogRatioScorer scorer(database.models);
  const SparseCounters counters = sum_of(one);
  std::vector<Matcher::Score> scores;
  for (const Fingerprint& flow : other) {
    matcher->score_all(Transport::tcp, flow, scores);
    ASSERT_EQ(scores.size(), 2U);
    EXPECT_NEAR(scorer.score(flow, counters), scores[0].score, 0.01F);
  }
}

TEST(LogRatioScorer, LeavesAFlowOutOfItsOwnCounters) {
  const auto flows = some_flows(6, 5, 60);
  const LogRatioScorer scorer(two_models(flows, some_flows(7, 5, 250)).models);
  const SparseCounters without = sum_of({flows[1], flows[2], flows[3], flows[4]});
  EXPECT_NEAR(scorer.score_left_out(flows[0], sum_of(flows)), scorer.score(flows[0], without), 1e-5F);
  EXPECT_GT(scorer.score(flows[0], sum_of(flows)), scorer.score(flows[0], without));
}

TEST(LogRatioScorer, ScoresOneSumAgainstAnother) {
  const auto flows = some_flows(8, 10, 60);
  const auto others = some_flows(9, 5, 250);
  const LogRatioScorer scorer(two_models(flows, others).models);
  const SparseCounters first = sum_of({flows[0], flows[1], flows[2], flows[3], flows[4]});
  const SparseCounters second = sum_of({flows[5], flows[6], flows[7], flows[8], flows[9]});
  EXPECT_GT(scorer.score(first, second), scorer.score(first, sum_of(others)));
  EXPECT_EQ(scorer.score(first, SparseCounters{}), kNothingShared);
}

}  // namespace
}  // namespace spidd
