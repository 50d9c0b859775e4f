// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Incidents of what is odd: services, ICMP, and what repeats an alert.
#include <gtest/gtest.h>

#include "tests/unit/spade/incident_network.h"

namespace spidd {
namespace {

TEST(Incidents, OpenForOddServicesThatAreUsedAgain) {
  Network network;
  for (std::uint16_t i = 0; i < 3; ++i) {
    const Observation packet =
        network.tcp(i * 20, ip("10.1.1.7"), static_cast<std::uint16_t>(50000 + i), ip("198.51.100.66"), 6667, kSyn);
    network.incidents.alert(network.alert_of(packet, DetectorType::odd_dport));
    // Kept from being learned once it is an incident: nothing becomes one because it was kept.
    EXPECT_EQ(network.incidents.in_quarantine(packet), i == 2);
    EXPECT_EQ(network.opened(), i == 2 ? 1U : 0U);
    network.tcp(i * 20 + 0.1, ip("198.51.100.66"), 6667, ip("10.1.1.7"), static_cast<std::uint16_t>(50000 + i),
                kSynAck);
  }
  EXPECT_EQ(network.said.at(0).incident.kind, IncidentKind::odd_service);
  EXPECT_EQ(network.said.at(0).incident.family, IncidentFamily::odd);
  EXPECT_TRUE(network.said.at(0).incident.confirmed);
}

TEST(Incidents, LetAHabitBecomeNormal) {
  Network network;
  const auto use = [&network](double second) {
    const Observation packet = network.tcp(second, ip("10.1.1.7"), static_cast<std::uint16_t>(50000 + second / 100),
                                           ip("198.51.100.66"), 6667, kSyn);
    network.incidents.alert(network.alert_of(packet, DetectorType::odd_dport));
    return packet;
  };
  // Once an hour is no incident, and is learned.
  for (int hour = 0; hour < 5; ++hour) EXPECT_FALSE(network.incidents.in_quarantine(use(hour * 3600)));
  EXPECT_EQ(network.opened(), 0U);
  // Several times in a row are one; afterwards they are learned too.
  for (int i = 0; i < 3; ++i) use(40000 + i * 100);
  EXPECT_EQ(network.opened(), 1U);
  EXPECT_TRUE(network.incidents.in_quarantine(use(40400)));
  network.wait(41100);
  EXPECT_TRUE(network.incidents.open().empty());
  EXPECT_FALSE(network.incidents.in_quarantine(use(42000)));
}

TEST(Incidents, OpenForWhatIsOddAndGoesOnThoughItIsLearned) {
  Network network;
  const auto odd = [&network](const Observation& packet, DetectorType type) {
    network.incidents.alert(network.alert_of(packet, type));
  };
  // One alert of each; then the tables call it known.
  const IpAddress client = ip("10.1.1.7");
  const IpAddress resolver = ip("198.51.100.53");
  odd(network.udp(0, client, 5000, resolver, 53), DetectorType::odd_port_dest);
  odd(network.icmp(0.1, ip("192.0.2.1"), client, 5, 1), DetectorType::odd_typecode);
  odd(network.icmp(0.2, ip("192.0.2.2"), client, 13), DetectorType::odd_typecode);
  for (std::uint16_t i = 1; i < 20; ++i) {
    network.udp(i, client, static_cast<std::uint16_t>(5000 + i), resolver, 53);
    network.udp(i + 0.05, resolver, 53, client, static_cast<std::uint16_t>(5000 + i));
    network.icmp(i + 0.1, ip("192.0.2.1"), numbered(kInside, i), 5, 1);
    network.icmp(i + 0.2, ip("192.0.2.2"), numbered(kInside, i), 13);
    EXPECT_EQ(network.opened(), i < 2 ? 0U : 3U);
  }
  const auto open = network.incidents.open();
  ASSERT_EQ(open.size(), 3U);
  for (const Incident* incident : open) {
    EXPECT_EQ(incident->count, 20U);
    EXPECT_EQ(incident->max_score, 1);
    ASSERT_EQ(incident->examples.size(), Incident::kMostExamples);
    EXPECT_EQ(incident->examples[0].score, 1);
    EXPECT_EQ(incident->examples[1].score, 0);
  }
  EXPECT_EQ(open[0]->kind, IncidentKind::odd_service);
  EXPECT_EQ(open[1]->kind, IncidentKind::odd_icmp);
}

TEST(Incidents, OpenForOddIcmpOfSeveralTypes) {
  Network network;
  for (const auto& [second, type] : {std::pair{0, 13}, {1, 15}, {2, 17}}) {
    EXPECT_EQ(network.opened(), 0U);
    const Observation packet = network.icmp(second, ip("192.0.2.1"), ip("10.1.1.7"), static_cast<std::uint8_t>(type));
    network.incidents.alert(network.alert_of(packet, DetectorType::odd_typecode));
  }
  EXPECT_EQ(network.opened(), 1U);
}

TEST(Incidents, CountWhatRepeatsAnAlertOnce) {
  Network network;
  // Alerted too, at once or after a wait.
  std::vector<Observation> waiting;
  for (std::uint16_t i = 0; i < 10; ++i) {
    const Observation message = network.icmp(i, ip("192.0.2.1"), ip("10.1.1.7"), 13);
    network.incidents.alert(network.alert_of(message, DetectorType::odd_typecode));
    waiting.push_back(
        network.tcp(i + 0.1, ip("10.1.1.7"), static_cast<std::uint16_t>(50000 + i), ip("198.51.100.66"), 6667, kSyn));
    if (i < 3) continue;
    SpadeAlert late = network.alert_of(waiting[i - 3U], DetectorType::odd_dport);
    late.reported = message.time;
    network.incidents.alert(late);
  }
  const auto open = network.incidents.open();
  ASSERT_EQ(open.size(), 2U);
  for (const Incident* incident : open) EXPECT_LE(incident->count, 10U);
  EXPECT_EQ(open[0]->count, 10U);
}

TEST(Incidents, DoNotTakeForARepetitionWhatIsNone) {
  Network network;
  const IpAddress client = ip("10.1.1.7");
  const IpAddress router = ip("192.0.2.1");
  const auto odd = [&network](const Observation& packet, DetectorType type) {
    network.incidents.alert(network.alert_of(packet, type));
  };
  // A traceroute's answers; what is said to a group; a service that is sought again too late; another service.
  odd(network.icmp(0, router, client, 11), DetectorType::odd_typecode);
  odd(network.icmp(0, ip("192.0.2.2"), ip("224.0.0.1"), 9), DetectorType::odd_typecode);
  odd(network.tcp(0, client, 50000, ip("198.51.100.66"), 6667, kSyn), DetectorType::odd_dport);
  for (int i = 1; i < 10; ++i) {
    network.icmp(i, router, client, 11);
    network.icmp(i, ip("192.0.2.2"), ip("224.0.0.1"), 9);
    network.tcp(i, client, static_cast<std::uint16_t>(51000 + i), ip("198.51.100.66"), 6668, kSyn);
    network.tcp(i + 0.1, ip("198.51.100.66"), 6668, client, static_cast<std::uint16_t>(51000 + i), kSynAck);
  }
  for (std::uint16_t i = 1; i < 10; ++i)
    network.tcp(i * 700, client, static_cast<std::uint16_t>(50000 + i), ip("198.51.100.66"), 6667, kSyn);
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotTakeRetransmissionsForRepeats) {
  Network network;
  for (int i = 0; i < 5; ++i) {
    const Observation packet = network.tcp(i, ip("10.1.1.7"), 50000, ip("198.51.100.66"), 6667, kSyn);
    network.incidents.alert(network.alert_of(packet, DetectorType::odd_dport));
  }
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotAccuseWhoAnswers) {
  Network network;
  const IpAddress host = ip("10.1.0.9");
  const IpAddress client = ip("10.1.1.7");
  for (unsigned i = 0; i < 50; ++i) {
    for (const auto& [transport, type] : {std::pair{Transport::icmp, 0},
                                          {Transport::icmp, 14},
                                          {Transport::icmp, 16},
                                          {Transport::icmp, 18},
                                          {Transport::icmp6, 129}}) {
      Observation reply = network.probe(i, client, host, 80);
      reply.transport = transport;
      std::swap(reply.source, reply.destination);
      reply.source_port = reply.destination_port = 0;
      reply.tcp_flags = 0;
      reply.icmp_type = static_cast<std::uint8_t>(type);
      network.incidents.alert(network.alert_of(reply, DetectorType::odd_typecode));
    }
    // A datagram, its answer, and an error about another.
    const auto port = static_cast<std::uint16_t>(5000 + i);
    network.udp(i + 0.1, client, port, host, 161);
    network.udp(i + 0.2, host, 161, client, port);
    Observation reply;
    reply.time = Network::kStart + std::chrono::seconds(i);
    reply.transport = Transport::udp;
    reply.source = host;
    reply.source_port = 161;
    reply.destination = client;
    reply.destination_port = port;
    network.incidents.alert(network.alert_of(reply, DetectorType::closed_dport));
    network.incidents.alert(network.alert_of(reply, DetectorType::odd_dport));
    network.udp(i + 0.3, client, port, host, 162);
    network.bounced(i + 0.4, host, client, port, 162);
  }
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotOpenForNeighbourDiscovery) {
  Network network;
  for (int i = 0; i < 50; ++i) {
    for (const int type : {133, 135, 136}) {
      Observation packet = network.icmp(i, ip("10.1.0.1"), numbered(kInside, 300 + static_cast<std::uint32_t>(i)), 8);
      packet.transport = Transport::icmp6;
      packet.icmp_type = static_cast<std::uint8_t>(type);
      packet.source = ip("2001:db8::1");
      network.incidents.alert(network.alert_of(packet, DetectorType::odd_typecode));
      network.incidents.alert(network.alert_of(packet, DetectorType::dead_dest));
    }
  }
  for (const auto& said : network.said) EXPECT_NE(said.incident.host, ip("2001:db8::1"));
}

TEST(Incidents, OpenForErrorsAboutWhatNobodySent) {
  Network network;
  for (unsigned i = 0; i < 3; ++i) network.bounced(i, ip("203.0.113.5"), ip("10.1.1.7"), 5000, 162);
  // Said when the next packet shows that no more of the third comes.
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_EQ(network.said.at(0).incident.kind, IncidentKind::odd_icmp);
}

}  // namespace
}  // namespace spidd
