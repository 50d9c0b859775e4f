// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The engine as a whole: what it refuses, gates, counts, learns, and where its profiles part (spade.md 9).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/unit/spade/spade_fixture.h"
#include "userspace/spade/adviser.h"
#include "userspace/spade/packet_clock.h"
#include "userspace/spade/score_log.h"
#include "userspace/spade/survey.h"

namespace spidd {
namespace {

using namespace spade_test;

DetectorSettings closed(double min_observations = 1, double threshold = 0.85) {
  DetectorSettings detector = named("closed", default_detector(DetectorType::closed_dport));
  detector.min_observations = min_observations;
  detector.threshold = threshold;
  return detector;
}

Observation to_server(std::uint16_t port, std::uint32_t count = 1) {
  return tcp(0, "192.0.2.1", 1025, "10.0.0.1", port, kSyn, count);
}

std::string refusal(SpadeSettings settings) {
  Recorder recorder;
  const auto spade = Spade::create(std::move(settings), recorder);
  return spade ? std::string() : spade.error().message;
}

TEST(Spade, RefusesWhatCannotBe) {
  EXPECT_EQ(refusal(settings_of({closed(), closed()})), "spade: there are two detectors with the id closed");
  SpadeSettings settings = settings_of({closed()});
  settings.adapters.push_back(MeanAdapter{.id = "other"});
  EXPECT_EQ(refusal(settings), "spade: an adapter is of a detector \"other\" that does not exist");
  settings.adapters.clear();
  settings.surveys.emplace_back();
  EXPECT_EQ(refusal(settings), "spade: a survey does not say of which detector");
  EXPECT_EQ(refusal(distributed_settings()), "");
}

TEST(Spade, In030125AnAdapterOfAnUnknownIdMakesItsDetector) {
  SpadeSettings settings = settings_of({closed()}, kOriginal);
  settings.adapters.push_back(MeanAdapter{.id = "other"});
  settings.adapters.push_back(MeanAdapter{.id = ""});
  const Engine engine(settings);
  ASSERT_EQ(engine.spade->settings().detectors.size(), 2U);
  EXPECT_EQ(engine.spade->settings().detectors[1].id, "other");
  EXPECT_EQ(engine.spade->settings().detectors[1].threshold, 0.85);
}

TEST(Spade, WithoutDetectorsSaysNothing) {
  Engine engine(settings_of({}));
  EXPECT_TRUE(engine.see(to_server(80)).empty());
  EXPECT_EQ(engine.spade->statistics().observations, 1U);
  EXPECT_TRUE(engine.spade->tables().empty());
}

TEST(Spade, ScoresBeforeItRecords) {
  Engine engine(settings_of({closed()}));
  engine.see(to_server(80));
  EXPECT_EQ(engine.see(to_server(81)).size(), 1U);
}

TEST(Spade, LearnsOfSynsOnlyButScoresWhatItIsSetTo) {
  DetectorSettings weird = default_detector(DetectorType::closed_dport, Transport::tcp, TcpScope::weird);
  weird = named("weird", weird);
  weird.min_observations = 1;
  Engine engine(settings_of({closed(), weird}));
  for (int i = 0; i < 10; i++) engine.see(to_server(80));
  Observation null = to_server(80);
  null.tcp_flags = 0;
  EXPECT_TRUE(engine.see(null).empty());
  null.destination_port = 7;
  for (int i = 0; i < 3; i++) EXPECT_EQ(engine.see(null).size(), 1U);  // never learned
  EXPECT_EQ(engine.spade->tables().size(), 1U);
  EXPECT_EQ(engine.spade->tables()[0].conditions, "local dest, syn");
  EXPECT_EQ(engine.statistics(1).recorded, 10U);
  EXPECT_EQ(engine.statistics(1).evaluated, 4U);
  EXPECT_EQ(engine.spade->statistics().updates, 10U);
}

TEST(Spade, SidesAreThoseOfTheHomeNetwork) {
  DetectorSettings foreign = named("foreign", closed());
  foreign.side = NetworkSide::nothome;
  Engine engine(settings_of({closed(), foreign}));
  engine.see(to_server(80));
  engine.see(tcp(0, "10.0.0.1", 1025, "192.0.2.1", 80));
  engine.see(tcp(0, "10.0.0.1", 1025, "10.0.0.2", 80));
  EXPECT_EQ(engine.statistics(0).recorded, 2U);
  EXPECT_EQ(engine.statistics(1).recorded, 1U);
  SpadeSettings everywhere = settings_of({closed(), foreign});
  everywhere.home.clear();
  Engine all(everywhere);
  all.see(to_server(80));
  EXPECT_EQ(all.statistics(0).recorded, 1U);
  EXPECT_EQ(all.statistics(1).recorded, 0U);
}

constexpr double kDay = 86400;
constexpr double kTenYears = 3653 * kDay;

// 500 connections to a server, then packets dated as given, then a scan of 50 ports: the alerts of the scan.
std::size_t scan_alerts(const std::vector<double>& dates, double scan, std::uint64_t outliers) {
  Engine engine(settings_of({named("closed", default_detector(DetectorType::closed_dport))}));
  for (int i = 0; i < 500; i++) engine.see(tcp(i, "192.0.2.1", 1025, "10.0.0.1", 80));
  for (const double date : dates) engine.see(tcp(date, "192.0.2.1", 1025, "10.0.0.1", 80));
  std::size_t alerts = 0;
  for (std::uint16_t port = 1000; port < 1050; port++)
    alerts += engine.see(tcp(scan, "192.0.2.66", 4000, "10.0.0.1", port)).size();
  EXPECT_EQ(engine.spade->statistics().clock_outliers, outliers);
  return alerts;
}

TEST(Spade, ForgetsNothingForASinglePacketFromTheFuture) {
  EXPECT_EQ(scan_alerts({}, 500, 0), 50U);
  EXPECT_EQ(scan_alerts({kTenYears}, 500, 1), 50U);
  EXPECT_EQ(scan_alerts({kTenYears, 500, 2 * kTenYears, 500, kTenYears}, 500, 3), 50U);
  EXPECT_EQ(scan_alerts({kTenYears, 2 * kDay}, 500, 2), 50U) << "the second does not follow the first";
  EXPECT_EQ(scan_alerts({kDay}, kDay, 0), 50U) << "within a day";
}

TEST(Spade, FollowsARealGap) {
  EXPECT_EQ(scan_alerts({kTenYears, kTenYears + 1}, kTenYears + 2, 1), 0U);
  // All of the scan but its first packet is judged after the gap.
  EXPECT_EQ(scan_alerts({}, kTenYears, 1), 1U);
}

TEST(Spade, JudgesAPacketFromTheFutureNow) {
  Engine engine(settings_of({named("closed", default_detector(DetectorType::closed_dport))}));
  for (int i = 0; i < 500; i++) engine.see(tcp(i, "192.0.2.1", 1025, "10.0.0.1", 80));
  const auto alerts = engine.see(tcp(kTenYears, "192.0.2.1", 1025, "10.0.0.1", 81));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].packet.time, at(499));
  EXPECT_EQ(alerts[0].reported, at(499));
}

