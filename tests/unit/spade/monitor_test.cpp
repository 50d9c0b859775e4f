// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE together with its incidents: what one does to the other.
#include "userspace/spade/monitor.h"

#include <algorithm>

#include "tests/unit/spade/spade_fixture.h"

namespace spidd {
namespace {

using namespace spade_test;

struct Everything : AnomalySink {
  void alert(const SpadeAlert& alert) override { alerts.push_back(alert); }
  void adjusted(const ThresholdAdjusted&) override {}
  void incident(const Incident& incident, IncidentCause, Timestamp) override { incidents.push_back(incident); }

  std::vector<SpadeAlert> alerts;
  std::vector<Incident> incidents;
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
  EXPECT_FALSE(said.incidents.empty());
  return said.alerts.size();
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

TEST(AnomalyMonitor, LearnsEverythingInTheProfileOfTheOriginal) {
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
