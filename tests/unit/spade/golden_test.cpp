// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The golden vectors of spade.md 14 that are about scores: what the original printed, and what its documents say where
// it did otherwise.
#include <fmt/format.h>

#include <cmath>

#include "tests/unit/spade/spade_fixture.h"

namespace spidd {
namespace {

using namespace spade_test;

constexpr double kPrinted = 5e-7;  // half of the last of six decimals

// Reports everything that has a score, so that the score can be seen.
DetectorSettings open_detector(DetectorType type, double min_observations, Transport transport = Transport::tcp) {
  DetectorSettings detector = named("d", default_detector(type, transport));
  detector.threshold = 0;
  detector.min_observations = min_observations;
  detector.wait_seconds = 0;
  return detector;
}

double score_of(Engine& engine, const Observation& packet) {
  const auto alerts = engine.see(packet);
  return alerts.empty() ? std::nan("") : alerts.front().score;
}

void closed_dport_vector(SpadeProfile profile, double unknown_host) {
  Engine engine(settings_of({open_detector(DetectorType::closed_dport, 1)}, profile));
  EXPECT_TRUE(std::isnan(score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80))));
  for (int i = 0; i < 9; i++) EXPECT_NEAR(score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80)), 0, kPrinted);
  EXPECT_NEAR(score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.1", 81)), 1.000000, kPrinted);
  EXPECT_NEAR(score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.2", 80)), unknown_host, kPrinted);
  EXPECT_NEAR(score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80)), 0.065130, kPrinted);
}

TEST(Golden, ClosedDportAsDocumentedGivesAnUnknownHostOne) { closed_dport_vector(kDocumented, 1); }
TEST(Golden, ClosedDportOf030125GivesAnUnknownHostNothing) { closed_dport_vector(kOriginal, 0); }

double raw_score_at_four(bool corrected) {
  DetectorSettings detector = open_detector(DetectorType::closed_dport, 0);
  detector.relative_score = false;
  detector.corrected_score = corrected;
  Engine engine(settings_of({detector}));
  for (int i = 0; i < 4; i++) engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80));
  return score_of(engine, tcp(0, "192.0.2.1", 1025, "10.0.0.1", 81));
}

TEST(Golden, RawScoresAreBitsOrTheUnitsOfOld) {
  EXPECT_NEAR(raw_score_at_four(true), 2.321928, kPrinted);
  EXPECT_NEAR(raw_score_at_four(false), 1.242925, 6e-7);
}

TEST(Golden, OddDportScoresPortsOfASource) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({open_detector(DetectorType::odd_dport, 10)}, profile));
    const auto send = [&](std::uint16_t port) { return score_of(engine, tcp(0, "10.0.0.5", 1025, "192.0.2.1", port)); };
    for (int i = 0; i < 8; i++) EXPECT_TRUE(std::isnan(send(80)));
    EXPECT_TRUE(std::isnan(send(443)));
    for (const double expected : {0.698970, 0.541843, 0.442114}) EXPECT_NEAR(send(443), expected, kPrinted);
    for (const double expected : {1.000000, 0.737350}) EXPECT_NEAR(send(6667), expected, kPrinted);
    EXPECT_EQ(engine.statistics().insufficient, 9U);
    EXPECT_EQ(engine.statistics().evaluated, 14U);
  }
}

void odd_port_dest_vector(SpadeProfile profile, std::vector<double> expected) {
  Engine engine(settings_of({open_detector(DetectorType::odd_port_dest, 10)}, profile));
  const auto send = [&](std::uint16_t port, const std::string& to) {
    return score_of(engine, tcp(0, "10.0.0.5", 1025, to, port));
  };
  for (int i = 0; i < 30; i++) send(80, "1.1.1.1");
  for (int i = 0; i < 12; i++) send(53, "8.8.8.8");
  EXPECT_NEAR(send(53, "9.9.9.9"), expected[0], kPrinted);
  EXPECT_NEAR(send(53, "9.9.9.9"), expected[1], kPrinted);
  EXPECT_NEAR(send(53, "8.8.8.8"), expected[2], kPrinted);
}

TEST(Golden, OddPortDestIsAboutThePairAsDocumentedAndTheSourceIn030125) {
  odd_port_dest_vector(kDocumented, {1.000000, 0.737350, 0.052843});
  odd_port_dest_vector(kOriginal, {1.000000, 0.816831, 0.326195});
}

TEST(Golden, OddTypecodeScoresTypesAndCodes) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({open_detector(DetectorType::odd_typecode, 1)}, profile));
    for (int i = 0; i < 10; i++) engine.see(icmp(0, "192.0.2.1", "10.0.0.1", 8));
    EXPECT_NEAR(score_of(engine, icmp(0, "192.0.2.1", "10.0.0.1", 5, 1)), 1.000000, kPrinted);
    EXPECT_NEAR(score_of(engine, icmp(0, "192.0.2.1", "10.0.0.1", 5, 1)), 0.721057, kPrinted);
    EXPECT_NEAR(score_of(engine, icmp(0, "192.0.2.1", "10.0.0.1", 8)), 0.065130, kPrinted);
  }
}

TEST(Golden, ExclusionsLeaveOneReportOfFiveAndRecordAll) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    DetectorSettings detector = open_detector(DetectorType::closed_dport, 1);
    detector.threshold = 0.85;
    detector.exclusions.destination_ports = {81, 82};
    detector.exclusions.sources = {*IpPrefix::parse("198.51.100.0/24")};
    SpadeSettings settings = settings_of({detector}, profile);
    settings.exclusions.destination_ports = {83};
    Engine engine(settings);
    for (int i = 0; i < 50; i++) engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80));
    for (const std::uint16_t port : std::vector<std::uint16_t>{81, 82, 83, 84})
      engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.1", port));
    engine.see(tcp(0, "198.51.100.7", 1025, "10.0.0.1", 85));
    ASSERT_EQ(engine.recorder.alerts.size(), 1U);
    EXPECT_EQ(engine.recorder.alerts[0].packet.destination_port, 84);
    EXPECT_EQ(engine.statistics().excluded, 4U);
    EXPECT_EQ(engine.statistics().anomalous, 5U);
    EXPECT_EQ(engine.statistics().recorded, 55U);
  }
}

TEST(Golden, ToleratedCountsAreThoseOfTheTable) {
  // 3.1: at C = 400 and a threshold of 0.85, keys seen at most 1.5 times alert: the first and second packet do.
  DetectorSettings detector = named("d", default_detector(DetectorType::closed_dport));
  Engine engine(settings_of({detector}));
  for (int i = 0; i < 400; i++) engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80));
  for (int i = 0; i < 5; i++) engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.1", 81));
  EXPECT_EQ(engine.recorder.alerts.size(), 2U);
}

}  // namespace
}  // namespace spidd