TEST(PacketClock, DoesNotStandStillWherePacketsAreDaysApart) {
  PacketClock clock;
  EXPECT_EQ(clock.time_of(at(0)), at(0));
  EXPECT_EQ(clock.time_of(at(5 * kDay)), at(0));
  EXPECT_EQ(clock.time_of(at(10 * kDay)), at(5 * kDay));
  EXPECT_EQ(clock.time_of(at(15 * kDay)), at(10 * kDay));
  EXPECT_EQ(clock.time_of(at(15 * kDay + 1)), at(15 * kDay + 1));
  EXPECT_EQ(clock.time_of(at(3)), at(3)) << "late";
  clock.advance(at(60 * kDay));
  EXPECT_EQ(clock.time_of(at(61 * kDay)), at(61 * kDay));
  EXPECT_EQ(clock.time_of(Timestamp::max()), at(61 * kDay));
  EXPECT_EQ(clock.time_of(Timestamp::min()), Timestamp::min());
}

TEST(SteadyTime, GoesOnWhereTheClockIsSetBack) {
  PacketClock clock;
  SteadyTime time;
  const auto judged = [&](double second) { return clock.time_of(time.of(at(second), clock)); };
  EXPECT_EQ(judged(kTenYears), at(kTenYears));
  EXPECT_EQ(judged(kTenYears - kDay), at(kTenYears - kDay)) << "late";
  for (unsigned i = 0; i < 2 * SteadyTime::kPackets; i++) {
    EXPECT_EQ(judged(i), at(kTenYears + i));
    EXPECT_EQ(time.is_dated(), i + 1 < SteadyTime::kPackets);
  }
  EXPECT_EQ(time.dated(*clock.now()), at(2 * SteadyTime::kPackets - 1));
  EXPECT_EQ(time.steady(at(20)), at(kTenYears + 20));
  EXPECT_EQ(judged(18), at(kTenYears + 18));
  EXPECT_EQ(judged(kTenYears), at(kTenYears + 18)) << "an outlier";
  EXPECT_EQ(judged(19), at(kTenYears + 19));
}

