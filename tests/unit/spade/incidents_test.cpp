// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Incidents from first contacts and alerts: when they open, what they say, what they do not do. The rates are those of
// spade.md 13.2; whole captures with a background are judged by tests/bench/spade_scenarios.
#include "userspace/spade/incidents.h"

#include <gtest/gtest.h>

#include <random>

namespace spidd {
namespace {

constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kSynAck = 0x12;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kRst = 0x04;
constexpr std::uint8_t kRstAck = 0x14;

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
IpAddress numbered(std::uint32_t base, std::uint32_t number) { return IpAddress::from_ipv4(base + number); }

constexpr std::uint32_t kInside = 0x0a010000;   // 10.1.0.0
constexpr std::uint32_t kOutside = 0xc6120000;  // 198.18.0.0

struct Said {
  IncidentCause cause;
  Incident incident;
  double second;
};

class Network : public IncidentSink {
 public:
  explicit Network(SpadeExtensions extensions = {}, bool home = true)
      : incidents(extensions, home ? HomeNetwork({*IpPrefix::parse("10.1.0.0/16")}) : HomeNetwork(), 7, *this) {}

  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override {
    said.push_back({cause, incident, std::chrono::duration<double>(now - kStart).count()});
  }

  Observation tcp(double second, const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                  std::uint16_t to_port, std::uint8_t flags) {
    Observation o;
    o.time = kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second));
    o.source = from;
    o.source_port = from_port;
    o.destination = to;
    o.destination_port = to_port;
    o.tcp_flags = flags;
    incidents.observe(o);
    return o;
  }

