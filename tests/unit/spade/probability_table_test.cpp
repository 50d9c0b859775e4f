// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a probability table counts, forgets and gives up; golden vectors of spade.md 14.
#include "userspace/spade/probability_table.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "userspace/spade/score.h"

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

void record(ProbabilityTable& table, const Path& path, std::uint64_t times = 1) {
  for (; times > 0; --times) table.record(path);
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

TEST(ProbabilityTable, IgnoresAClockThatGoesBack) {
  ProbabilityTable table = destination_ports(kFastDecay);
  table.advance(1'000'000);
  record(table, {kA, k80}, 8);
  table.advance(0);
  table.advance(1'000'060);
  EXPECT_EQ(table.counts({}).at[0], 8);
  table.advance(1'000'061);
  table.advance(1'000'000);
  EXPECT_EQ(table.counts(Path{kA, k80}).at[2], 4);
}

TEST(ProbabilityTable, TakesTheLongestGapInOneStep) {
  for (const double factor : {0.0, 0.5, 0.96409, 0.9999, 1.0}) {
    ProbabilityTable table = destination_ports({1, factor, 0.18});
    table.advance(std::numeric_limits<std::int64_t>::min() + 1);
    record(table, {kA, k80}, 1000);
    table.advance(std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(table.counts(Path{kA, k80}).at[2], factor == 1 ? 1000 : 0) << factor;
    EXPECT_EQ(table.entries(), factor == 1 ? 2U : 0U) << factor;
    record(table, {kB, k22});
    EXPECT_EQ(table.counts(Path{kB, k22}).at[2], 1) << factor;
  }
}

TEST(ProbabilityTable, RemembersAsLongAsTheSpecificationSays) {
  // 2.4: a key seen n times is forgotten after ceil(ln(cutoff / n) / ln f) scalings.
  for (const unsigned times : {1U, 10U, 1000U}) {
    ProbabilityTable table({Feature::source}, Decay{}, 4096, 7);
    table.advance(0);
    record(table, {kA}, times);
    const auto scalings = static_cast<std::int64_t>(std::ceil(std::log(0.18 / times) / std::log(0.96409)));
    table.advance(scalings * 14400);
    EXPECT_GE(table.counts(Path{kA}).at[1], 0.18);
    table.advance(scalings * 14400 + 1);
    EXPECT_EQ(table.counts(Path{kA}).at[1], 0);
    EXPECT_EQ(table.entries(), 0U);
    EXPECT_EQ(table.counts({}).at[0], 0);
  }
}

// The original's semantics (2.3, 2.4), as plainly as they can be written: trees in trees, and a pass over all of them
// at each scaling.
struct Tree {
  struct Leaf {
    double count = 0;
    std::unique_ptr<Tree> below = std::make_unique<Tree>();
  };
  double sum = 0;
  std::map<FeatureValue, Leaf> leaves;

  void add(std::span<const FeatureValue> values, double n) {
    if (values.empty()) return;
    sum += n;
    Leaf& leaf = leaves[values[0]];
    leaf.count += n;
    leaf.below->add(values.subspan(1), n);
  }
  void scale(double factor, double cutoff) {
    sum *= factor;
    for (auto at = leaves.begin(); at != leaves.end();) {
      at->second.count *= factor;
      if (at->second.count < cutoff) {
        sum -= at->second.count;
        at = leaves.erase(at);
      } else {
        at->second.below->scale(factor, cutoff);
        ++at;
      }
    }
    if (leaves.empty()) sum = 0;
  }
  const Leaf* find(std::span<const FeatureValue> values) const {
    const auto at = leaves.find(values[0]);
    if (at == leaves.end()) return nullptr;
    return values.size() == 1 ? &at->second : at->second.below->find(values.subspan(1));
  }
  double entropy() const {
    double counts = 0;
    for (const auto& [value, leaf] : leaves) counts += leaf.count;
    double bits = 0;
    for (const auto& [value, leaf] : leaves) bits -= leaf.count / counts * std::log2(leaf.count / counts);
    return bits;
  }
  std::size_t entries() const {
    std::size_t sum_of = leaves.size();
    for (const auto& [value, leaf] : leaves) sum_of += leaf.below->entries();
    return sum_of;
  }
};

struct Stream {
  std::size_t depth;
  Decay decay;
  unsigned values;  // of each feature
  int longest_gap;  // seconds
  std::uint64_t seed;
};

class ProbabilityTableStream : public testing::TestWithParam<Stream> {};

TEST_P(ProbabilityTableStream, IsWhatTheOriginalsTreesAre) {
  const Stream& stream = GetParam();
  ProbabilityTable table(std::vector<Feature>(stream.depth, Feature::source), stream.decay, 1 << 16, stream.seed);
  for (std::size_t depth = 0; depth < stream.depth; ++depth) table.track_entropy(depth);
  Tree tree;
  std::mt19937_64 random(stream.seed);
  const std::int64_t interval = 60 * stream.decay.interval_minutes;
  std::int64_t now = 1'000'000;
  std::int64_t last = now;
  table.advance(now);
  const auto path = [&] {
    Path values;
    for (std::size_t i = 0; i < stream.depth; ++i) {
      // Some often, most seldom.
      const std::uint64_t below = random() % 3 == 0 ? stream.values : 1 + stream.values / 16;
      values.push_back({random() % 2, random() % below});
    }
    return values;
  };
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 8 == 0) now += static_cast<std::int64_t>(random() % static_cast<unsigned>(stream.longest_gap));
    if (random() % 3000 == 0) now += interval * static_cast<std::int64_t>(random() % 700);
    table.advance(random() % 50 == 0 ? now - 5000 : now);
    table.advance(now);
    for (; now - last > interval; last += interval) tree.scale(stream.decay.factor, stream.decay.cutoff);

    const Path asked = path();
    const auto counts = table.counts(asked);
    ASSERT_NEAR(counts.at[0], tree.sum, 1e-9 * (1 + tree.sum)) << i;
    for (std::size_t depth = 1; depth <= stream.depth; ++depth) {
      const std::span<const FeatureValue> prefix(asked.data(), depth);
      const Tree::Leaf* leaf = tree.find(prefix);
      ASSERT_EQ(counts.at[depth], leaf == nullptr ? 0 : leaf->count) << i;
      if (depth == stream.depth) break;
      ASSERT_NEAR(table.entropy(prefix), leaf == nullptr ? 0 : leaf->below->entropy(), 1e-8) << i;
    }
    ASSERT_NEAR(table.entropy({}), tree.entropy(), 1e-8) << i;
    if (i % 64 == 0) {
      ASSERT_EQ(table.entries(), tree.entries()) << i;
      std::size_t visited = 0;
      table.for_each([&](std::span<const FeatureValue> live, double count) {
        const Tree::Leaf* leaf = tree.find(live);
        ASSERT_NE(leaf, nullptr);
        ASSERT_EQ(leaf->count, count);
        ++visited;
      });
      ASSERT_EQ(visited, tree.entries()) << i;
    }
    const Path added = path();
    const double n = random() % 10 == 0 ? static_cast<double>(1 + random() % 100) : 1;
    table.record(added, n);
    tree.add(added, n);
  }
  EXPECT_GT(table.counters().forgotten, 100U);
  EXPECT_EQ(table.counters().evicted, 0U);
  EXPECT_EQ(table.counters().refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(Streams, ProbabilityTableStream,
                         testing::Values(Stream{1, {1, 0.5, 0.3}, 400, 30, 1}, Stream{2, {1, 0.5, 0.3}, 60, 60, 2},
                                         Stream{2, {240, 0.96409, 0.18}, 60, 50'000, 3},
                                         Stream{3, {90, 0.97957, 0.25}, 30, 90'000, 4},
                                         Stream{4, {60, 0.94387, 0.25}, 12, 20'000, 5},
                                         Stream{2, {1, 0.0, 0.18}, 60, 20, 6}, Stream{3, {1, 0.9, 2.5}, 12, 60, 7}));

// Values that nobody else has.
Path random_path(std::mt19937_64& random) { return {{random(), random()}, {0, random()}}; }

TEST(ProbabilityTable, KeepsABaselineThroughAFloodOfRandomKeys) {
  constexpr std::size_t kRoom = 20'000;
  ProbabilityTable table = destination_ports(Decay{}, kRoom);
  table.advance(1'000'000);
  for (std::uint64_t host = 0; host < 50; ++host)
    for (std::uint64_t port = 0; port < 100; ++port) record(table, {{1, host}, {0, port}}, 1 + port % 3);
  std::mt19937_64 random(5);
  for (int i = 0; i < 300'000; ++i) {
    record(table, random_path(random));
    ASSERT_LE(table.entries(), kRoom);
    if (i % 1000 == 0) table.advance(1'000'000 + i / 1000);
  }
  const auto expect_counts = [&](std::uint64_t at_least) {
    for (std::uint64_t host = 0; host < 50; ++host) {
      ASSERT_EQ(table.counts(Path{{1, host}}).at[1], 199);
      for (std::uint64_t port = 0; port < 100; ++port) {
        if (1 + port % 3 >= at_least) {
          ASSERT_EQ(table.counts(Path{{1, host}, {0, port}}).at[2], 1 + port % 3);
        }
      }
    }
  };
  expect_counts(1);
  // Keys that come twice push out what was seen once, but nothing else.
  for (int i = 0; i < 300'000; ++i) record(table, random_path(random), i % 4 == 0 ? 2 : 1);
  expect_counts(2);
  EXPECT_GT(table.counters().evicted, 200'000U);
  EXPECT_LE(table.bytes(), kRoom * ProbabilityTable::kBytesPerEntry + ProbabilityTable::kFixedBytes);
}

TEST(ProbabilityTable, CountsInNWhatItGaveUpForRoom) {
  ProbabilityTable table = destination_ports(kFastDecay);
  table.advance(1000);
  table.record(Path{kA, k80}, 20'000);
  std::mt19937_64 random(9);
  for (int i = 0; i < 300'000; ++i) record(table, random_path(random));
  EXPECT_GT(table.counters().evicted, 500'000U);
  auto counts = table.counts(Path{kA, k80});
  EXPECT_EQ(counts.at[0], 320'000);
  EXPECT_EQ(counts.at[2], 20'000);
  EXPECT_NEAR(*relative_score(counts.at[2], counts.at[0]), 1 - std::log(20'001) / std::log(320'001), 1e-9);
  table.advance(1061);
  EXPECT_EQ(table.counts({}).at[0], 160'000) << "decays with the rest";
  // What is left of the table takes its own count with it when it is forgotten, no more.
  table.advance(1121);
  counts = table.counts(Path{kA, k80});
  EXPECT_EQ(counts.at[2], 5000);
  EXPECT_LE(counts.at[0], 80'000);
  EXPECT_GE(counts.at[0], 80'000 - 4096 * 0.25);
}

TEST(ProbabilityTable, CountsInNWhatWasRefused) {
  ProbabilityTable table = destination_ports(kNoDecay, ProbabilityTable::kMinEntries);
  for (std::uint64_t i = 0; i < 3000; ++i) record(table, {{1, i}, {0, i}}, 3);
  EXPECT_EQ(table.counts({}).at[0], 9000);
}

TEST(ProbabilityTable, LearnsNewKeysDuringAFlood) {
  ProbabilityTable table = destination_ports(Decay{}, 20'000);
  table.advance(1'000'000);
  std::mt19937_64 random(6);
  for (int i = 0; i < 100'000; ++i) record(table, random_path(random), 2);
  for (int i = 0; i < 20'000; ++i) {
    if (i % 500 == 0) record(table, {kA, k80});
    record(table, random_path(random));
  }
  EXPECT_GE(table.counts(Path{kA, k80}).at[2], 38);
}

TEST(ProbabilityTable, StaysWithinItsBytesWhenFull) {
  for (const std::size_t entries : {ProbabilityTable::kMinEntries, std::size_t{5000}, std::size_t{40'000}}) {
    ProbabilityTable table = destination_ports(kNoDecay, entries);
    table.track_entropy(1);
    std::mt19937_64 random(10);
    for (std::size_t i = 0; i < 2 * entries; ++i) record(table, random_path(random));
    EXPECT_GT(table.entries(), entries / 10 * 9);
    EXPECT_LE(table.bytes(), ProbabilityTable::kFixedBytes + entries * ProbabilityTable::kBytesPerEntry) << entries;
  }
}

TEST(ProbabilityTable, CountsWhatFindsNoRoom) {
  ProbabilityTable table({Feature::destination, Feature::destination_port}, Decay{}, ProbabilityTable::kMinEntries, 7);
  // A single parent whose children were all seen again: nothing to give up but what is among the newcomers.
  for (std::uint64_t i = 0; i < 5000; ++i) record(table, {kA, {0, i}}, 3);
  EXPECT_EQ(table.counts(Path{kA}).at[1], 15'000);
  EXPECT_EQ(table.counts({}).at[0], 15'000);
  EXPECT_LE(table.entries(), ProbabilityTable::kMinEntries);
  EXPECT_EQ(table.counts(Path{kA, {0, 0}}).at[2], 3);
  EXPECT_GT(table.counters().evicted + table.counters().refused, 3000U);
}

TEST(ProbabilityTable, IsTheSameAfterSavingAndRestoring) {
  ProbabilityTable table = destination_ports({1, 0.9, 0.3});
  table.track_entropy(1);
  table.advance(1000);
  std::mt19937_64 random(8);
  for (int i = 0; i < 3000; ++i) {
    record(table, {{0, random() % 20}, {0, random() % 50}});
    table.advance(1000 + i / 5);
  }
  ProbabilityTable copy = destination_ports({1, 0.9, 0.3});
  copy.track_entropy(1);
  ASSERT_TRUE(copy.restore_clock(table.start_second(), table.last_scaled_second(), table.counts({}).at[0]));
  table.for_each([&](std::span<const FeatureValue> path, double count) { ASSERT_TRUE(copy.restore(path, count)); });
  EXPECT_EQ(copy.entries(), table.entries());
  for (const std::int64_t second : {1600, 1700, 2200, 2600}) {
    table.advance(second);
    copy.advance(second);
    EXPECT_EQ(copy.entries(), table.entries());
    EXPECT_NEAR(copy.counts({}).at[0], table.counts({}).at[0], 1e-9);
    for (std::uint64_t host = 0; host < 20; ++host) {
      EXPECT_NEAR(copy.entropy(Path{{0, host}}), table.entropy(Path{{0, host}}), 1e-9);
      for (std::uint64_t port = 0; port < 50; ++port)
        EXPECT_EQ(copy.counts(Path{{0, host}, {0, port}}).at, table.counts(Path{{0, host}, {0, port}}).at);
    }
  }
}

TEST(ProbabilityTable, RefusesToRestoreWhatCannotBe) {
  ProbabilityTable table = destination_ports(kFastDecay, ProbabilityTable::kMinEntries);
  EXPECT_FALSE(table.restore_clock(0, 0, std::nan("")));
  EXPECT_FALSE(table.restore_clock(0, std::numeric_limits<std::int64_t>::max(), 1));
  ASSERT_TRUE(table.restore_clock(0, 0, 5000));
  EXPECT_FALSE(table.restore_clock(0, 0, 5000)) << "has a clock";
  EXPECT_FALSE(table.restore(Path{kA, k80}, 1)) << "no parent";
  EXPECT_FALSE(table.restore({}, 1));
  EXPECT_FALSE(table.restore(Path{kA}, 5001));
  EXPECT_FALSE(table.restore(Path{kA}, std::nan("")));
  ASSERT_TRUE(table.restore(Path{kA}, 10));
  EXPECT_FALSE(table.restore(Path{kA}, 10)) << "twice";
  EXPECT_FALSE(table.restore(Path{kA, k80}, 11)) << "above its parent";
  EXPECT_FALSE(table.restore(Path{kA, k80, k80}, 1)) << "too deep";
  for (std::uint64_t i = 0; i + 1 < ProbabilityTable::kMinEntries; ++i) ASSERT_TRUE(table.restore(Path{{9, i}}, 1));
  const Result<> full = table.restore(Path{kB}, 1);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ENOSPC);
}

TEST(ProbabilityTable, CopiesInSlicesWhatItHas) {
  ProbabilityTable table = destination_ports(kNoDecay);
  for (std::uint64_t i = 0; i < 100; ++i) record(table, {{0, i % 10}, {0, i}});
  std::vector<ProbabilityTable::Stored> copied;
  std::uint32_t place = 0;
  std::size_t slices = 0;
  do {
    const std::size_t before = copied.size();
    place = table.copy_slice(place, 16, copied);
    EXPECT_LE(copied.size() - before, 16U);
    ++slices;
  } while (place != 0);
  EXPECT_EQ(copied.size(), 110U);
  EXPECT_EQ(slices, 7U);
}

}  // namespace
}  // namespace spidd
