// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE together with its incidents: what one does to the other.
#include "userspace/spade/monitor.h"

#include <algorithm>

#include "tests/unit/spade/spade_fixture.h"
#include "userspace/spade/state_file.h"

namespace spidd {
namespace {

using namespace spade_test;

struct Everything : AnomalySink {
  void alert(const SpadeAlert& alert) override { alerts.push_back(alert); }
  void adjusted(const ThresholdAdjusted&) override {}
  void incident(const Incident& incident, IncidentCause cause, Timestamp) override {
    incidents.push_back(incident);
    causes.push_back(cause);
  }
  std::ptrdiff_t opened() const { return std::ranges::count(causes, IncidentCause::opened); }

  std::vector<SpadeAlert> alerts;
  std::vector<Incident> incidents;
  std::vector<IncidentCause> causes;
};

SpadeSettings closed_ports(SpadeProfile profile) {
  DetectorSettings detector = default_detector(DetectorType::closed_dport);
  detector.wait_seconds = 0;
  return settings_of({named("closed", detector)}, profile);
}

// A server that is used; then somebody knocks at one closed port after the other, and again.
std::size_t alerts_of_a_repeated_scan(SpadeSettings settings) {
  Everything said;
  auto monitor = AnomalyMonitor::create(std::move(settings), 1, said);
  EXPECT_TRUE(monitor);
  for (int i = 0; i < 2000; ++i) (*monitor)->observe(tcp(i * 0.1, "198.51.100.7", 2000, "10.0.0.1", 80));
  for (int i = 0; i < 400; ++i) {
    const Observation probe =
        tcp(300 + i * 0.1, "203.0.113.5", 40000, "10.0.0.1", static_cast<std::uint16_t>(1000 + i % 20));
    (*monitor)->observe(probe);
    (*monitor)->observe(answer(300 + i * 0.1 + 0.01, probe, kRst | kAck));
  }
  EXPECT_EQ(said.incidents.empty(), (*monitor)->spade().settings().profile == SpadeProfile::v030125);
  return said.alerts.size();
}

// Scans, worms and bursts: of ports and hosts, refused and unanswered.
Everything what_is_said_of_a_scanner(const SpadeSettings& settings) {
  Everything said;
  auto monitor = AnomalyMonitor::create(settings, 1, said);
  EXPECT_TRUE(monitor);
  for (int i = 0; i < 2000; ++i) (*monitor)->observe(tcp(i * 0.1, "198.51.100.7", 2000, "10.0.0.1", 80));
  for (int i = 0; i < 200; ++i) {
    const Observation probe = tcp(300 + i * 0.1, "10.0.0.9", 40000, "10.0.0.1", static_cast<std::uint16_t>(1000 + i));
    (*monitor)->observe(probe);
    (*monitor)->observe(answer(300 + i * 0.1 + 0.01, probe, kRst | kAck));
    (*monitor)->observe(udp(300 + i * 0.1 + 0.02, "10.0.0.9", 40000, "10.0.0.2", static_cast<std::uint16_t>(2000 + i)));
    (*monitor)->observe(tcp(300 + i * 0.1 + 0.03, "10.0.0.9", 40000, "10.0.1." + std::to_string(i), 445));
  }
  for (int i = 0; i < 2000; ++i) (*monitor)->observe(tcp(400 + i * 0.001, "10.0.0.9", 3000, "10.0.0.1", 80));
  (*monitor)->advance(at(410));
  return said;
}

TEST(AnomalyMonitor, MakesNoIncidentOfWhatIsExcluded) {
  SpadeSettings settings = closed_ports(SpadeProfile::documented);
  ASSERT_FALSE(what_is_said_of_a_scanner(settings).incidents.empty());
  settings.exclusions.sources = {*IpPrefix::parse("10.0.0.9")};
  const Everything said = what_is_said_of_a_scanner(settings);
  EXPECT_TRUE(said.alerts.empty());
  EXPECT_TRUE(said.incidents.empty()) << incident_message(said.incidents.front());
}

TEST(AnomalyMonitor, MakesNoIncidentOfWhatEveryDetectorOfScansExcludes) {
  SpadeSettings settings = closed_ports(SpadeProfile::documented);
  settings.detectors[0].exclusions.sources = {*IpPrefix::parse("10.0.0.0/24")};
  settings.detectors.push_back(named("udp", default_detector(DetectorType::closed_dport, Transport::udp)));
  settings.detectors[1].exclusions.sources = settings.detectors[0].exclusions.sources;
  EXPECT_TRUE(what_is_said_of_a_scanner(settings).incidents.empty());
  // Another one would report it.
  settings.detectors.push_back(named("dead", default_detector(DetectorType::dead_dest)));
  EXPECT_FALSE(what_is_said_of_a_scanner(settings).incidents.empty());
}

TEST(AnomalyMonitor, CountsNoExcludedContactAgainstItsSource) {
  SpadeSettings settings = closed_ports(SpadeProfile::documented);
  settings.exclusions.destination_ports = {8080};
  Everything said;
  auto monitor = AnomalyMonitor::create(settings, 1, said);
  ASSERT_TRUE(monitor);
  for (int i = 0; i < 100; ++i) {
    const Observation probe = tcp(i * 0.1, "10.0.0.9", 40000, "10.0.1." + std::to_string(i), 8080);
    (*monitor)->observe(probe);
    (*monitor)->observe(answer(i * 0.1 + 0.01, probe, kRst | kAck));
  }
  const Observation probe = tcp(11, "10.0.0.9", 40000, "10.0.2.1", 22);
  (*monitor)->observe(probe);
  (*monitor)->observe(answer(11.01, probe, kRst | kAck));
  EXPECT_TRUE(said.incidents.empty());
}

TEST(AnomalyMonitor, KnowsWhoAnswersAnExcludedClient) {
  SpadeSettings settings = closed_ports(SpadeProfile::documented);
  settings.exclusions.sources = {*IpPrefix::parse("10.0.0.9")};
  Everything said;
  auto monitor = AnomalyMonitor::create(settings, 1, said);
  ASSERT_TRUE(monitor);
  for (std::uint16_t i = 0; i < 200; ++i) {
    const Observation question = udp(i * 0.1, "10.0.0.9", static_cast<std::uint16_t>(20000 + i), "10.0.0.53", 53);
    (*monitor)->observe(question);
    (*monitor)->observe(answer(i * 0.1 + 0.01, question));
  }
  (*monitor)->advance(at(60));
  EXPECT_TRUE(said.incidents.empty()) << "the server's answers are no contacts of its own";
}

TEST(AnomalyMonitor, KeepsWhatBelongsToAnIncidentFromBecomingNormal) {
  SpadeSettings learning = closed_ports(SpadeProfile::documented);
  learning.extensions.quarantine = false;
  EXPECT_GT(alerts_of_a_repeated_scan(closed_ports(SpadeProfile::documented)), alerts_of_a_repeated_scan(learning));
}

TEST(AnomalyMonitor, ClosesNoIncidentForASinglePacketFromTheFuture) {
  Everything said;
  auto monitor = AnomalyMonitor::create(closed_ports(SpadeProfile::documented), 1, said);
  ASSERT_TRUE(monitor);
  for (std::uint16_t i = 0; i < 100; ++i) {
    const Observation probe = tcp(i * 0.1, "203.0.113.5", 40000, "10.0.0.1", static_cast<std::uint16_t>(1000 + i));
    (*monitor)->observe(probe);
    (*monitor)->observe(answer(i * 0.1 + 0.01, probe, kRst | kAck));
  }
  const std::size_t open = (*monitor)->incidents()->open().size();
  ASSERT_GT(open, 0U);
  (*monitor)->observe(tcp(3e8, "198.51.100.7", 2000, "10.0.0.1", 80));
  (*monitor)->observe(tcp(11, "198.51.100.7", 2000, "10.0.0.1", 80));
  EXPECT_EQ((*monitor)->incidents()->open().size(), open);
  EXPECT_EQ((*monitor)->spade().statistics().clock_outliers, 1U);
}

SpadeState kept(const AnomalyMonitor& monitor) {
  std::vector<const ProbabilityTable*> tables;
  for (const Spade::TableView& view : monitor.spade().tables()) tables.push_back(view.table);
  SpadeSnapshot snapshot(monitor.save(), std::move(tables));
  snapshot.take_all();
  auto state = decode_state(encode_state(std::move(snapshot).finish()));
  EXPECT_TRUE(state);
  return *std::move(state);
}

TEST(AnomalyMonitor, GoesOnWithIncidentsAfterARestart) {
  const SpadeSettings settings = closed_ports(SpadeProfile::documented);
  Everything before;
  auto first = AnomalyMonitor::create(settings, 1, before);
  ASSERT_TRUE(first);
  const auto scan = [](AnomalyMonitor& monitor, int from, int to) {
    for (int i = from; i < to; ++i) {
      const Observation probe = tcp(i, "203.0.113.5", 40000, "10.0.0.1", static_cast<std::uint16_t>(1000 + i));
      monitor.observe(probe);
      monitor.observe(answer(i + 0.01, probe, kRst | kAck));
    }
  };
  scan(**first, 0, 100);
  ASSERT_EQ(before.opened(), 1);
  const SpadeState state = kept(**first);

  // Other hashes: those that were kept go on to mean the same.
  Everything after;
  auto second = AnomalyMonitor::create(settings, 2, after);
  ASSERT_TRUE(second);
  (*second)->restore(state, Downtime::ignored);
  ASSERT_EQ((*second)->incidents()->open().size(), 1U);
  const std::uint64_t updates = (*second)->spade().updates();
  scan(**second, 100, 200);
  EXPECT_EQ((*second)->spade().updates(), updates) << "it is still in quarantine";
  scan(**second, 0, 100);
  const Incident& going_on = *(*second)->incidents()->open()[0];
  EXPECT_EQ(going_on.id, before.incidents[0].id);
  EXPECT_NEAR(going_on.ports, 200, 20) << "ports of before are not counted again";
  EXPECT_GT(going_on.failed, 190U);
  EXPECT_TRUE(going_on.scan);
  (*second)->advance(at(7200));
  EXPECT_EQ(after.opened(), 0);
  EXPECT_EQ(std::ranges::count(after.causes, IncidentCause::closed), 1);

  // The next one is not taken for it.
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Observation probe = tcp(8000 + i, "203.0.113.6", 40000, "10.0.0.1", i);
    (*second)->observe(probe);
    (*second)->observe(answer(8000.01 + i, probe, kRst | kAck));
  }
  ASSERT_EQ(after.opened(), 1);
  EXPECT_EQ(after.incidents.back().id, before.incidents.back().id + 1);
}

TEST(AnomalyMonitor, ClosesIncidentsThatEndedWhileItWasAway) {
  const SpadeSettings settings = closed_ports(SpadeProfile::documented);
  Everything before;
  auto first = AnomalyMonitor::create(settings, 1, before);
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Observation probe = tcp(i, "203.0.113.5", 40000, "10.0.0.1", i);
    (*first)->observe(probe);
    (*first)->observe(answer(i + 0.01, probe, kRst | kAck));
  }
  Everything after;
  auto second = AnomalyMonitor::create(settings, 2, after);
  (*second)->restore(kept(**first), Downtime::ignored);
  (*second)->observe(tcp(86000, "198.51.100.7", 2000, "10.0.0.1", 80));
  ASSERT_EQ(after.causes, std::vector{IncidentCause::closed});
  EXPECT_EQ(after.incidents[0].last, at(19));
}

