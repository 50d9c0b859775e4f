// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Scores against the golden vectors and the table of spade.md (3.1, 14).
#include "userspace/spade/score.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

TEST(Score, HasTheRelativeScoresOfTheGoldenVectors) {
  EXPECT_NEAR(*relative_score(0, 10), 1.0, 1e-6);
  EXPECT_NEAR(*relative_score(10, 12), 0.065130, 1e-6);
  EXPECT_NEAR(*relative_score(1, 9), 0.698970, 1e-6);
  EXPECT_NEAR(*relative_score(2, 10), 0.541843, 1e-6);
  EXPECT_NEAR(*relative_score(3, 11), 0.442114, 1e-6);
  EXPECT_NEAR(*relative_score(1, 13), 0.737350, 1e-6);
  EXPECT_NEAR(*relative_score(1, 43), 0.816831, 1e-6);
  EXPECT_NEAR(*relative_score(12, 14), 0.052843, 1e-6);
}

TEST(Score, HasTheRawScoresOfTheGoldenVectors) {
  EXPECT_NEAR(raw_score(one_more_probability(0, 4)), 2.321928, 1e-6);
  EXPECT_NEAR(legacy_raw_score(one_more_probability(0, 4)), 1.242925, 1e-6);
}

TEST(Score, IsUndefinedBeforeTheFirstObservation) { EXPECT_FALSE(relative_score(0, 0)); }

TEST(Score, ToleratesTheCountsOfTheTable) {
  EXPECT_NEAR(alerting_count(400, 0.8), 2.3, 0.05);
  EXPECT_NEAR(alerting_count(1e4, 0.85), 3.0, 0.05);
  EXPECT_NEAR(alerting_count(1e6, 0.9), 3.0, 0.05);
  EXPECT_NEAR(alerting_count(1e8, 0.95), 1.5, 0.05);
  EXPECT_NEAR(alerting_count(1e8, 1.0), 0.0, 1e-9);
}

}  // namespace
}  // namespace spidd