TEST(SteadyTime, DoesNotBelieveASinglePacket) {
  PacketClock clock;
  SteadyTime time;
  const auto judged = [&](double second) { return clock.time_of(time.of(at(second), clock)); };
  for (int i = 0; i < 50; i++) {
    EXPECT_EQ(judged(kTenYears + i), at(kTenYears + i));
    EXPECT_EQ(judged(i % 7 * 2 * kDay), at(kTenYears + i)) << "judged now";
  }
  for (int i = 0; i < 50; i++) judged(i % 2 == 0 ? 0 : 3 * kDay);  // they do not follow each other
  EXPECT_TRUE(time.is_dated());
  for (const Timestamp end : {Timestamp::min(), Timestamp::max(), Timestamp::min(), Timestamp{}}) {
    for (unsigned i = 0; i < 2 * SteadyTime::kPackets; i++) clock.time_of(time.of(end, clock));
    time.dated(*clock.now());
  }
}

TEST(Spade, RefusesTablesThatDoNotFitTheirMemory) {
  std::vector<DetectorSettings> detectors;
  for (int i = 0; i < 250; i++) {
    detectors.push_back(named(fmt::format("d{}", i), default_detector(DetectorType::closed_dport)));
    detectors.back().decay.cutoff = 0.1 + i / 1000.0;
  }
  SpadeSettings settings = settings_of(detectors);
  settings.max_table_bytes = 1 << 20;
  Recorder sink;
  const auto refused = Spade::create(settings, sink);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "spade: the detectors need 250 tables of at least 43008000 bytes together, max_table_bytes is 1048576");

  settings.max_table_bytes = 43008000;
  Engine engine(settings);
  for (unsigned i = 0; i < 4000; i++) {
    engine.see(tcp(0, "192.0.2.1", 1025, fmt::format("10.0.{}.{}", i / 250, i % 250), 80));
  }
  EXPECT_GT(engine.spade->statistics().entries_evicted, 0U);
  EXPECT_LE(engine.spade->statistics().table_bytes, settings.max_table_bytes);

  settings.detectors.resize(1);
  settings.max_table_bytes = 1 << 20;
  EXPECT_TRUE(Spade::create(settings, sink)) << "the least that can be set";
}

// Alerts about a packet to `to`, after others have spoken.
std::size_t dead_alerts(SpadeSettings settings, const std::string& to) {
  Engine engine(std::move(settings));
  for (int i = 0; i < 10; i++) engine.see(udp(0, "10.0.0.1", 1025, "10.0.0.2", 80));
  return engine.see(udp(1, "10.0.0.1", 1025, to, 137)).size();
}

TEST(Spade, BroadcastAddressesAreNoDeadHosts) {
  DetectorSettings dead = named("dead", default_detector(DetectorType::dead_dest, Transport::udp));
  dead.min_observations = 1;
  dead.wait_seconds = 0;
  SpadeSettings settings = settings_of({dead});
  settings.home = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("172.16.1.64/26")};
  SpadeSettings everywhere = settings;
  everywhere.home.clear();
  for (const char* nobody : {"10.1.2.255", "10.255.255.255", "255.255.255.255"}) {
    EXPECT_EQ(dead_alerts(everywhere, nobody), 0U) << nobody;
    EXPECT_EQ(dead_alerts(settings, nobody), 0U) << nobody;
  }
  EXPECT_EQ(dead_alerts(everywhere, "239.1.2.3"), 0U);
  for (const char* nobody : {"10.0.0.0", "172.16.1.64", "172.16.1.127"}) {
    EXPECT_EQ(dead_alerts(everywhere, nobody), 1U) << nobody;
    EXPECT_EQ(dead_alerts(settings, nobody), 0U) << nobody;
  }
  EXPECT_EQ(dead_alerts(settings, "172.16.1.65"), 1U);

  settings.profile = everywhere.profile = kOriginal;
  EXPECT_EQ(dead_alerts(everywhere, "10.1.2.255"), 0U);
  EXPECT_EQ(dead_alerts(settings, "172.16.1.127"), 1U);
  EXPECT_EQ(dead_alerts(everywhere, "239.1.2.3"), 1U);
}

TEST(Spade, AThresholdBelowZeroIsNeverReached) {
  Engine engine(settings_of({closed(1, -1)}));
  for (int i = 0; i < 10; i++) engine.see(to_server(80));
  EXPECT_TRUE(engine.see(to_server(81)).empty());
  EXPECT_EQ(engine.statistics().evaluated, 11U);
}

TEST(Spade, MinimumOfTheDestinationIsOursAndNotIn030125) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    DetectorSettings detector = closed();
    detector.min_observations_destination = 5;
    Engine engine(settings_of({detector}, profile));
    for (int i = 0; i < 10; i++) engine.see(to_server(80));
    engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.2", 80));
    const bool documented = profile == kDocumented;
    EXPECT_EQ(engine.see(tcp(0, "192.0.2.1", 1025, "10.0.0.2", 81)).size(), documented ? 0U : 1U);
    EXPECT_EQ(engine.see(to_server(81)).size(), 1U);
  }
}

DetectorSettings odd_port_dest(double max_entropy) {
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_port_dest));
  detector.min_observations = 1;
  detector.max_entropy = max_entropy;
  return detector;
}