// A server that is used, and a scan that nobody answers, after `first`.
Everything scan_after(SpadeProfile profile, std::initializer_list<double> first) {
  SpadeSettings settings = closed_ports(profile);
  settings.detectors[0].wait_seconds = 3;
  Everything said;
  auto monitor = AnomalyMonitor::create(settings, 1, said);
  EXPECT_TRUE(monitor);
  for (const double second : first) (*monitor)->observe(tcp(second, "198.51.100.7", 2000, "10.0.0.1", 80));
  for (int i = 0; i < 1000; ++i) {
    const Observation visit = tcp(i * 0.1, "198.51.100.7", static_cast<std::uint16_t>(2000 + i), "10.0.0.1", 80);
    (*monitor)->observe(visit);
    (*monitor)->observe(answer(i * 0.1 + 0.001, visit, kSyn | kAck));
  }
  for (std::uint16_t i = 0; i < 20; ++i) (*monitor)->observe(tcp(100 + i, "203.0.113.5", 40000, "10.0.0.1", 1000 + i));
  EXPECT_EQ((*monitor)->now(), profile == SpadeProfile::v030125 && first.size() > 0 ? at(*first.begin()) : at(119));
  if (profile == SpadeProfile::documented) {
    EXPECT_EQ((*monitor)->open_incidents().size(), 1U);
    EXPECT_EQ((*monitor)->open_incidents().at(0).first, said.incidents.at(0).first);
  }
  return said;
}

