// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Time that the whole engine takes for a packet that it is shown, with the distributed detectors: ordinary traffic, and
// floods that alert on every packet.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "tests/bench/longest_lap.h"
#include "userspace/spade/spade.h"

namespace {

using namespace spidd;

constexpr std::int64_t kStart = 1'700'000'000;

struct Nobody : SpadeSink {
  void alert(const SpadeAlert& alert) override { alerts += alert.packet.count; }
  void adjusted(const ThresholdAdjusted&) override {}

  std::uint64_t alerts = 0;
};

IpAddress inside(std::uint32_t host) { return IpAddress::from_ipv4(0x0a000000 + host); }
IpAddress outside(std::uint32_t host) { return IpAddress::from_ipv4(0xc6336400 + host); }

Observation packet(const IpAddress& from, std::uint32_t from_port, const IpAddress& to, std::uint32_t to_port,
                   std::uint8_t flags) {
  Observation result;
  result.source = from;
  result.source_port = static_cast<std::uint16_t>(from_port);
  result.destination = to;
  result.destination_port = static_cast<std::uint16_t>(to_port);
  result.tcp_flags = flags;
  return result;
}

Observation reverse(Observation packet, std::uint8_t flags) {
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
  packet.tcp_flags = flags;
  return packet;
}

// What connections, both ways, and name servers show SPADE; of `hosts` at home every tenth is a server.
std::vector<Observation> traffic(std::uint32_t hosts, std::size_t packets) {
  std::mt19937 random(1);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
  std::vector<Observation> stream;
  while (stream.size() < packets) {
    const bool inbound = below(2) == 0;
    const std::uint32_t server = below(std::max(hosts / 10, 1U));
    const Observation open =
        inbound
            ? packet(outside(below(60000)), 1024 + below(60000), inside(server), 20 + below(5) * (server % 50), 0x02)
            : packet(inside(below(hosts)), 1024 + below(60000), outside(below(60000)), 443, 0x02);
    stream.push_back(open);
    stream.push_back(reverse(open, 0x12));
    stream.push_back(reverse(open, 0x11));
    Observation close = open;
    close.tcp_flags = 0x11;
    stream.push_back(close);
    Observation query = packet(inside(below(hosts)), 1024 + below(60000), outside(53), 53, 0);
    query.transport = Transport::udp;
    stream.push_back(query);
    Observation reply = reverse(query, 0);
    reply.reply = true;
    stream.push_back(reply);
  }
  return stream;
}

SpadeSettings distributed() {
  SpadeSettings settings = distributed_settings();
  settings.home = {*IpPrefix::parse("10.0.0.0/8")};
  return settings;
}

void distributed_detectors(benchmark::State& state) {
  Nobody nobody;
  auto spade = Spade::create(distributed(), nobody);
  std::vector<Observation> stream = traffic(static_cast<std::uint32_t>(state.range(0)), 1 << 18);
  std::uint64_t seen = 0;
  const auto show = [&](Observation& shown) {
    shown.time = Timestamp(std::chrono::seconds(kStart)) + std::chrono::microseconds(10 * seen++);
    spade->observe(shown);
  };
  for (Observation& shown : stream) show(shown);
  std::size_t at = 0;
  for (auto _ : state) {
    show(stream[at]);
    at = (at + 1) % stream.size();
  }
  state.counters["alerts"] = static_cast<double>(nobody.alerts);
  state.counters["entries"] = static_cast<double>(spade->statistics().table_entries);
}
BENCHMARK(distributed_detectors)->Arg(1000)->Arg(50'000);

// SYNs to random addresses and ports at home: each is new to closed-dport, which puts it into the queue.
void flood_of_random_syns(benchmark::State& state) {
  Nobody nobody;
  auto spade = Spade::create(distributed(), nobody);
  for (Observation& shown : traffic(1000, 1 << 16)) {
    shown.time = Timestamp(std::chrono::seconds(kStart));
    spade->observe(shown);
  }
  std::mt19937 random(2);
  std::uint64_t seen = 0;
  LongestLap longest;
  for (auto _ : state) {
    Observation shown = packet(outside(static_cast<std::uint32_t>(random() % 1000)), 40000,
                               inside(static_cast<std::uint32_t>(random() & 0xffffff)),
                               static_cast<std::uint32_t>(random() & 0xffff), 0x02);
    shown.time = Timestamp(std::chrono::seconds(kStart + 1)) + std::chrono::microseconds(seen++);
    longest.skip();
    spade->observe(shown);
    longest.lap();
  }
  state.counters["longest_us"] = longest.microseconds();
  state.counters["MiB"] = static_cast<double>(spade->statistics().table_bytes) / (1 << 20);
}
BENCHMARK(flood_of_random_syns)->Iterations(3'000'000);

}  // namespace

BENCHMARK_MAIN();
