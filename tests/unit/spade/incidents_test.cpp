// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// When incidents of scans, floods and their like open, and when not. The rates are those of spade.md 13.2; whole
// captures with a background are judged by tests/bench/spade_scenarios.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/spade/incident_network.h"

namespace spidd {
namespace {

TEST(Incidents, OpenForAVerticalScanThatIsRefused) {
  Network network;
  std::uint16_t sent = 0;
  while (network.opened() == 0 && sent < 100) {
    ++sent;
    network.refused(sent, ip("192.0.2.1"), ip("10.1.0.9"), sent);
  }
  EXPECT_LE(sent, 5);
  const Incident& incident = network.said.at(0).incident;
  EXPECT_EQ(incident.kind, IncidentKind::vertical_scan);
  EXPECT_EQ(incident.side, IncidentSide::source);
  EXPECT_EQ(incident.host, ip("192.0.2.1"));
  EXPECT_TRUE(incident.scan);
  EXPECT_FALSE(incident.confirmed);
}

TEST(Incidents, OpenWithinTwentyPacketsAtAnyRateOfAScanThatIsDropped) {
  for (const double gap : {0.0001, 0.01, 0.1, 1.0, 60.0, 3600.0}) {
    for (const bool vertical : {true, false}) {
      Network network;
      unsigned sent = 0;
      while (network.opened() == 0 && sent < 100) {
        ++sent;
        network.probe(sent * gap, ip("192.0.2.1"), vertical ? ip("10.1.0.9") : numbered(kInside, sent),
                      static_cast<std::uint16_t>(vertical ? sent : 445));
      }
      EXPECT_LE(sent, 20U) << gap;
      EXPECT_EQ(network.said.at(0).incident.kind,
                vertical ? IncidentKind::vertical_scan : IncidentKind::horizontal_scan);
    }
  }
}

TEST(Incidents, CallAWormWithinTenPacketsAndCountItsTargets) {
  Network network;
  const IpAddress worm = ip("10.1.1.7");
  // A host that has done its work before.
  for (unsigned i = 0; i < 200; ++i) network.connect(i * 0.1, worm, numbered(kOutside, i), 443);
  std::mt19937 random(4);
  unsigned first = 0;
  for (unsigned i = 1; i <= 600; ++i) {
    network.probe(100 + i * 0.1, worm, numbered(0x0b000000, random() % 0x01000000), 445);
    if (first == 0 && network.opened() > 0) first = i;
  }
  EXPECT_LE(first, 10U);
  EXPECT_EQ(network.opened(), 1U);
  network.incidents.close_all();
  const Incident& incident = network.said.back().incident;
  EXPECT_EQ(incident.kind, IncidentKind::fan_out);
  EXPECT_FALSE(incident.confirmed);
  EXPECT_NEAR(incident.hosts, 600, 60);
  EXPECT_EQ(incident.ports, 1);
}

TEST(Incidents, OpenForUdpPortsOfOneHostThatNobodyAnswers) {
  Network network;
  unsigned sent = 0;
  while (network.opened() == 0 && sent < 200) {
    ++sent;
    network.udp(sent, ip("192.0.2.1"), 40000, ip("10.1.0.9"), static_cast<std::uint16_t>(1000 + sent));
  }
  EXPECT_LE(sent, 20U);
  EXPECT_EQ(network.said.at(0).incident.kind, IncidentKind::vertical_scan);
}

TEST(Incidents, OpenForOneUdpPortOfManyHostsThatNobodyAnswers) {
  Network network;
  for (unsigned i = 1; i <= 100; ++i) network.udp(i, ip("10.1.1.7"), 40000, numbered(0x0b000000, i), 161);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_EQ(network.said.at(0).incident.kind, IncidentKind::fan_out);
}

TEST(Incidents, DoNotOpenForUdpThatIsOneWay) {
  Network network;
  // Traceroute, QUIC that is not let out, a resolver some of whose servers are gone, media to a few ports.
  for (unsigned i = 0; i < 90; ++i)
    network.udp(i, ip("10.1.1.7"), 40000, ip("198.18.0.1"), static_cast<std::uint16_t>(33434 + i));
  for (unsigned i = 0; i < 200; ++i) network.udp(100 + i, ip("10.1.1.8"), 40000, numbered(kOutside, i), 443);
  for (unsigned i = 0; i < 200; ++i) {
    network.udp(300 + i, ip("10.1.1.9"), 40000, numbered(kOutside, i), 53);
    if (i % 5 == 0) network.udp(300.1 + i, numbered(kOutside, i), 53, ip("10.1.1.9"), 40000);
  }
  for (unsigned i = 0; i < 2000; ++i)
    network.udp(500 + i, ip("10.1.1.10"), 40000, ip("198.18.0.2"), static_cast<std::uint16_t>(20000 + 2 * (i / 200)));
  network.wait(3000);
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, FollowASlowScanAsOne) {
  Network network;
  for (std::uint16_t hour = 0; hour < 40; ++hour) network.probe(hour * 3600.0, ip("192.0.2.1"), ip("10.1.0.9"), hour);
  EXPECT_EQ(network.opened(), 1U);
  EXPECT_EQ(network.incidents.open().size(), 1U);
  network.wait(60 * 3600.0);
  EXPECT_TRUE(network.incidents.open().empty());
  EXPECT_EQ(network.said.back().cause, IncidentCause::closed);
}

TEST(Incidents, DoNotOpenForOneRarePacketNorForOneTarget) {
  Network network;
  for (int i = 0; i < 200; ++i) {
    const Observation packet = network.probe(i * 30, ip("10.1.1.7"), ip("10.1.0.250"), 9100);
    network.wait(i * 30 + 4);
    network.incidents.alert(network.alert_of(packet, DetectorType::closed_dport));
    network.incidents.alert(network.alert_of(packet, DetectorType::dead_dest));
  }
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotOpenForHostsThatAreAnswered) {
  Network network;
  // A page with forty hosts; answers come late; a tenth of the links is dead.
  for (unsigned page = 0; page < 50; ++page) {
    for (unsigned i = 0; i < 40; ++i) {
      network.probe(page * 60 + i * 0.001, ip("10.1.1.7"), numbered(kOutside, page * 50 + i), 443);
    }
    for (unsigned i = 0; i < 36; ++i) {
      network.tcp(page * 60 + 0.2 + i * 0.001, numbered(kOutside, page * 50 + i), 443, ip("10.1.1.7"), 40000, kSynAck);
    }
  }
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotOpenForPagesWhenHomeIsUnknown) {
  Network network({}, false);
  for (unsigned i = 0; i < 40; ++i) network.probe(i * 0.001, ip("10.1.1.7"), numbered(kOutside, i), 443);
  for (unsigned i = 0; i < 40; ++i)
    network.tcp(0.2 + i * 0.001, numbered(kOutside, i), 443, ip("10.1.1.7"), 40000, kSynAck);
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotOpenForPassiveFtpWhoseRarePortsAreAlertedAtOnce) {
  Network network;
  for (std::uint16_t i = 0; i < 40; ++i) {
    const auto port = static_cast<std::uint16_t>(20000 + 7 * i);
    network.connect(i, ip("203.0.113.5"), ip("10.1.0.40"), port);
    Observation packet;
    packet.time = Network::kStart + std::chrono::seconds(i);
    packet.source = ip("203.0.113.5");
    packet.destination = ip("10.1.0.40");
    packet.destination_port = port;
    packet.tcp_flags = kSyn;
    network.incidents.alert(network.alert_of(packet, DetectorType::closed_dport));
  }
  EXPECT_EQ(network.opened(), 0U);
}

TEST(Incidents, DoNotCallEverybodyAScannerWhenTheLineIsDown) {
  Network network;
  for (unsigned host = 0; host < 40; ++host)
    network.connect(host * 0.1, numbered(kInside, host), numbered(kOutside, host), 443);
  for (unsigned i = 0; i < 4000; ++i)
    network.probe(10 + i * 0.05, numbered(kInside, i % 40), numbered(kOutside, 1000 + i), 443);
  EXPECT_EQ(network.opened(), 0U);
  EXPECT_GT(network.incidents.counters().outage, 1000U);
}

// Names are had from a resolver as every day: from a cache, perhaps, that stands before the line that is down.
TEST(Incidents, DoNotTakeDailyAnswersByUdpForALineThatIsUp) {
  Network network;
  const auto ask = [&network](double second, unsigned host) {
    network.udp(second, numbered(kInside, host), 40000, ip("203.0.113.53"), 53);
    network.udp(second + 0.01, ip("203.0.113.53"), 53, numbered(kInside, host), 40000);
  };
  for (unsigned host = 0; host < 40; ++host) ask(host * 0.1, host);
  for (unsigned i = 0; i < 4000; ++i) {
    network.probe(10 + i * 0.05, numbered(kInside, i % 40), numbered(kOutside, 1000 + i), 443);
    ask(10 + i * 0.05 + 0.02, i % 40);
  }
  EXPECT_EQ(network.opened(), 0U);
  EXPECT_GT(network.incidents.counters().outage, 1000U);
}

// Three scanners inside, for 40 minutes: refused; silent, while others do what they do every day; or silent and alone.
TEST(Incidents, DoNotTakeSeveralScannersForALineThatIsDown) {
  enum class Case { refused, among_others, alone };
  for (const Case now : {Case::refused, Case::among_others, Case::alone}) {
    Network network;
    for (unsigned i = 0; i < 2400; ++i) {
      for (unsigned host = 0; host < 9 && now == Case::among_others; ++host)
        network.connect(i + host * 0.05, numbered(kInside, 100 + host), numbered(kOutside, host), 443);
      for (unsigned host = 0; host < 3; ++host) {
        const IpAddress target = numbered(0x0b000000 + host * 0x10000, i);
        if (now == Case::refused)
          network.refused(i + 0.5 + host * 0.1, numbered(kInside, host), target, 445);
        else
          network.probe(i + 0.5 + host * 0.1, numbered(kInside, host), target, 445);
      }
    }
    EXPECT_EQ(network.opened(), 3U);
    for (const Incident* incident : network.incidents.open()) {
      EXPECT_EQ(incident->kind, IncidentKind::fan_out);
      EXPECT_GT(incident->count, 2350U);
      EXPECT_GT(incident->failed, 2350U);
    }
    network.wait(2400 + 700);
    EXPECT_EQ(network.incidents.counters().closed, 3U);
  }
}

TEST(Incidents, CallBackscatterWhatItIs) {
  Network network;
  for (unsigned i = 0; i < 50; ++i) {
    const Observation packet = network.tcp(i, ip("192.0.2.9"), 80, numbered(kInside, 1000 + 17 * i),
                                           static_cast<std::uint16_t>(40000 + i), kSynAck);
    network.incidents.alert(network.alert_of(packet, DetectorType::dead_dest));
  }
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_EQ(network.said.back().incident.kind, IncidentKind::unasked_answers);
  EXPECT_FALSE(network.said.back().incident.scan);
}

TEST(Incidents, OpenForATargetThatManySeek) {
  Network network;
  for (unsigned i = 0; i < 8; ++i) {
    const Observation packet = network.probe(i, numbered(kOutside, i), ip("10.1.0.99"), 80);
    network.incidents.alert(network.alert_of(packet, DetectorType::dead_dest));
  }
  ASSERT_EQ(network.opened(), 1U);
  const Incident& incident = network.said.back().incident;
  EXPECT_EQ(incident.side, IncidentSide::target);
  EXPECT_EQ(incident.kind, IncidentKind::dead_destination);
  EXPECT_EQ(incident.host, ip("10.1.0.99"));
  EXPECT_EQ(incident.hosts, 8);
}

TEST(Incidents, CallNothingAScanIfPromotionIsOff) {
  SpadeExtensions extensions;
  extensions.scan_promotion = false;
  Network network(extensions);
  for (std::uint16_t i = 1; i <= 100; ++i) {
    network.refused(i, ip("192.0.2.1"), ip("10.1.0.9"), i);
    network.incidents.alert(
        network.alert_of(network.probe(i, ip("192.0.2.1"), ip("10.1.0.9"), i), DetectorType::closed_dport));
  }
  // The alerts alone make it an incident.
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.said.back().incident.scan);
}

TEST(Incidents, OpenForPasswordGuessingThatIsAnswered) {
  Network network;
  for (int i = 0; i < 100; ++i) network.connect(i * 10, ip("10.1.1.8"), ip("10.1.0.9"), 22);
  for (int i = 0; i < 200; ++i) network.connect(1000 + i / 10.0, ip("10.1.1.7"), ip("10.1.0.9"), 22);
  ASSERT_EQ(network.opened(), 1U);
  const Incident& incident = network.said.back().incident;
  EXPECT_EQ(incident.kind, IncidentKind::brute_force);
  EXPECT_EQ(incident.host, ip("10.1.1.7"));
  EXPECT_TRUE(incident.acknowledged);
  network.incidents.close_all();
  EXPECT_EQ(incident_message(network.said.back().incident),
            "Spade: brute force by 10.1.1.7: 79 in 11s, 1 host, 1 port, up to 94 in 10s where 0.2 are usual, "
            "0 of 1 first contacts failed, confirmed");
}

TEST(Incidents, OpenForAFloodOfAServiceAndBlameNobody) {
  Network network;
  for (int i = 0; i < 100; ++i) network.connect(i * 10, ip("10.1.1.8"), ip("10.1.0.9"), 80);
  for (unsigned i = 0; i < 5000; ++i)
    network.probe(1000 + i / 500.0, numbered(0x20000000, i * 7919), ip("10.1.0.9"), 80);
  ASSERT_EQ(network.opened(), 1U);
  const Incident& incident = network.said.at(0).incident;
  EXPECT_EQ(incident.kind, IncidentKind::flood);
  EXPECT_EQ(incident.side, IncidentSide::target);
  EXPECT_EQ(incident.host, ip("10.1.0.9"));
}

TEST(Incidents, DoNotOpenForBurstsThatAreNotWanted) {
  SpadeExtensions extensions;
  extensions.burst_score = false;
  Network network(extensions);
  for (int i = 0; i < 100; ++i) network.connect(i * 10, ip("10.1.1.8"), ip("10.1.0.9"), 22);
  for (int i = 0; i < 200; ++i) network.connect(1000 + i / 10.0, ip("10.1.1.7"), ip("10.1.0.9"), 22);
  EXPECT_EQ(network.opened(), 0U);
}

}  // namespace
}  // namespace spidd