TEST(AnomalyMonitor, GoesOnWhenTheFirstPacketsAreFromTheFuture) {
  const Everything right = scan_after(SpadeProfile::documented, {});
  ASSERT_EQ(right.opened(), 1);
  EXPECT_EQ(right.alerts.size(), 16U);  // four still wait
  for (const auto& first : {std::initializer_list<double>{3e8}, {3e8, 3e8 + 1, 3e8 + 2}}) {
    const Everything said = scan_after(SpadeProfile::documented, first);
    ASSERT_EQ(said.opened(), 1);
    EXPECT_EQ(said.incidents[0].first, right.incidents[0].first);
    EXPECT_EQ(said.incidents.back().last, right.incidents.back().last);
    EXPECT_EQ(said.incidents.back().examples[0].time, right.incidents.back().examples[0].time);
    ASSERT_EQ(said.alerts.size(), right.alerts.size());
    for (std::size_t i = 0; i < said.alerts.size(); ++i) {
      EXPECT_EQ(said.alerts[i].packet.time, right.alerts[i].packet.time);
      EXPECT_EQ(said.alerts[i].reported, right.alerts[i].reported);
    }
  }
}

TEST(AnomalyMonitor, HasAClockThatStandsStillInTheProfileOfTheOriginal) {
  const Everything said = scan_after(SpadeProfile::v030125, {3e8});
  EXPECT_TRUE(said.alerts.empty()) << "no wait is ever over";
  EXPECT_EQ(scan_after(SpadeProfile::v030125, {}).alerts.size(), 16U);
}

