// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a probability table counts, forgets and gives up; golden vectors of spade.md 14.
#include "userspace/spade/probability_table.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace spidd {
namespace {

constexpr Decay kNoDecay{0, 0.5, 0.3};
constexpr Decay kFastDecay{1, 0.5, 0.3};
constexpr FeatureValue kA{0, 1};
constexpr FeatureValue kB{0, 2};
constexpr FeatureValue k22{0, 22};
constexpr FeatureValue k80{0, 80};

using Path = std::vector<FeatureValue>;

ProbabilityTable destination_ports(const Decay& decay, std::size_t max_entries = 4096) {
  return ProbabilityTable({Feature::destination, Feature::destination_port}, decay, max_entries, 7);
}

void record(ProbabilityTable& table, const Path& path, int times = 1) {
  for (int i = 0; i < times; ++i) table.record(path);
}

TEST(ProbabilityTable, CountsEveryLevel) {
  ProbabilityTable table = destination_ports(kNoDecay);
  record(table, {kA, k80}, 3);
  record(table, {kA, k22});
  record(table, {kB, k22}, 2);
  const auto counts = table.counts(Path{kA, k80});
  EXPECT_EQ(counts.at[0], 6);
  EXPECT_EQ(counts.at[1], 4);
  EXPECT_EQ(counts.at[2], 3);
  EXPECT_EQ(table.counts(Path{{0, 3}, k80}).at[1], 0);
  EXPECT_EQ(table.counts(Path{{0, 3}, k80}).at[2], 0);
  EXPECT_EQ(table.counts(Path{kB}).at[1], 2);
  EXPECT_EQ(table.entries(), 5U);
}

TEST(ProbabilityTable, DecaysAndForgetsAsTheOriginal) {
  ProbabilityTable table = destination_ports(kFastDecay);
  table.advance(1000);
  record(table, {kA, k80}, 8);
  record(table, {kA, k22});
  record(table, {kB, k22});
  table.advance(1060);
  EXPECT_EQ(table.counts({}).at[0], 10);
  table.advance(1061);
  EXPECT_EQ(table.counts({}).at[0], 5);
  table.advance(1121);
  const auto counts = table.counts(Path{kA, k80});
  EXPECT_EQ(counts.at[0], 2.25);
  EXPECT_EQ(counts.at[1] / counts.at[0], 1);
  EXPECT_NEAR(counts.at[2] / counts.at[0], 0.888889, 5e-7);
  EXPECT_EQ(table.counts(Path{kB, k22}).at[1], 0);
  EXPECT_EQ(table.counts(Path{kA, k22}).at[2], 0);
  EXPECT_EQ(table.entries(), 2U);
  table.advance(1181);
  EXPECT_EQ(table.counts({}).at[0], 1.125);
  table.advance(1241);
  EXPECT_EQ(table.counts({}).at[0], 0.5625);
}

TEST(ProbabilityTable, KeepsEntropies) {
  ProbabilityTable table = destination_ports(kFastDecay);
  table.track_entropy(0);
  table.track_entropy(1);
  table.advance(1000);
  record(table, {kA, k80}, 8);
  record(table, {kA, k22});
  record(table, {kB, k22});
  EXPECT_NEAR(table.entropy({}), 0.46899559, 5e-9);
  const double below = 9.0 / 10 * table.entropy(Path{kA}) + 1.0 / 10 * table.entropy(Path{kB});
  EXPECT_NEAR(below, 0.45293250, 5e-9);
  EXPECT_EQ(table.entropy(Path{{0, 9}}), 0);
  table.advance(1121);
  EXPECT_NEAR(table.entropy({}), 0, 1e-12);
  EXPECT_NEAR(table.entropy(Path{kA}), 0, 1e-12);
}

}  // namespace
}  // namespace spidd