  Observation udp(double second, const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                  std::uint16_t to_port) {
    Observation o;
    o.time = kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second));
    o.transport = Transport::udp;
    o.source = from;
    o.source_port = from_port;
    o.destination = to;
    o.destination_port = to_port;
    incidents.observe(o);
    return o;
  }

  Observation icmp(double second, const IpAddress& from, const IpAddress& to, std::uint8_t type,
                   std::uint8_t code = 0) {
    Observation o;
    o.time = kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second));
    o.transport = Transport::icmp;
    o.icmp_type = type;
    o.icmp_code = code;
    o.source = from;
    o.destination = to;
    incidents.observe(o);
    return o;
  }

  // `reporter` says that what `sender` sent there by UDP did not arrive, and that is alerted.
  void bounced(double second, const IpAddress& reporter, const IpAddress& sender, std::uint16_t from_port,
               std::uint16_t to_port) {
    Observation error;
    error.time = kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second));
    error.transport = Transport::icmp;
    error.icmp_type = error.icmp_code = 3;
    error.source = reporter;
    error.destination = sender;
    incidents.observe(error);
    incidents.alert(alert_of(error, DetectorType::odd_typecode));
    Observation inner = error;
    inner.kind = Observation::Kind::unreachable;
    inner.transport = Transport::udp;
    inner.reporter = reporter;
    inner.source = sender;
    inner.source_port = from_port;
    inner.destination = reporter;
    inner.destination_port = to_port;
    incidents.observe(inner);
  }

  Observation probe(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port) {
    return tcp(second, from, 40000, to, port, kSyn);
  }
  void refused(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port) {
    probe(second, from, to, port);
    tcp(second + 0.01, to, port, from, 40000, kRstAck);
  }
  void connect(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port, double after = 0.02) {
    probe(second, from, to, port);
    tcp(second + after, to, port, from, 40000, kSynAck);
    tcp(second + after + 0.001, from, 40000, to, port, kAck);
    tcp(second + after + 0.002, to, port, from, 40000, kAck);
  }
  void wait(double second) {
    incidents.advance(kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second)));
  }

  SpadeAlert alert_of(const Observation& packet, DetectorType type, double score = 1) {
    SpadeAlert alert;
    alert.packet = packet;
    alert.reported = packet.time;
    alert.type = type;
    alert.score = score;
    return alert;
  }

  std::size_t opened() const {
    return static_cast<std::size_t>(
        std::count_if(said.begin(), said.end(), [](const Said& s) { return s.cause == IncidentCause::opened; }));
  }

  static constexpr Timestamp kStart{std::chrono::seconds(1'700'000'000)};
  std::vector<Said> said;
  Incidents incidents;
};

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

TEST(Incidents, AreListedAsTheyAreNow) {
  Network network;
  for (std::uint16_t port = 1; port <= 60; ++port) network.refused(port * 0.05, ip("192.0.2.1"), ip("10.1.0.9"), port);
  const auto open = network.incidents.open();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_LT(network.said.back().incident.ports, 40) << "nothing was said since there were 32";
  EXPECT_NEAR(open[0]->ports, 60, 6);
  EXPECT_EQ(open[0]->failed, 60U);
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

TEST(Incidents, ConfirmASourceOnlyWhenItsConnectionIsMade) {
  Network network;
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.said.back().incident.confirmed);
  // An open port answers; a host whose address was used would send a reset.
  network.probe(31, ip("192.0.2.1"), ip("10.1.0.9"), 80);
  network.tcp(31.1, ip("10.1.0.9"), 80, ip("192.0.2.1"), 40000, kSynAck);
  network.tcp(31.2, ip("192.0.2.1"), 40000, ip("10.1.0.9"), 80, kRst);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  // Anybody can send an acknowledgement in its name; the server resets what acknowledges nothing that it sent.
  network.tcp(31.3, ip("192.0.2.1"), 40000, ip("10.1.0.9"), 80, kAck);
  network.tcp(31.4, ip("10.1.0.9"), 80, ip("192.0.2.1"), 40000, kRst);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.connect(32, ip("192.0.2.1"), ip("10.1.0.9"), 80);
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
  EXPECT_EQ(network.said.back().cause, IncidentCause::changed);
}

TEST(Incidents, ConfirmASourceByAConnectionToWhereItHasBeenBefore) {
  Network network;
  network.connect(0, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  for (std::uint16_t i = 1; i < 30; ++i) network.probe(3600 + i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_FALSE(network.incidents.open().at(0)->confirmed);
  network.connect(3640, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
}

TEST(Incidents, AreConfirmedByAConversationThatBeganDuringThem) {
  Network network;
  const IpAddress source = ip("192.0.2.1");
  network.incidents.confirm(source, Network::kStart);
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(100 + i, source, ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(source, Network::kStart + std::chrono::seconds(50));
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(ip("192.0.2.2"), Network::kStart + std::chrono::seconds(140));
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(source, Network::kStart + std::chrono::seconds(140));
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
  EXPECT_EQ(network.said.back().cause, IncidentCause::changed);
}

TEST(Incidents, ConfirmAnInsideSourceOnlyWhenItIsRepliedToAboutTheIncident) {
  Network network;
  const IpAddress inside = ip("10.1.1.7");
  for (unsigned i = 1; i <= 60; ++i) {
    network.probe(i, inside, numbered(0x0b000000, 77 * i), 445);
    // Its owner works meanwhile, and a flow of his carries payload in both directions.
    network.connect(i + 0.5, inside, numbered(kOutside, i % 10), 443);
    network.incidents.confirm(inside, Network::kStart + std::chrono::seconds(i));
  }
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.refused(61, inside, ip("11.1.1.1"), 445);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.refused(62, inside, ip("11.1.1.2"), 445);
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_FALSE(network.incidents.open().at(0)->acknowledged);
  network.connect(63, inside, ip("11.1.1.3"), 445);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
}

TEST(Incidents, ConfirmAnInsideSourceThatIsRefusedFromTheBeginning) {
  Network network;
  for (std::uint16_t i = 1; i < 20; ++i) network.refused(i, ip("10.1.1.7"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_TRUE(network.said.at(0).incident.confirmed);
  EXPECT_FALSE(network.said.at(0).incident.acknowledged);
}

TEST(Incidents, DoNotConfirmASourceByWhatItDidBefore) {
  Network network;
  // A visitor, whose address somebody else uses an hour later.
  network.connect(0, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  for (std::uint16_t i = 1; i < 30; ++i) network.probe(3600 + i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
}

TEST(Incidents, ConfirmNobodyByItsAddressWhenHomeIsUnknown) {
  Network network({}, false);
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(i, ip("10.1.1.7"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.said.back().incident.confirmed);
}

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

TEST(Incidents, OpenForErrorsAboutWhatNobodySent) {
  Network network;
  for (unsigned i = 0; i < 3; ++i) network.bounced(i, ip("203.0.113.5"), ip("10.1.1.7"), 5000, 162);
  // Said when the next packet shows that no more of the third comes.
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_EQ(network.said.at(0).incident.kind, IncidentKind::odd_icmp);
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
