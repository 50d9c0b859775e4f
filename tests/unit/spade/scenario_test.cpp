// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The synthetic network of spade.md 11.4 and its attacks, with the counts that the original gave; and the comparison of
// aggregated and single packets of 12.10.
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "tests/unit/spade/spade_fixture.h"

namespace spidd {
namespace {

using namespace spade_test;

constexpr std::uint32_t kNetwork = 0x0a010000;  // 10.1.0.0/16
constexpr unsigned kLive = 200;                 // 10.1.0.1 to 10.1.0.200, of which the first 40 are servers
constexpr unsigned kServers = 40;
constexpr std::uint16_t kOpenPort = 80;

// From 1; none ends in 255, which the original takes for a broadcast address.
IpAddress inside(unsigned host) {
  return IpAddress::from_ipv4(kNetwork + (host - 1) / 200 * 256 + (host - 1) % 200 + 1);
}
IpAddress outside(unsigned host) { return IpAddress::from_ipv4(0xc6336400U + host); }

Observation syn(double second, const IpAddress& from, unsigned from_port, const IpAddress& to, unsigned to_port) {
  Observation packet;
  packet.time = at(second);
  packet.source = from;
  packet.source_port = static_cast<std::uint16_t>(from_port);
  packet.destination = to;
  packet.destination_port = static_cast<std::uint16_t>(to_port);
  packet.tcp_flags = kSyn;
  return packet;
}

unsigned below(std::mt19937& random, unsigned limit) { return static_cast<unsigned>(random() % limit); }

class Network {
 public:
  explicit Network(SpadeProfile profile) : engine_(settings(profile)) {}

  // Twenty minutes: clients use servers, hosts use the Internet and its name servers.
  void background() {
    std::mt19937 random(1);
    for (unsigned host = 1; host <= kLive; host++)
      for (unsigned i = 0; i < 12; i++) connect(syn(0, inside(host), 2000 + i, outside(host % 50), 443));
    for (unsigned second = 0; second < 1200; second++) {
      for (unsigned i = 0; i < 12; i++) {
        const unsigned server = 1 + below(random, kServers);
        const unsigned port = below(random, 4) != 0 ? kOpenPort : 20000 + server;
        connect(syn(second, outside(below(random, 250)), 1024 + below(random, 60000), inside(server), port));
        const unsigned host = 1 + below(random, kLive);
        connect(syn(second, inside(host), 1024 + below(random, 60000), outside(below(random, 250)), 443));
        Observation query = syn(second, inside(host), 1024 + below(random, 60000), outside(53), 53);
        query.transport = Transport::udp;
        engine_.spade->observe(query);
        engine_.spade->observe(answer(second, query));
      }
    }
    second_ = 1200;
  }

  void vertical_scan() {
    for (unsigned port = 1; port <= 1000; port++) {
      const Observation probe = syn(next(), outside(7), 40000, inside(1), port);
      engine_.spade->observe(probe);
      engine_.spade->observe(answer(second_, probe, port == kOpenPort ? kSyn | kAck : kRst | kAck));
    }
    rest();
  }
  void sweep() {
    for (unsigned host = 1; host <= 1000; host++) {
      const Observation probe = syn(next(), outside(8), 40000, inside(host), 445);
      engine_.spade->observe(probe);
      if (host <= kLive) engine_.spade->observe(answer(second_, probe, kRst | kAck));
    }
    rest();
  }
  void null_scan() {
    for (unsigned port = 1; port <= 200; port++) {
      Observation probe = syn(next(), outside(9), 40000, inside(2), port);
      probe.tcp_flags = 0;
      engine_.spade->observe(probe);
      if (port != kOpenPort) engine_.spade->observe(answer(second_, probe, kRst | kAck));
    }
    rest();
  }
  void ping_sweep() {
    for (unsigned host = 1; host <= 1000; host++) {
      Observation probe = syn(next(), outside(10), 0, inside(host), 0);
      probe.transport = Transport::icmp;
      probe.tcp_flags = 0;
      probe.icmp_type = 8;
      engine_.spade->observe(probe);
      if (host > kLive) continue;
      Observation reply = answer(second_, probe);
      reply.icmp_type = 0;
      engine_.spade->observe(reply);
    }
    rest();
  }

  // Alerts since the last call, by detector.
  std::map<std::string, unsigned> alerts() {
    std::map<std::string, unsigned> counts;
    for (const SpadeAlert& alert : engine_.recorder.alerts) counts[alert.detector] += alert.packet.count;
    engine_.recorder.alerts.clear();
    return counts;
  }

 private:
  static SpadeSettings settings(SpadeProfile profile) {
    SpadeSettings settings = distributed_settings();
    settings.profile = profile;
    settings.home = {*IpPrefix::parse("10.1.0.0/16")};
    DetectorSettings dead = default_detector(DetectorType::dead_dest);
    dead.id = "dead-syn";
    settings.detectors.push_back(dead);
    return settings;
  }
  void connect(const Observation& open) {
    const double second = std::chrono::duration<double>(open.time - at(0)).count();
    engine_.spade->observe(open);
    engine_.spade->observe(answer(second, open, kSyn | kAck));
    for (const unsigned flags : {unsigned{kAck}, unsigned{kFin | kAck}}) {
      Observation packet = open;
      packet.tcp_flags = static_cast<std::uint8_t>(flags);
      engine_.spade->observe(packet);
    }
    engine_.spade->observe(answer(second, open, kFin | kAck));
  }
  double next() { return second_ += 0.02; }
  void rest() { engine_.spade->advance(at(second_ += 20)); }

