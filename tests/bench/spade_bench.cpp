// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Time to score and count an observation, in ordinary traffic and in floods of random keys, with the longest single
// call; and time that a checkpoint takes from the engine.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "tests/bench/longest_lap.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/score.h"
#include "userspace/spade/state_file.h"

namespace {

using namespace spidd;

using Key = std::array<FeatureValue, 2>;

constexpr std::int64_t kStart = 1'700'000'000;

ProbabilityTable make_table(std::size_t max_entries) {
  return ProbabilityTable({Feature::destination, Feature::destination_port}, Decay{}, max_entries, 0x1234567);
}

FeatureValue host(std::uint64_t number) { return {0, 0x0000ffff0a000000 + number}; }

// 50 ports a host.
Key ordinary_key(std::uint32_t number) { return {host(number / 50), FeatureValue{0, 1 + number % 50 * 1237}}; }

double score_and_record(ProbabilityTable& table, const Key& key) {
  const auto counts = table.counts(key);
  const auto score = relative_score(counts.at[2], counts.at[0]);
  table.record(key);
  return score.value_or(0);
}

// Keys in an order that no prefetcher guesses, made on the spot so that only the table is in the caches: all alike, or
// as of traffic, most of it to few of them (Zipf's law, roughly).
class LiveKeys {
 public:
  LiveKeys(std::uint32_t keys, bool is_traffic) : keys_(keys), is_traffic_(is_traffic) {}

  Key next() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    std::uint64_t among = keys_;
    if (is_traffic_) among = std::max<std::uint64_t>(1, among >> (random_ & 15));
    return ordinary_key(static_cast<std::uint32_t>((random_ >> 32) * among >> 32));
  }

 private:
  std::uint32_t keys_;
  bool is_traffic_;
  std::uint64_t random_ = 88172645463325252;
};

// What the next figures have too much.
void make_live_keys(benchmark::State& state) {
  LiveKeys keys(50'000, true);
  for (auto _ : state) benchmark::DoNotOptimize(keys.next());
}
BENCHMARK(make_live_keys);

void score_and_record_live_keys(benchmark::State& state, bool is_traffic) {
  ProbabilityTable table = make_table(1 << 22);
  table.advance(kStart);
  const auto keys = static_cast<std::uint32_t>(state.range(0));
  for (std::uint32_t i = 0; i < keys; ++i) table.record(ordinary_key(i));
  LiveKeys live(keys, is_traffic);
  std::int64_t packets = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(score_and_record(table, live.next()));
    if (++packets % 100'000 == 0) table.advance(kStart + packets / 100'000);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["entries"] = static_cast<double>(table.entries());
}
BENCHMARK_CAPTURE(score_and_record_live_keys, traffic, true)->Arg(50'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(score_and_record_live_keys, all_alike, false)->Arg(50'000)->Arg(1'000'000);

// What a worst case is made of. `max_entries` small: the table is full for most of the flood.
template <class MakeKey>
void flood(benchmark::State& state, std::size_t max_entries, MakeKey make_key) {
  constexpr int kObservations = 3'000'000;
  std::vector<Key> keys;
  for (int i = 0; i < kObservations; ++i) keys.push_back(make_key());
  const auto run = [&](ProbabilityTable& table, auto after_each) {
    table.advance(kStart);
    std::int64_t second = kStart;
    int until_next_second = 0;
    for (const Key& key : keys) {
      benchmark::DoNotOptimize(score_and_record(table, key));
      // A scaling every 300,000 observations.
      if (++until_next_second == 300'000) {
        until_next_second = 0;
        table.advance(second += 4 * 3600 + 1);
      }
      after_each();
    }
  };
  for (auto _ : state) {
    ProbabilityTable table = make_table(max_entries);
    run(table, [] {});
  }
  ProbabilityTable table = make_table(max_entries);
  LongestLap longest;
  run(table, [&] { longest.lap(); });
  state.SetItemsProcessed(state.iterations() * kObservations);
  state.counters["each_ns"] = benchmark::Counter(static_cast<double>(state.iterations()) * kObservations * 1e-9,
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["longest_us"] = longest.microseconds();
  state.counters["entries"] = static_cast<double>(table.entries());
  state.counters["MiB"] = static_cast<double>(table.bytes()) / (1 << 20);
}

void flood_of_random_ports(benchmark::State& state) {
  std::mt19937_64 random(2);
  flood(state, static_cast<std::size_t>(state.range(0)), [&] {
    return Key{host(random() % 20'000), FeatureValue{0, random() % 65536}};
  });
}
BENCHMARK(flood_of_random_ports)->Arg(1 << 18)->Arg(1 << 22)->Unit(benchmark::kMillisecond);

void flood_of_random_hosts(benchmark::State& state) {
  std::mt19937_64 random(3);
  flood(state, static_cast<std::size_t>(state.range(0)), [&] {
    return Key{FeatureValue{random(), random()}, FeatureValue{0, random() % 65536}};
  });
}
BENCHMARK(flood_of_random_hosts)->Arg(1 << 18)->Arg(1 << 23)->Unit(benchmark::kMillisecond);

// A gap after which a million keys are below the cutoff, and live keys beside them.
void forget_a_million(benchmark::State& state) {
  LongestLap longest;
  for (auto _ : state) {
    ProbabilityTable table = make_table(1 << 21);
    table.advance(kStart);
    std::mt19937_64 random(4);
    for (int i = 0; i < 500'000; ++i) table.record(Key{FeatureValue{random(), random()}, FeatureValue{0, 80}});
    const Key live{host(1), FeatureValue{0, 80}};
    table.record(live, 1000);
    std::int64_t second = kStart + 48 * 4 * 3600;
    for (int i = 0; table.entries() > 2; ++i) {
      if (i == 0) longest.skip();
      if (i % 1000 == 0) table.advance(++second);
      benchmark::DoNotOptimize(score_and_record(table, live));
      longest.lap();
    }
  }
  state.counters["longest_us"] = longest.microseconds();
}
BENCHMARK(forget_a_million)->Unit(benchmark::kMillisecond)->Iterations(2);

// Copying in the engine's thread, and what the writer then does in another.
void checkpoint(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  ProbabilityTable table = make_table(1 << 22);
  table.advance(kStart);
  for (std::uint32_t i = 0; i < state.range(0); ++i) table.record(ordinary_key(i));
  LongestLap longest;
  Clock::duration copying{};
  Clock::duration encoding{};
  std::size_t bytes = 0;
  for (auto _ : state) {
    SpadeState head;
    head.tables.push_back({.conditions = "tcp", .features = table.features(), .decay = table.decay(), .entries = {}});
    SpadeSnapshot snapshot(std::move(head), {&table});
    for (bool done = false; !done;) {
      const Clock::time_point before = Clock::now();
      longest.skip();
      done = snapshot.take_slice();
      longest.lap();
      copying += Clock::now() - before;
    }
    const Clock::time_point before = Clock::now();
    bytes = encode_state(std::move(snapshot).finish()).size();
    encoding += Clock::now() - before;
  }
  const auto each_ms = [&](Clock::duration sum) {
    return std::chrono::duration<double, std::milli>(sum).count() / static_cast<double>(state.iterations());
  };
  state.counters["copy_ms"] = each_ms(copying);
  state.counters["encode_ms"] = each_ms(encoding);
  state.counters["longest_slice_us"] = longest.microseconds();
  state.counters["MiB"] = static_cast<double>(bytes) / (1 << 20);
}
BENCHMARK(checkpoint)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