Observation from_client(const std::string& to, std::uint16_t port) { return tcp(0, "10.0.0.5", 1025, to, port); }

TEST(Spade, EntropyLetsOnlyPortsWithFewDestinationsThrough) {
  Engine engine(settings_of({odd_port_dest(2.5)}));
  for (int i = 0; i < 200; i++) {
    engine.see(from_client("192.0.2." + std::to_string(i), 80));          // the web: 7.6 bits
    engine.see(from_client("192.0.2." + std::to_string(1 + i % 2), 53));  // two resolvers: 1 bit
  }
  engine.recorder.alerts.clear();
  EXPECT_TRUE(engine.see(from_client("198.51.100.9", 80)).empty());
  const auto alerts = engine.see(from_client("198.51.100.9", 53));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].message(), "Spade: Source used odd dest for port: local source, syn: 1.0000");
  // Packets that the gate keeps out are not counted as evaluated.
  EXPECT_LT(engine.statistics().evaluated, 220U);
}

TEST(Spade, EntropyZeroMeansOneDestinationAsDocumentedAndNoGateIn030125) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({odd_port_dest(0)}, profile));
    for (int i = 0; i < 100; i++) engine.see(from_client("192.0.2.1", 25));
    EXPECT_EQ(engine.see(from_client("192.0.2.2", 25)).size(), 1U);  // until now there was one
    EXPECT_EQ(engine.see(from_client("192.0.2.3", 25)).size(), profile == kDocumented ? 0U : 1U);
  }
}

TEST(Spade, OddDportWithoutMinimumStartsUndefined) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    DetectorSettings detector = named("odd", default_detector(DetectorType::odd_dport));
    detector.min_observations = 0;
    Engine engine(settings_of({detector}, profile));
    EXPECT_TRUE(engine.see(from_client("192.0.2.1", 80)).empty());
    EXPECT_EQ(engine.see(from_client("192.0.2.1", 81)).size(), 1U);
  }
}

TEST(Spade, ProbabilityModesCountMoreOfThePacket) {
  // 20 equal SYNs, then one that differs in one field: only the modes with that field find it new.
  const auto score = [](unsigned mode, const Observation& packet) {
    DetectorSettings detector = closed(1, 0);
    detector.probability_mode = mode;
    Engine engine(settings_of({detector}));
    for (int i = 0; i < 20; i++) engine.see(to_server(80));
    const auto alerts = engine.see(packet);
    return alerts.empty() ? std::nan("") : alerts[0].score;
  };
  Observation other_source = to_server(80);
  other_source.source = ip("192.0.2.2");
  Observation other_source_port = to_server(80);
  other_source_port.source_port = 1026;
  EXPECT_NEAR(score(3, other_source), 0, 1e-12);
  EXPECT_NEAR(score(2, other_source), 1, 1e-12);
  EXPECT_NEAR(score(2, other_source_port), 0, 1e-12);
  EXPECT_NEAR(score(1, other_source_port), 1, 1e-12);
  EXPECT_NEAR(score(1, to_server(80)), 0, 1e-12);
}

TEST(Spade, BayesScoresTheIntendedChainRawAndIn030125NothingIfRelative) {
  DetectorSettings detector = closed(0, 0.1);
  detector.probability_mode = 0;
  const auto score = [&](SpadeProfile profile) {
    Engine engine(settings_of({detector}, profile));
    for (int i = 0; i < 6; i++) engine.see(to_server(80));
    engine.see(tcp(0, "192.0.2.2", 1026, "10.0.0.1", 80));
    const auto alerts = engine.see(tcp(0, "192.0.2.2", 1025, "10.0.0.2", 80));
    return alerts.empty() ? std::nan("") : alerts[0].score;
  };
  // P(dport) = 8/8, P(sport | dport) = 7/8, P(sip | dport, sport) = 1/7, P(dip | sport, sip) = 1/1.
  EXPECT_NEAR(score(kDocumented), 3, 1e-12);
  EXPECT_TRUE(std::isnan(score(kOriginal)));
  detector.relative_score = false;
  EXPECT_NEAR(score(kOriginal), 3, 1e-12);
}

TEST(Spade, UdpRepliesAreNoAttemptsButIn030125) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    DetectorSettings detector = named("udp", default_detector(DetectorType::closed_dport, Transport::udp));
    detector.min_observations = 1;
    DetectorSettings dead = named("dead", default_detector(DetectorType::dead_dest, Transport::udp));
    Engine engine(settings_of({detector, dead}, profile));
    Observation reply = udp(0, "192.0.2.1", 53, "10.0.0.1", 40000);
    reply.reply = true;
    engine.see(udp(0, "192.0.2.1", 53, "10.0.0.1", 40000));
    engine.see(reply);
    EXPECT_EQ(engine.statistics(0).evaluated, profile == kDocumented ? 1U : 2U);
    EXPECT_EQ(engine.statistics(0).recorded, profile == kDocumented ? 1U : 2U);
    EXPECT_EQ(engine.statistics(1).evaluated, 2U);  // a reply to a dead host is one to a dead host
  }
}

