// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What incidents say in the course of their life, which of them end for want of room, and what they keep from being
// learned.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/spade/incident_network.h"

namespace spidd {
namespace {

TEST(Incidents, AreListedAsTheyAreNow) {
  Network network;
  for (std::uint16_t port = 1; port <= 60; ++port) network.refused(port * 0.05, ip("192.0.2.1"), ip("10.1.0.9"), port);
  const auto open = network.incidents.open();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_LT(network.said.back().incident.ports, 40) << "nothing was said since there were 32";
  EXPECT_NEAR(open[0]->ports, 60, 6);
  EXPECT_EQ(open[0]->failed, 60U);
}

TEST(Incidents, SpeakAtPowersOfTwoAndAtTheEnd) {
  Network network;
  for (std::uint16_t i = 1; i <= 800; ++i) network.refused(i * 0.05, ip("192.0.2.1"), ip("10.1.0.9"), i);
  network.wait(40 + 601);
  // At most: opened, 8, 16, ... 512, closed; a change of state would be one more.
  EXPECT_LE(network.said.size(), 11U);
  EXPECT_EQ(network.said.back().cause, IncidentCause::closed);
  EXPECT_EQ(network.said.back().incident.count, 800U);
  EXPECT_EQ(network.said.back().incident.examples.size(), Incident::kMostExamples);
  EXPECT_NEAR(network.said.back().incident.ports, 800, 80);
}

TEST(Incidents, GiveExamplesTheScoresOfTheirAlerts) {
  Network network;
  for (std::uint16_t i = 1; i <= 10; ++i) {
    // Nobody there: the alert is how the contact is known to fail.
    const Observation packet = network.probe(i, ip("192.0.2.1"), numbered(kInside, i), 445);
    network.incidents.alert(network.alert_of(packet, DetectorType::dead_dest, 0.97));
    // A closed port: refused first, and alerted then.
    const Observation closed = network.probe(i, ip("192.0.2.2"), ip("10.1.0.9"), i);
    network.tcp(i + 0.01, ip("10.1.0.9"), i, ip("192.0.2.2"), 40000, kRstAck);
    network.incidents.alert(network.alert_of(closed, DetectorType::closed_dport, 0.96));
    // Known by its outcome alone.
    network.refused(i, ip("192.0.2.3"), ip("10.1.0.9"), i);
  }
  for (const auto& [source, score] : {std::pair{"192.0.2.1", 0.97}, {"192.0.2.2", 0.96}, {"192.0.2.3", 0.0}}) {
    const auto open = network.incidents.open();
    const auto incident = std::find_if(open.begin(), open.end(), [source = ip(source)](const Incident* one) {
      return one->side == IncidentSide::source && one->host == source;
    });
    ASSERT_NE(incident, open.end()) << source;
    ASSERT_FALSE((*incident)->examples.empty());
    for (const IncidentExample& example : (*incident)->examples) EXPECT_EQ(example.score, score) << source;
  }
}

TEST(Incidents, KeepWhatBelongsToThemFromBeingLearnedUntilTheyClose) {
  Network network;
  const IpAddress worm = ip("10.1.1.7");
  for (unsigned i = 1; i <= 40; ++i) network.probe(i * 0.1, worm, numbered(0x0b000000, 77 * i), 445);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_TRUE(network.incidents.in_quarantine(network.probe(5, worm, ip("11.1.1.1"), 445)));
  EXPECT_FALSE(network.incidents.in_quarantine(network.probe(5, worm, ip("198.18.0.1"), 443)));
  EXPECT_FALSE(network.incidents.in_quarantine(network.probe(5, ip("10.1.1.8"), ip("11.1.1.1"), 445)));
  network.wait(5 + 24 * 3600);
  EXPECT_FALSE(network.incidents.in_quarantine(network.probe(90000, worm, ip("11.1.1.1"), 445)));
  EXPECT_EQ(network.incidents.counters().quarantined, 1U);
}

TEST(Incidents, StayWithinTheirMemoryWhenEverySourceIsNew) {
  SpadeExtensions extensions;
  extensions.max_incidents = 64;
  Network network(extensions);
  const auto attack = [&network](unsigned number) {
    const IpAddress source = numbered(0x20000000, number);
    for (std::uint16_t port = 1; port <= 6; ++port) {
      const Observation packet = network.probe(number * 0.01, source, ip("10.1.0.9"), port);
      network.tcp(number * 0.01, ip("10.1.0.9"), port, source, 40000, kRstAck);
      network.incidents.alert(network.alert_of(packet, DetectorType::closed_dport));
    }
  };
  for (unsigned i = 0; i < 2000; ++i) attack(i);
  const std::size_t bytes = network.incidents.bytes();
  for (unsigned i = 2000; i < 20000; ++i) attack(i);
  EXPECT_LE(network.incidents.open().size(), 64U);
  EXPECT_GT(network.incidents.counters().given_up, 0U);
  EXPECT_LE(network.incidents.bytes(), bytes * 11 / 10);
  EXPECT_LE(network.incidents.bytes(), Incidents::most_bytes(extensions));
}

TEST(Incidents, StayWithinTheirMemoryWhenEverySourceGoesEverywhere) {
  SpadeExtensions extensions;
  extensions.max_incidents = 64;
  extensions.scan_promotion = false;
  Network network(extensions);
  // More cases than there is room for, open and not, with as many examples and targets as they hold.
  for (unsigned i = 0; i < 600; ++i) {
    const IpAddress source = numbered(0x20000000, i);
    for (std::uint16_t port = 1; port <= 300; ++port) {
      const double second = i + port * 0.001;
      if (i % 4 == 0) {
        const Observation packet = network.probe(second, source, numbered(kInside, port), port);
        network.tcp(second, numbered(kInside, port), port, source, 40000, kRstAck);
        network.incidents.alert(network.alert_of(packet, DetectorType::closed_dport));
      } else {
        network.refused(second, source, numbered(kInside, port), port);
      }
    }
  }
  EXPECT_EQ(network.incidents.open().size(), 64U);
  const std::size_t most = Incidents::most_bytes(extensions);
  EXPECT_LE(network.incidents.bytes(), most);
  EXPECT_GE(network.incidents.bytes(), most / 2) << "the bound says something";
  EXPECT_LE(Incidents::most_bytes({}), 100U << 20U) << "as the manual says";
}

TEST(Incidents, GiveUpWhatMattersLeast) {
  SpadeExtensions extensions;
  extensions.max_incidents = 4;
  Network network(extensions);
  for (std::uint16_t port = 1; port <= 500; ++port) network.refused(port * 0.01, ip("192.0.2.1"), ip("10.1.0.9"), port);
  for (unsigned source = 0; source < 6; ++source)
    for (std::uint16_t port = 1; port <= 5; ++port)
      network.refused(10 + source, numbered(kOutside, source), ip("10.1.0.9"), port);
  bool large_is_open = false;
  for (const Incident* incident : network.incidents.open()) large_is_open |= incident->host == ip("192.0.2.1");
  EXPECT_TRUE(large_is_open);
}

TEST(Incidents, SurviveAnything) {
  SpadeExtensions extensions;
  extensions.max_incidents = 8;
  Network network(extensions);
  std::mt19937 random(11);
  const auto draw = [&random](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  for (int i = 0; i < 200000; ++i) {
    Observation o;
    o.time = Network::kStart + std::chrono::milliseconds(static_cast<std::int64_t>(i) * 20 - draw(5000));
    if (draw(10000) == 0) o.time += std::chrono::hours(draw(100));
    o.source = numbered(draw(2) == 0 ? kInside : kOutside, draw(40));
    o.destination = numbered(draw(2) == 0 ? kInside : kOutside, draw(40));
    o.source_port = static_cast<std::uint16_t>(draw(6));
    o.destination_port = static_cast<std::uint16_t>(draw(6));
    o.transport =
        std::array{Transport::tcp, Transport::tcp, Transport::udp, Transport::icmp, Transport::icmp6}[draw(5)];
    o.tcp_flags = static_cast<std::uint8_t>(draw(64));
    o.icmp_type = static_cast<std::uint8_t>(draw(16) == 0 ? 128 + draw(2) : draw(14));
    o.count = draw(5);
    o.kind = draw(20) == 0 ? Observation::Kind::unreachable : Observation::Kind::packet;
    network.incidents.observe(o);
    if (draw(7) == 0) network.incidents.alert(network.alert_of(o, static_cast<DetectorType>(draw(5))));
    network.incidents.in_quarantine(o);
    ASSERT_LE(network.incidents.open().size(), 8U);
  }
  network.incidents.close_all();
  EXPECT_EQ(network.incidents.counters().opened, network.incidents.counters().closed);
  EXPECT_GT(network.incidents.counters().opened, 100U);
}

// A detector that does not wait alerts before the outcome is known, one that waits after it.
TEST(Incidents, CountAProbeOnceWheneverItsAlertComes) {
  for (const bool waits : {false, true}) {
    Network network;
    for (std::uint16_t port = 1; port <= 40; ++port) {
      const Observation probe = network.probe(port * 0.1, ip("192.0.2.1"), ip("10.1.0.9"), port);
      if (!waits) network.incidents.alert(network.alert_of(probe, DetectorType::closed_dport));
      network.tcp(port * 0.1 + 0.01, ip("10.1.0.9"), port, ip("192.0.2.1"), 40000, kRstAck);
      if (waits) network.incidents.alert(network.alert_of(probe, DetectorType::closed_dport));
    }
    const auto open = network.incidents.open();
    ASSERT_EQ(open.size(), 1U);
    EXPECT_EQ(open[0]->count, 40U) << waits;
    EXPECT_EQ(open[0]->failed, 40U);
    for (const IncidentExample& example : open[0]->examples) EXPECT_EQ(example.score, 1);
  }
}

TEST(Incidents, AreKeptAsTheyAreNow) {
  Network network;
  for (std::uint16_t port = 1; port <= 60; ++port) network.refused(port * 0.05, ip("192.0.2.1"), ip("10.1.0.9"), port);
  Network restarted;
  restarted.incidents.restore(network.incidents.save());
  EXPECT_TRUE(restarted.said.empty());
  const auto open = restarted.incidents.open();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0]->count, 60U);
  EXPECT_EQ(open[0]->failed, 60U) << "nothing was said since there were 32";
}

TEST(Incidents, CloseWhatALowerLimitHasNoRoomFor) {
  SpadeExtensions fewer;
  fewer.max_incidents = 2;
  for (const bool restart : {true, false}) {
    Network network;
    for (unsigned source = 0; source < 5; ++source)
      for (std::uint16_t port = 1; port <= 5 + 5 * source; ++port)
        network.refused(source + port * 0.01, numbered(kOutside, source), ip("10.1.0.9"), port);
    ASSERT_EQ(network.opened(), 5U);
    Network smaller(fewer);
    if (restart)
      smaller.incidents.restore(network.incidents.save());
    else
      smaller.incidents.take_over(network.incidents);
    ASSERT_EQ(smaller.said.size(), 3U);
    for (const Said& said : smaller.said) {
      EXPECT_EQ(said.cause, IncidentCause::closed);
      EXPECT_GE(said.second, std::chrono::duration<double>(said.incident.last - Network::kStart).count());
      EXPECT_LT(said.second, 10);
    }
    const Incidents::Counters counters = smaller.incidents.counters();
    EXPECT_EQ(counters.given_up, 3U);
    EXPECT_EQ(counters.closed, 3U);
    EXPECT_EQ(counters.opened, restart ? 0U : 5U);
    EXPECT_EQ(counters.resumed, restart ? 5U : 0U);
    ASSERT_EQ(smaller.incidents.open().size(), 2U);
    EXPECT_EQ(smaller.incidents.open()[1]->host, numbered(kOutside, 4)) << "those with the most evidence stay";
  }
}

TEST(Incidents, AreWordedForTheAdministrator) {
  Network network;
  for (std::uint16_t i = 1; i <= 40; ++i) network.refused(i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  network.incidents.close_all();
  EXPECT_EQ(incident_message(network.said.back().incident),
            "Spade: vertical scan by 192.0.2.1: 40 in 39s, 1 host, 40 ports, 40 of 40 first contacts failed, "
            "unconfirmed");
}

}  // namespace
}  // namespace spidd
