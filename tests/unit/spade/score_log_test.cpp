// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The log file's content; entropies and probabilities against the golden vectors 6 and 7 of spade.md 14.
#include "userspace/spade/score_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/spade/probability_table.h"
#include "userspace/spade/state_file.h"

namespace spidd {
namespace {

using testing::HasSubstr;
using testing::Not;

SpadeState::Table copy_of(const ProbabilityTable& table, std::string conditions) {
  SpadeState state;
  state.tables.push_back({std::move(conditions), table.features(), table.decay(), {}, {}, 0, {}});
  SpadeSnapshot snapshot(std::move(state), {&table});
  snapshot.take_all();
  return std::move(snapshot).finish().tables.front();
}

ProbabilityTable golden_table() {
  ProbabilityTable table({Feature::destination, Feature::destination_port}, Decay{1, 0.5, 0.3}, 4096, 1);
  table.advance(1000);
  const auto seen = [&table](std::uint8_t host, std::uint64_t port, double n) {
    const FeatureValue path[] = {value_of(IpAddress::from_ipv4(0x0a000000U + host)), {0, port}};
    table.record(path, n);
  };
  seen(1, 80, 8);
  seen(1, 22, 1);
  seen(2, 22, 1);
  return table;
}

TEST(ScoreLog, HasTheEntropiesOfTheGoldenVector) {
  const std::string text =
      table_log(copy_of(golden_table(), "local dest, syn"), {.entropy = true}, SpadeProfile::documented);
  EXPECT_THAT(text, HasSubstr("Table of local dest, syn\nRecorded is: P(dip,dport)\n"));
  EXPECT_THAT(text, HasSubstr("H(dip)= 0.46899559\nH(dport|dip)= 0.45293250\n"));
}

TEST(ScoreLog, ListsProbabilities) {
  const SpadeState::Table table = copy_of(golden_table(), "syn");
  const StatisticsSettings all{.entropy = false, .unconditional = true, .conditional = true};
  const std::string text = table_log(table, all, SpadeProfile::documented);
  EXPECT_THAT(text, HasSubstr("P(dip=10.0.0.1)= 0.900000000000\n"));
  EXPECT_THAT(text, HasSubstr("P(dip=10.0.0.1,dport=80)= 0.800000000000\n"));
  EXPECT_THAT(text, HasSubstr("P(dport=80|dip=10.0.0.1)= 0.888888888889\n"));
  EXPECT_THAT(table_log(table, all, SpadeProfile::v030125), HasSubstr("P(dport=80|dip=167772161)= 0.888888888889\n"));
  EXPECT_THAT(table_log(table, all, SpadeProfile::documented, 2), HasSubstr("(3 more entries left out)\n"));
}

TEST(ScoreLog, SaysWhenATableStarted) {
  EXPECT_THAT(table_log(copy_of(golden_table(), "syn"), {}, SpadeProfile::documented),
              HasSubstr("\nStarted at 1000, last scaled at 1000\n"));
  const ProbabilityTable empty({Feature::destination}, Decay{1, 0.5, 0.3}, 4096, 1);
  EXPECT_THAT(table_log(copy_of(empty, "syn"), {}, SpadeProfile::documented), testing::EndsWith("\nNot started\n"));
}

TEST(ScoreLog, HasAParagraphForEveryDetector) {
  SpadeStatistics statistics;
  statistics.observations = 1000;
  DetectorStatistics detector;
  detector.id = "web";
  detector.activity = "Closed dest port used";
  detector.scope = "local dest, syn";
  detector.evaluated = 200;
  detector.anomalous = 10;
  statistics.detectors = {detector, DetectorStatistics{}};
  ThresholdAdviser adviser({.id = "web", .target = 3, .hours = 1});
  const ThresholdAdviser* advisers[] = {&adviser};
  const std::string text = score_log(statistics, advisers);
  EXPECT_THAT(text, HasSubstr("1000 packets"));
  EXPECT_THAT(text, HasSubstr("** Closed dest port used: local dest, syn (id=web) **\n"));
  EXPECT_THAT(text, HasSubstr("10 (5.00%) packets considered anomalous\n"));
  EXPECT_THAT(text, HasSubstr("0 (-) packets considered anomalous\n"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  EXPECT_THAT(text, HasSubstr("Threshold learning results (id=web)"));
}

}  // namespace
}  // namespace spidd