TEST(Spade, AnUnreachableIsNeverScoredOrRecorded) {
  Engine engine(settings_of({closed()}));
  engine.see(to_server(80));
  EXPECT_TRUE(engine.see(unreachable(0, to_server(81), "10.0.0.1", 3)).empty());
  EXPECT_EQ(engine.statistics().evaluated, 1U);
  EXPECT_EQ(engine.statistics().recorded, 1U);
  EXPECT_EQ(engine.spade->statistics().observations, 2U);
}

// 12.2: what stands for many is scored as the many.
TEST(Batches, AlertAsOftenAsTheirPacketsOneByOne) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    for (const std::uint32_t before : {0U, 1U, 30U, 399U, 1000U}) {
      for (const std::uint32_t count : {1U, 2U, 7U, 500U}) {
        DetectorSettings detector = closed(400, 0.5);
        Engine single(settings_of({detector}, profile));
        Engine batch(settings_of({detector}, profile));
        for (Engine* engine : {&single, &batch}) {
          if (before > 0) engine->see(tcp(0, "192.0.2.1", 1025, "10.0.0.2", 80, kSyn, before));
          engine->recorder.alerts.clear();
        }
        for (std::uint32_t i = 0; i < count; i++) single.see(to_server(80));
        batch.see(to_server(80, count));
        std::uint64_t packets = 0;
        for (const SpadeAlert& alert : batch.recorder.alerts) packets += alert.packet.count;
        EXPECT_EQ(packets, single.recorder.alerts.size()) << before << " " << count;
        if (packets > 0) {
          EXPECT_EQ(batch.recorder.alerts.size(), 1U);
          EXPECT_EQ(batch.recorder.alerts[0].score, single.recorder.alerts[0].score);
        }
        EXPECT_EQ(batch.statistics().insufficient, single.statistics().insufficient) << before << " " << count;
        EXPECT_EQ(batch.statistics().evaluated, single.statistics().evaluated);
        EXPECT_EQ(batch.statistics().anomalous, single.statistics().anomalous);
        EXPECT_EQ(batch.statistics().remembered, single.statistics().remembered);
      }
    }
  }
}

TEST(Batches, ThatAreNotLearnedScoreAllAlike) {
  DetectorSettings dead = named("dead", default_detector(DetectorType::dead_dest));
  dead.wait_seconds = 0;
  dead.min_observations = 1;
  Engine engine(settings_of({dead}));
  engine.see(tcp(0, "10.0.0.1", 1, "192.0.2.1", 80));
  const auto alerts = engine.see(tcp(0, "192.0.2.1", 1, "10.0.0.9", 80, kSyn, 50));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].packet.count, 50U);
  EXPECT_EQ(engine.statistics().reported, 50U);
}

TEST(Batches, OfNothingAreNothing) {
  Engine engine(settings_of({closed()}));
  engine.see(to_server(80, 0));
  EXPECT_EQ(engine.spade->statistics().observations, 0U);
}

TEST(Learning, OfAnsweredAttemptsOnlyLetsAClosedPortStayRare) {
  SpadeSettings settings = settings_of({closed()});
  settings.extensions.learn_answered_only = true;
  Engine engine(settings);
  for (int i = 0; i < 20; i++) {
    engine.see(to_server(80));
    engine.see(answer(0, to_server(80), kSyn | kAck));
  }
  for (int i = 0; i < 10; i++) EXPECT_EQ(engine.see(to_server(81)).size(), 1U) << i;
  EXPECT_EQ(engine.statistics().recorded, 20U);
  engine.see(answer(0, to_server(81), kRst | kAck));
  EXPECT_EQ(engine.statistics().recorded, 20U);
  engine.see(answer(0, to_server(81), kSyn | kAck));
  EXPECT_EQ(engine.statistics().recorded, 21U);
  engine.see(answer(0, to_server(81), kSyn | kAck));  // once
  EXPECT_EQ(engine.statistics().recorded, 21U);
  EXPECT_EQ(engine.see(to_server(80)).size(), 0U);
}

TEST(Learning, OfAnsweredAttemptsGivesTheOldestUpForRoom) {
  SpadeSettings settings = settings_of({closed()});
  settings.extensions.learn_answered_only = true;
  settings.max_waiting = 2;
  Engine engine(settings);
  for (const unsigned port : {80U, 81U, 82U}) engine.see(to_server(static_cast<std::uint16_t>(port)));
  for (const unsigned port : {80U, 81U, 82U})
    engine.see(answer(1, to_server(static_cast<std::uint16_t>(port)), kSyn | kAck));
  EXPECT_EQ(engine.statistics().recorded, 2U);
  EXPECT_EQ(engine.spade->statistics().attempts_forgotten, 1U);
}

