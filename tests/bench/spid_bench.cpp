// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Time to measure a flow, to match it, to build a matcher and to load models. Flows are made up: half text, half
// random. With SPIDD_BENCH_CAPTURES=DIR measure_and_match has those of all captures below DIR, too.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "tests/unit/spid/test_flows.h"
#include "userspace/capture/pcap_source.h"
#include "userspace/spid/matcher.h"

namespace {

using namespace spidd;

using Flows = std::vector<std::vector<PayloadPacket>>;

Flows make_flows(unsigned packets) {
  std::mt19937 random(1);
  Flows flows;
  for (unsigned i = 0; i < 64; ++i) flows.push_back(protocol_flow(random, i, packets, 24));
  return flows;
}

// The flows of all captures below `directory` that have so many payload packets, cut there, in an order that mixes
// captures as a gateway mixes its users.
Flows load_flows(const std::string& directory, std::size_t packets) {
  Flows flows;
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (file.path().extension() == ".pcap" || file.path().extension() == ".pcapng") files.push_back(file.path());
  }
  std::ranges::sort(files);
  for (const std::string& file : files) {
    auto source = PcapSource::open(file);
    if (!source) throw std::runtime_error(source.error().message);
    std::map<std::pair<FlowKey, Timestamp>, std::vector<PayloadPacket>> open;
    // What stands before a damage is used.
    static_cast<void>(source->run([&](const PacketRecord& record) {
      if (record.type != PacketRecord::Type::payload) return;
      auto& flow = open[{record.key, record.flow_start}];
      if (flow.size() < packets) flow.push_back(record.packet);
    }));
    for (auto& [key, flow] : open) {
      if (flow.size() == packets) flows.push_back(std::move(flow));
    }
  }
  std::ranges::shuffle(flows, std::mt19937(1));
  return flows;
}

// Models that have learned from the very flows they are matched with: what counts is their number.
ModelDatabase train(const Flows& flows, unsigned models) {
  AttributeMeters meters;
  Fingerprint flow;
  ModelDatabase database;
  for (unsigned i = 0; i < models; ++i) {
    const std::string label = fmt::format("proto{:03}", i);
    ProtocolModel& model = database.find_or_add(label, Transport::tcp, Category::plain, label);
    for (std::size_t k = i % flows.size(); k < flows.size(); k += models) {
      meters.measure(flows[k], flow);
      model.add(flow);
    }
  }
  return database;
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

// What a flow costs from its packets to its match: time of each call, so that the median is that of flows, not of
// runs.
void measure_and_match(benchmark::State& state, const Flows& flows, unsigned models, Simd simd) {
  using Clock = std::chrono::steady_clock;
  const Matcher matcher = *Matcher::build(train(flows, models), Profile::background, simd);
  AttributeMeters meters(MeterRules::corrected, simd);
  std::array<PayloadPacket, kRecordLimit> packets;
  Fingerprint flow;
  std::vector<double> seconds;
  seconds.reserve(1 << 22);
  std::size_t next = 0;
  std::size_t rows = 0;
  for (auto _ : state) {
    // As the engine does: the packets have just been copied out of the packet store.
    const auto& stored = flows[next++ % flows.size()];
    std::ranges::copy(stored, packets.begin());
    const Clock::time_point begin = Clock::now();
    meters.measure(std::span(packets).first(stored.size()), flow);
    benchmark::DoNotOptimize(matcher.match(Transport::tcp, flow));
    const double duration = std::chrono::duration<double>(Clock::now() - begin).count();
    state.SetIterationTime(duration);
    if (seconds.size() < seconds.capacity()) seconds.push_back(duration);
    rows += flow.rows.size();
  }
  std::ranges::sort(seconds);
  const auto microseconds = [&seconds](double share) {
    return 1e6 * seconds[static_cast<std::size_t>(share * static_cast<double>(seconds.size() - 1))];
  };
  state.counters["p10_us"] = microseconds(0.1);
  state.counters["median_us"] = microseconds(0.5);
  state.counters["p90_us"] = microseconds(0.9);
  state.counters["bins"] = static_cast<double>(rows) / static_cast<double>(state.iterations());
}

void register_measure_and_match(const std::string& name, const Flows& flows) {
  for (const unsigned models : {64U, 256U}) {
    for (const Simd simd : available_simd()) {
      benchmark::RegisterBenchmark(
          fmt::format("measure_and_match/{}/{}/{}", name, models, simd_name(simd)).c_str(),
          [&flows, models, simd](benchmark::State& state) { measure_and_match(state, flows, models, simd); })
          ->UseManualTime();
    }
  }
}

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

int main(int argc, char** argv) {
  const Flows made_up = make_flows(8);
  register_measure_and_match("made-up", made_up);
  const char* captures = std::getenv("SPIDD_BENCH_CAPTURES");
  const Flows captured = captures == nullptr ? Flows{} : load_flows(captures, 8);
  if (!captured.empty()) register_measure_and_match(fmt::format("captured-{}-flows", captured.size()), captured);

  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
