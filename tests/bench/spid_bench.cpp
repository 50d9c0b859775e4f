// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Time to measure a flow, to match it, to build a matcher and to load models. Flows are made up: half text, half
// random, with as many distinct bins as real ones have.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace {

using namespace spidd;

std::vector<std::vector<PayloadPacket>> make_flows(unsigned packets) {
  std::mt19937 random(1);
  std::vector<std::vector<PayloadPacket>> flows;
  for (unsigned i = 0; i < 64; ++i) flows.push_back(protocol_flow(random, i, packets, 24));
  return flows;
}

ModelDatabase make_database(unsigned models) {
  std::mt19937 random(2);
  AttributeMeters meters;
  Fingerprint flow;
  ModelDatabase database;
  for (unsigned i = 0; i < models; ++i) {
    const std::string label = fmt::format("proto{:03}", i);
    ProtocolModel& model = database.find_or_add(label, Transport::tcp, Category::plain, label);
    for (unsigned k = 0; k < 40; ++k) {
      meters.measure(protocol_flow(random, i, 20, 24), flow);
      model.add(flow);
    }
  }
  return database;
}

void measure(benchmark::State& state) {
  const auto flows = make_flows(static_cast<unsigned>(state.range(0)));
  AttributeMeters meters;
  Fingerprint flow;
  std::size_t next = 0;
  std::size_t rows = 0;
  for (auto _ : state) {
    meters.measure(flows[next++ % flows.size()], flow);
    rows += flow.rows.size();
  }
  state.counters["bins"] = static_cast<double>(rows) / static_cast<double>(state.iterations());
}
BENCHMARK(measure)->Arg(3)->Arg(4)->Arg(8)->Arg(20);

void match(benchmark::State& state) {
  const auto flows = make_flows(static_cast<unsigned>(state.range(0)));
  const Matcher matcher = *Matcher::build(make_database(static_cast<unsigned>(state.range(1))));
  AttributeMeters meters;
  std::vector<Fingerprint> fingerprints(flows.size());
  for (std::size_t i = 0; i < flows.size(); ++i) meters.measure(flows[i], fingerprints[i]);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(matcher.match(Transport::tcp, fingerprints[next++ % fingerprints.size()]));
  }
}
BENCHMARK(match)->Args({8, 64})->Args({8, 128});

void measure_and_match(benchmark::State& state) {
  const auto flows = make_flows(static_cast<unsigned>(state.range(0)));
  const Matcher matcher = *Matcher::build(make_database(static_cast<unsigned>(state.range(1))));
  AttributeMeters meters;
  Fingerprint flow;
  std::size_t next = 0;
  for (auto _ : state) {
    meters.measure(flows[next++ % flows.size()], flow);
    benchmark::DoNotOptimize(matcher.match(Transport::tcp, flow));
  }
}
BENCHMARK(measure_and_match)->Args({8, 64})->Args({8, 128});

void build_matcher(benchmark::State& state) {
  const ModelDatabase database = make_database(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Matcher::build(database));
}
BENCHMARK(build_matcher)->Arg(64)->Arg(150)->Unit(benchmark::kMillisecond);

void load(benchmark::State& state) {
  std::string directory = (std::filesystem::temp_directory_path() / "spid-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("no temporary directory");
  if (!save_models(make_database(static_cast<unsigned>(state.range(0))), directory)) {
    throw std::runtime_error("models cannot be saved");
  }
  for (auto _ : state) benchmark::DoNotOptimize(load_models(directory));
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) bytes += file.file_size();
  state.counters["KiB"] = static_cast<double>(bytes) / 1024;
  std::filesystem::remove_all(directory);
}
BENCHMARK(load)->Arg(150)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