TEST(Learning, OfAnsweredUdpTakesTheReplyForNoAttempt) {
  DetectorSettings detector = named("udp", default_detector(DetectorType::closed_dport, Transport::udp));
  detector.side = NetworkSide::any;
  SpadeSettings settings = settings_of({detector});
  settings.extensions.learn_answered_only = true;
  Engine engine(settings);
  const Observation query = udp(0, "10.0.0.1", 40000, "192.0.2.1", 53);
  engine.see(query);
  EXPECT_EQ(engine.statistics().recorded, 0U);
  engine.see(answer(1, query));
  EXPECT_EQ(engine.statistics().recorded, 1U);
  engine.see(answer(2, query));  // nothing is open: as far as is known an attempt
  EXPECT_EQ(engine.statistics().recorded, 1U);
  engine.see(udp(3, "10.0.0.1", 40000, "192.0.2.1", 54));
  engine.see(answer(100, udp(3, "10.0.0.1", 40000, "192.0.2.1", 54)));  // too late
  EXPECT_EQ(engine.statistics().recorded, 1U);
}

TEST(Learning, AsksTheFilterForAttemptsButNotForLife) {
  DetectorSettings dead = named("dead", default_detector(DetectorType::dead_dest));
  DetectorSettings odd = named("odd", default_detector(DetectorType::odd_dport));
  Engine engine(settings_of({dead, odd}));
  int asked = 0;
  engine.spade->set_learning_filter([&](const Observation& packet) {
    asked++;
    return packet.source != ip("10.0.0.66");
  });
  engine.see(tcp(0, "10.0.0.66", 1, "192.0.2.1", 445));
  engine.see(tcp(0, "10.0.0.1", 1, "192.0.2.1", 80));
  engine.see(tcp(0, "10.0.0.1", 1, "192.0.2.1", 80, kAck));
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(engine.statistics(0).recorded, 2U);
  EXPECT_EQ(engine.statistics(1).recorded, 1U);
}

TEST(Adapters, MoveTheThresholdAndSayIt) {
  // Three of the twenty packets of an hour: the ideal lies between the third and the fourth highest score.
  SpadeSettings settings = settings_of({closed(1, -1)});
  settings.adapters.push_back(MeanAdapter{.id = "closed", .target = 3, .period_minutes = 60, .windows = 4});
  Engine engine(settings);
  for (int hour = 0; hour < 3; hour++) {
    for (int i = 0; i < 100; i++) {
      Observation packet = to_server(static_cast<std::uint16_t>(i < 95 ? 80 : 1000 + 100 * hour + i));
      packet.time = at(hour * 3600 + i * 30);
      engine.see(packet);
    }
  }
  ASSERT_FALSE(engine.recorder.adjustments.empty());
  const ThresholdAdjusted& first = engine.recorder.adjustments.front();
  EXPECT_EQ(first.detector, "closed");
  EXPECT_EQ(first.reported, 0U);
  EXPECT_GT(first.scored, 50U);
  EXPECT_GT(engine.statistics().threshold, 0.8);
  EXPECT_GT(engine.statistics().reported, 0U);
}

// What is rare after the target is reached is not reported, but it can be seen that there was something.
TEST(Adapters, SayWhatTheyHoldBack) {
  DetectorSettings detector = named("a", default_detector(DetectorType::closed_dport));
  detector.min_observations = 1;
  SpadeSettings settings = settings_of({detector});
  settings.adapters = {MeanAdapter{.id = "a", .target = 0.01, .period_minutes = 60, .windows = 168}};
  Engine engine(settings);
  std::uint16_t novel = 1;
  const auto hour = [&](int number) {
    for (int i = 0; i < 2000; i++)
      engine.see(tcp(number * 3600 + i * 1.8, "192.0.2.1", 4000, "10.0.0.1", i % 20 == 0 ? novel++ : 80));
  };
  for (int number = 0; number < 4; number++) hour(number);
  const DetectorStatistics before = engine.statistics();
  hour(4);
  const DetectorStatistics after = engine.statistics();
  const std::uint64_t rare = after.anomalous - before.anomalous;
  const std::uint64_t held = after.held_back - before.held_back;
  EXPECT_NEAR(static_cast<double>(rare), 100, 20) << "every new port";
  EXPECT_NEAR(static_cast<double>(after.reported - before.reported), 20, 10) << "as many as are wished";
  EXPECT_EQ(rare - held, after.reported - before.reported);
  const auto says = std::ranges::find_if(engine.recorder.adjustments, &ThresholdAdjusted::held);
  ASSERT_NE(says, engine.recorder.adjustments.end());
  EXPECT_TRUE(says->message().ends_with(", held back from now until the next adjustment")) << says->message();
  EXPECT_NE(detector_log(engine.spade->statistics()).find("not reported: as many as wished"), std::string::npos);
}