  Engine engine_;
  double second_ = 0;
};

using Counts = std::map<std::string, unsigned>;

TEST(Scenario, BackgroundIsSilentAndAttacksGiveTheOriginalsCounts) {
  Network network(kOriginal);
  network.background();
  EXPECT_EQ(network.alerts(), Counts());
  network.vertical_scan();
  EXPECT_EQ(network.alerts(), (Counts{{"closed-syn", 999}}));
  network.sweep();  // of the live hosts only those have inbound history that are servers (D1)
  EXPECT_EQ(network.alerts(), (Counts{{"closed-syn", 40}, {"dead-syn", 800}}));
  network.null_scan();
  EXPECT_EQ(network.alerts(), (Counts{{"closed-weird", 199}}));
  network.ping_sweep();
  EXPECT_EQ(network.alerts(), (Counts{{"dead-icmp", 800}}));
}

TEST(Scenario, AsDocumentedASweepIsSeenOnEveryHost) {
  Network network(kDocumented);
  network.background();
  EXPECT_EQ(network.alerts(), Counts());
  network.vertical_scan();
  EXPECT_EQ(network.alerts(), (Counts{{"closed-syn", 999}}));
  network.sweep();
  EXPECT_EQ(network.alerts(), (Counts{{"closed-syn", 1000}, {"dead-syn", 800}}));
  network.null_scan();
  EXPECT_EQ(network.alerts(), (Counts{{"closed-weird", 199}}));
  network.ping_sweep();
  EXPECT_EQ(network.alerts(), (Counts{{"dead-icmp", 800}}));
}

TEST(Scenario, AWormTrainsTheDetectorThatShouldSeeIt) {
  // Weakness 2: two alerts of odd-dport for 500 destinations.
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_dport));
  detector.min_observations = 20;
  Engine engine(settings_of({detector}));
  for (unsigned i = 0; i < 100; i++) engine.see(syn(0, ip("10.0.0.5"), 2000, outside(i), 443));
  for (unsigned i = 0; i < 500; i++) engine.see(syn(1, ip("10.0.0.5"), 2000, outside(i), 445));
  EXPECT_EQ(engine.recorder.alerts.size(), 2U);
}

struct Stream {
  std::map<std::pair<IpAddress, std::uint16_t>, double> keys;  // that alerted, with their highest score
  std::uint64_t packets = 0;
};

Stream alerts_of(const std::vector<Observation>& packets, SpadeProfile profile) {
  Engine engine(settings_of({named("closed", default_detector(DetectorType::closed_dport))}, profile));
  for (const Observation& packet : packets) engine.spade->observe(packet);
  Stream stream;
  for (const SpadeAlert& alert : engine.recorder.alerts) {
    double& highest = stream.keys[{alert.packet.destination, alert.packet.destination_port}];
    highest = std::max(highest, alert.score);
    stream.packets += alert.packet.count;
  }
  return stream;
}

// Equal packets of a window as one, when the window is over.
std::vector<Observation> aggregated(const std::vector<Observation>& packets, std::int64_t window_seconds) {
  std::vector<Observation> result;
  std::map<std::pair<IpAddress, std::uint16_t>, std::size_t> places;
  std::int64_t window = -1;
  for (const Observation& packet : packets) {
    const std::int64_t own = packet.time.time_since_epoch().count() / (window_seconds * 1'000'000'000);
    if (own != window) places.clear();
    window = own;
    const auto [place, fresh] = places.try_emplace({packet.destination, packet.destination_port}, result.size());
    if (fresh) {
      result.push_back(packet);
    } else {
      result[place->second].count++;
    }
  }
  return result;
}

TEST(Scenario, AggregatedPacketsAlertOnTheSameKeysWithTheSameScores) {
  // 40 hosts, ports by Zipf and 7 % at random, 4.5 days.
  constexpr unsigned kPackets = 60120;
  std::mt19937 random(7);
  std::vector<Observation> packets;
  std::uniform_real_distribution<double> uniform(0, 1);
  for (unsigned i = 0; i < kPackets; i++) {
    const double rank = std::exp(uniform(random) * std::log(100));
    const unsigned port = uniform(random) < 0.07 ? 1 + below(random, 65535) : 20 + static_cast<unsigned>(rank);
    packets.push_back(
        syn(i * 4.5 * 86400 / kPackets, outside(1), 1025, ip("10.0.0." + std::to_string(below(random, 40))), port));
  }
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    const Stream single = alerts_of(packets, profile);
    EXPECT_GT(single.keys.size(), 4000U);
    for (const std::int64_t window : {10, 60}) {
      const Stream windows = alerts_of(aggregated(packets, window), profile);
      EXPECT_LE(single.packets - windows.packets + 1, 2U) << single.packets << " " << windows.packets;
      ASSERT_EQ(windows.keys.size(), single.keys.size());
      for (const auto& [key, score] : single.keys) {
        ASSERT_TRUE(windows.keys.contains(key));
        EXPECT_NEAR(windows.keys.at(key), score, 0.001);
      }
    }
  }
}

}  // namespace
}  // namespace spidd
