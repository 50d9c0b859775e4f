// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Surveys and advisers against the golden vectors 12 and 13 of spade.md 14.
#include "userspace/spade/survey.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "userspace/spade/adviser.h"

namespace spidd {
namespace {

ScoreSurvey::Row row_of(int n, SpadeProfile profile) {
  ScoreSurvey survey({.id = "s", .file = "", .interval_minutes = 1}, profile);
  const ScoreClock clock{.second = 1'700'000'000};
  survey.tick(clock);
  for (int i = n; i >= 1; --i) survey.add({static_cast<double>(i), 0}, 1, clock);
  EXPECT_EQ(survey.tick({.second = clock.second + 60}), 0U);
  EXPECT_EQ(survey.tick({.second = clock.second + 61}), 1U);
  return survey.rows().at(0);
}

TEST(ScoreSurvey, HasThePercentilesOfTheGoldenVectors) {
  const ScoreSurvey::Row five = row_of(5, SpadeProfile::documented);
  EXPECT_DOUBLE_EQ(five.median, 3);
  EXPECT_DOUBLE_EQ(five.percentile90, 4.6);
  EXPECT_DOUBLE_EQ(row_of(101, SpadeProfile::documented).median, 51);
  EXPECT_DOUBLE_EQ(row_of(101, SpadeProfile::documented).percentile99, 100);
}

TEST(ScoreSurvey, IsOneRankTooHighAsTheOriginal) {
  const ScoreSurvey::Row five = row_of(5, SpadeProfile::v030125);
  EXPECT_DOUBLE_EQ(five.median, 4);
  EXPECT_DOUBLE_EQ(five.percentile90, 5);
  const ScoreSurvey::Row more = row_of(101, SpadeProfile::v030125);
  EXPECT_DOUBLE_EQ(more.median, 52);
  EXPECT_DOUBLE_EQ(more.percentile90, 92);
  EXPECT_DOUBLE_EQ(more.percentile99, 101);
}

TEST(ScoreSurvey, WritesTheOriginalsLines) {
  EXPECT_EQ(row_of(5, SpadeProfile::documented).text(), "1\t5\t3.000000\t4.600000\t4.960000\n");
}

TEST(ScoreSurvey, HasZerosForEmptyIntervalsAndSurvivesLongGaps) {
  ScoreSurvey survey({.id = "s", .file = "", .interval_minutes = 1}, SpadeProfile::documented);
  survey.tick({.second = 1000});
  survey.add({0.5, 0}, 3, {.second = 1000});
  EXPECT_EQ(survey.tick({.second = 1000 + 181}), 3U);
  EXPECT_EQ(survey.rows()[0].count, 3U);
  EXPECT_EQ(survey.rows()[2].text(), "3\t0\t0.000000\t0.000000\t0.000000\n");
  // A century later.
  EXPECT_EQ(survey.tick({.second = 3'000'000'000}), ScoreSurvey::kRowsKept);
  EXPECT_EQ(survey.rows().size(), ScoreSurvey::kRowsKept);
  EXPECT_EQ(survey.rows().back().interval, 49'999'983U);
}

TEST(ScoreDistribution, IsExactWhileSmallAndWithinAThousandthBeyond) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{1000}, std::size_t{100000}}) {
    ScoreDistribution distribution;
    std::vector<double> all;
    for (std::size_t i = 0; i < n; ++i) {
      const double score = uniform(random) < 0.5 ? uniform(random) : 20 * uniform(random);
      all.push_back(score);
      distribution.add(score, 1);
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(distribution.exact(), n <= ScoreDistribution::kExactScores);
    for (const double part : {0.0, 0.1, 0.5, 0.9, 0.99, 1.0}) {
      const double rank = static_cast<double>(n - 1) * part + 1;
      const auto below = static_cast<std::size_t>(rank);
      const double above = all[std::min(below, n - 1)];
      const double expected = all[below - 1] + (rank - static_cast<double>(below)) * (above - all[below - 1]);
      EXPECT_NEAR(distribution.at(rank), expected, distribution.exact() ? 1e-12 : expected * 0.0011)
          << n << " " << part;
    }
  }
}

TEST(ScoreDistribution, TakesManyEqualScoresAsOne) {
  ScoreDistribution distribution;
  for (int i = 0; i < 1000; ++i) distribution.add(1.0, 1'000'000);
  distribution.add(0.25, 1);
  EXPECT_TRUE(distribution.exact());
  EXPECT_EQ(distribution.at(1), 0.25);
  EXPECT_EQ(distribution.at(2), 1.0);
}

TEST(ThresholdAdviser, AdvisesTheThresholdOfTheGoldenVector) {
  ThresholdAdviser adviser({.id = "a", .target = 3, .hours = 1});
  adviser.tick({.second = 1000});
  for (int i = 1; i <= 20; ++i) adviser.add({static_cast<double>(i), 0}, 1, {.second = 1000});
  EXPECT_FALSE(adviser.tick({.second = 1000 + 3600}));
  EXPECT_NE(adviser.text().find("so far"), std::string::npos);
  EXPECT_TRUE(adviser.tick({.second = 1000 + 3601}));
  EXPECT_FALSE(adviser.tick({.second = 1000 + 3602}));
  adviser.add({100, 0}, 1, {.second = 9000});  // too late

  const ThresholdAdviser::Advice advice = adviser.advice();
  EXPECT_DOUBLE_EQ(advice.threshold, 17.5);
  EXPECT_EQ(advice.scores, 20U);
  EXPECT_EQ(advice.top_scores, (std::vector<double>{18, 19, 20}));
  EXPECT_EQ(advice.runner_up, 17);
  EXPECT_EQ(adviser.text(),
            "Threshold learning results (id=a): top 3 anomaly scores over 1.00028 hours (20 scores)\n"
            "  Suggested threshold based on observation: 17.500000\n"
            "  Top scores: 18.00000,19.00000,20.00000\n"
            "  First runner up is 17.00000, so use threshold between 17.00000 and 18.00000 for 2.999 packets/hr\n");
}

TEST(ThresholdAdviser, SaysThatItHasSeenNothing) {
  const ThresholdAdviser adviser({.id = "a", .target = 3, .hours = 1});
  EXPECT_NE(adviser.text().find("No scores yet"), std::string::npos);
}

}  // namespace
}  // namespace spidd