// Packets that are as rare as an attacker's, and never become alerts: a scanner that is on the list of what is not
// reported, or attempts at new services that are answered.
TEST(Adapters, KeepTheirNumberForWhatIsReported) {
  for (const bool answered : {false, true}) {
    DetectorSettings detector = named("a", default_detector(DetectorType::closed_dport));
    detector.min_observations = 100;
    detector.wait_seconds = 3;
    SpadeSettings settings = settings_of({detector});
    settings.adapters = {MeanAdapter{.id = "a", .target = 20, .period_minutes = 60, .windows = 168}};
    if (!answered) settings.exclusions.sources = {*IpPrefix::parse("192.0.2.9")};
    Engine engine(settings);
    std::uint16_t port = 1000;
    DetectorStatistics before;
    for (int second = 0; second < 4 * 3600; second++) {
      const Observation usual = tcp(second, "192.0.2.1", 4000, "10.0.0.1", 80);
      engine.see(usual);
      engine.see(answer(second + 0.01, usual, kSyn | kAck));
      const int in_hour = second % 3600;
      if (second == 3 * 3600) before = engine.statistics();
      if (in_hour >= 120 && in_hour < 220) {
        const Observation harmless = tcp(second + 0.1, "192.0.2.9", 4000, "10.0.0.1", port++);
        engine.see(harmless);
        if (answered) engine.see(answer(second + 0.11, harmless, kSyn | kAck));
      }
      if (in_hour >= 1200 && in_hour < 1240) engine.see(tcp(second + 0.2, "203.0.113.9", 4000, "10.0.0.1", port++));
    }
    const std::uint64_t reported = engine.statistics().reported - before.reported;
    EXPECT_GE(reported, 15U) << answered;
    EXPECT_LE(reported, 25U) << answered;
    EXPECT_EQ(engine.statistics().anomalous, engine.statistics().reported + engine.statistics().excluded +
                                                 engine.statistics().cancelled + engine.statistics().held_back);
  }
}

// Many wait at the same time: what is over the number is known only when they are to be reported.
TEST(Adapters, HoldBackWhatWaitsBeyondTheirNumber) {
  DetectorSettings detector = named("a", default_detector(DetectorType::closed_dport));
  detector.min_observations = 100;
  detector.wait_seconds = 3;
  SpadeSettings settings = settings_of({detector});
  settings.adapters = {MeanAdapter{.id = "a", .target = 20, .period_minutes = 60, .windows = 168}};
  Engine engine(settings);
  std::uint16_t port = 1000;
  DetectorStatistics before;
  for (int second = 0; second < 4 * 3600; second++) {
    const Observation usual = tcp(second, "192.0.2.1", 4000, "10.0.0.1", 80);
    engine.see(usual);
    engine.see(answer(second + 0.01, usual, kSyn | kAck));
    if (second == 3 * 3600) before = engine.statistics();
    if (second % 3600 == 1200)
      for (int i = 0; i < 500; i++) engine.see(tcp(second + 0.1, "203.0.113.9", 4000, "10.0.0.1", port++));
  }
  EXPECT_GE(engine.statistics().waited - before.waited, 500U);
  EXPECT_EQ(engine.statistics().reported - before.reported, 20U);
  EXPECT_EQ(engine.statistics().held_back - before.held_back, 480U);
}

TEST(Observers, SeeExcludedScoresAndTheirTimeIsTold) {
  struct Listener : Recorder {
    void advised(const ThresholdAdviser& adviser) override { advice.push_back(adviser.advice()); }
    void surveyed(const ScoreSurvey& survey, std::size_t new_rows) override {
      rows += new_rows;
      last = survey.rows().back();
    }
    std::vector<ThresholdAdviser::Advice> advice;
    std::size_t rows = 0;
    ScoreSurvey::Row last;
  } listener;
  SpadeSettings settings = settings_of({closed()});
  settings.exclusions.destination_ports = {81};
  settings.advisers.push_back({.id = "closed", .target = 2, .hours = 1});
  settings.surveys.push_back({.id = "closed", .file = "", .interval_minutes = 30});
  auto spade = Spade::create(settings, listener);
  ASSERT_TRUE(spade);
  for (int i = 0; i < 10; i++) spade->observe(to_server(80));
  spade->observe(to_server(81));
  spade->advance(at(1801));
  EXPECT_EQ(listener.rows, 1U);
  EXPECT_EQ(listener.last.count, 10U);  // the first has no score
  spade->advance(at(3700));
  ASSERT_EQ(listener.advice.size(), 1U);
  EXPECT_EQ(listener.advice[0].scores, 10U);
  EXPECT_TRUE(listener.alerts.empty());
  EXPECT_EQ(spade->advisers().size(), 1U);
  EXPECT_EQ(spade->surveys().size(), 1U);
}