TEST(AnomalyMonitor, LearnsEverythingAndKnowsNoIncidentsInTheProfileOfTheOriginal) {
  SpadeSettings learning = closed_ports(SpadeProfile::v030125);
  learning.extensions.quarantine = false;
  EXPECT_EQ(alerts_of_a_repeated_scan(closed_ports(SpadeProfile::v030125)), alerts_of_a_repeated_scan(learning));
  SpadeSettings leaning = closed_ports(SpadeProfile::v030125);
  leaning.extensions.asset_prior = true;
  Everything said;
  EXPECT_FALSE((*AnomalyMonitor::create(leaning, 1, said))->spade().settings().extensions.asset_prior);
}

TEST(AnomalyMonitor, AlertsNoMoreOftenOfWhatIsOddForMakingAnIncidentOfIt) {
  for (const bool quarantine : {true, false}) {
    SpadeSettings settings = settings_of({named("odd", default_detector(DetectorType::odd_typecode))});
    settings.extensions.quarantine = quarantine;
    Everything said;
    auto monitor = AnomalyMonitor::create(settings, 1, said);
    ASSERT_TRUE(monitor);
    for (int i = 0; i < 10000; ++i) {
      (*monitor)->observe(icmp(i * 0.1, "10.0.0.9", "10.0.0.1", 8));
      (*monitor)->observe(icmp(i * 0.1, "10.0.0.1", "10.0.0.9", 0));
    }
    ASSERT_TRUE(said.alerts.empty());
    for (int i = 0; i < 200; ++i) {
      (*monitor)->observe(icmp(1100 + i, "10.0.0.9", "10.0.0.1", 13));
      (*monitor)->observe(icmp(1100.001 + i, "10.0.0.1", "10.0.0.9", 14));
    }
    EXPECT_EQ(said.alerts.size(), 4U);  // two of each: rare the second time, too
    // Of who asks, for asking goes on; not of who answers.
    ASSERT_FALSE(said.incidents.empty());
    EXPECT_EQ(said.incidents.front().count, 3U);
    for (const Incident& incident : said.incidents) EXPECT_EQ(incident.host, ip("10.0.0.9"));
  }
}

}  // namespace
}  // namespace spidd