// A host that is new, among ten that all use port 80 and one of which uses 22, asks for 80, 22 and 6667.
std::vector<double> scores_of_a_new_host(bool asset_prior) {
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_dport));
  detector.threshold = 0;  // everything is said
  SpadeSettings settings = settings_of({detector});
  settings.extensions.asset_prior = asset_prior;
  Engine engine(settings);
  const auto send = [&](const std::string& from, std::uint16_t port) {
    return engine.see(tcp(0, from, 1025, "192.0.2.1", port));
  };
  for (int host = 1; host <= 10; host++)
    for (int i = 0; i < 100; i++) send(fmt::format("10.0.1.{}", host), host == 1 && i % 10 == 0 ? 22 : 80);
  for (int i = 0; i < 30; i++) send("10.0.0.5", 443);
  std::vector<double> scores;
  for (const std::uint16_t port : std::array<std::uint16_t, 3>{80, 22, 6667})
    for (const SpadeAlert& alert : send("10.0.0.5", port)) scores.push_back(alert.score);
  return scores;
}

// Types of ICMPv6 have other meanings: what is everyday in one protocol may be unheard of in the other.
TEST(Spade, KnowsIcmpFromIcmpOfVersionSix) {
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_typecode));
  detector.side = NetworkSide::any;
  detector.threshold = 0.5;
  detector.min_observations = 1;
  Engine engine(settings_of({detector}));
  const auto six = [&](double second, unsigned type) {
    Observation packet = icmp(second, "2001:db8::1", "2001:db8::2", type, 1);
    packet.transport = Transport::icmp6;
    return engine.see(packet).size();
  };
  for (int i = 0; i < 50; i++) {
    engine.see(icmp(i, "192.0.2.1", "10.0.0.1", 3, 1));
    six(i, 128);
  }
  EXPECT_EQ(six(60, 3), 1U);
  EXPECT_EQ(engine.see(icmp(61, "192.0.2.1", "10.0.0.1", 3, 1)).size(), 0U);
}

// A site whose ICMP was that of IPv4 until now: nothing is known of what is usual in the other version.
TEST(Spade, WantsObservationsOfEachVersionOfIcmp) {
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_typecode));
  detector.side = NetworkSide::any;
  detector.min_observations = 50;
  Engine engine(settings_of({detector}));
  for (int i = 0; i < 5000; i++) engine.see(icmp(i, "192.0.2.1", "10.0.0.1", 8));
  const auto solicit = [&](double second, unsigned type) {
    Observation packet = icmp(second, "2001:db8::1", "2001:db8::2", type);
    packet.transport = Transport::icmp6;
    return engine.see(packet).size();
  };
  for (int i = 0; i < 300; i++) EXPECT_EQ(solicit(5000 + i, 135), 0U) << i;
  EXPECT_EQ(engine.statistics().recorded, 5300U);
  EXPECT_EQ(engine.statistics().remembered, 5300);
  EXPECT_EQ(solicit(5400, 137), 1U);
  ASSERT_EQ(engine.spade->tables().size(), 2U);
  EXPECT_EQ(engine.spade->tables()[0].conditions, "icmp");
  EXPECT_EQ(engine.spade->tables()[1].conditions, "icmp, icmpv6");
}

TEST(Spade, LetsASmallBaselineLeanOnItsGroup) {
  EXPECT_TRUE(scores_of_a_new_host(false).empty()) << "600 observations of its own are wanted";
  const std::vector<double> scores = scores_of_a_new_host(true);
  ASSERT_EQ(scores.size(), 3U);
  // 1 - ln(c + m q + 1) / ln(C + m + 1) with m = 10, q = 0.99, 0.01, 0.
  EXPECT_NEAR(scores[0], 1 - std::log(10.9) / std::log(41.0), 1e-9);
  EXPECT_NEAR(scores[1], 1 - std::log(1.1) / std::log(42.0), 1e-9);
  EXPECT_EQ(scores[2], 1);
}

TEST(Spade, LetsDestinationsLeanOnThoseOfTheGroup) {
  DetectorSettings detector = named("odd", default_detector(DetectorType::odd_port_dest, Transport::udp));
  SpadeSettings settings = settings_of({detector});
  settings.extensions.asset_prior = true;
  Engine engine(settings);
  const auto ask = [&](const std::string& from, const std::string& to) {
    return engine.see(udp(0, from, 1025, to, 53)).size();
  };
  for (int host = 1; host <= 10; host++)
    for (int i = 0; i < 100; i++) ask(fmt::format("10.0.1.{}", host), i % 2 == 0 ? "192.0.2.53" : "192.0.2.54");
  for (int i = 0; i < 30; i++) ask("10.0.0.5", "192.0.2.53");
  EXPECT_EQ(ask("10.0.0.5", "192.0.2.54"), 0U) << "everybody else asks it";
  EXPECT_EQ(ask("10.0.0.5", "198.51.100.53"), 1U);
}

}  // namespace
}  // namespace spidd
