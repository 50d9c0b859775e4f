// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reports that wait: who answers them, when they are given up, what is said then (spade.md 6), in both profiles.
#include "tests/unit/spade/spade_fixture.h"

namespace spidd {
namespace {

using namespace spade_test;

DetectorSettings closed(unsigned wait, Transport transport = Transport::tcp, TcpScope flags = TcpScope::synonly) {
  DetectorSettings detector = named("closed", default_detector(DetectorType::closed_dport, transport, flags));
  detector.min_observations = 1;
  detector.wait_seconds = wait;
  return detector;
}

DetectorSettings dead(unsigned wait, Transport transport = Transport::tcp, TcpScope flags = TcpScope::synonly) {
  DetectorSettings detector = named("dead", default_detector(DetectorType::dead_dest, transport, flags));
  detector.min_observations = 1;
  detector.wait_seconds = wait;
  return detector;
}

// 50 connections to a server's port 80, at second 0; the server answers.
void warm_up(Engine& engine, Transport transport = Transport::tcp) {
  for (int i = 0; i < 50; i++) {
    Observation syn = tcp(0, "192.0.2.1", 1025, "10.0.0.1", 80);
    syn.transport = transport;
    engine.spade->observe(syn);
    engine.spade->observe(answer(0, syn, kSyn | kAck));
  }
}

Observation probe(double second, std::uint16_t port = 81) { return tcp(second, "192.0.2.1", 4000, "10.0.0.1", port); }

TEST(Waiting, ReportsWhenTheWaitIsOverAndNotASecondEarlier) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({closed(3)}, profile));
    warm_up(engine);
    EXPECT_TRUE(engine.see(probe(1000.2)).empty());
    EXPECT_TRUE(engine.pass(1003.9).empty());
    const auto alerts = engine.pass(1004.0);
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_EQ(alerts[0].status, PortStatus::likely_closed);
    EXPECT_EQ(alerts[0].packet.time, at(1000.2));
    EXPECT_EQ(alerts[0].reported, at(1004.0));
    EXPECT_EQ(alerts[0].message(), "Spade: Closed dest port used: local dest, syn: 1.0000");
  }
}

TEST(Waiting, IsEndedByTheFirstPacketOfALaterSecondToo) {
  Engine engine(settings_of({closed(3)}));
  warm_up(engine);
  engine.see(probe(1000));
  EXPECT_TRUE(engine.see(udp(1003, "192.0.2.1", 1, "192.0.2.2", 2)).empty());
  EXPECT_EQ(engine.see(udp(1004, "192.0.2.1", 1, "192.0.2.2", 2)).size(), 1U);
}

TEST(Waiting, SynAckKillsTheReport) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({closed(3)}, profile));
    warm_up(engine);
    engine.see(probe(1000));
    engine.see(answer(1003.9, probe(0), kSyn | kAck));
    EXPECT_TRUE(engine.pass(1010).empty());
    EXPECT_EQ(engine.statistics().cancelled, 1U);
    EXPECT_EQ(engine.statistics().waited, 1U);
    EXPECT_EQ(engine.statistics().responses, 51U);
  }
}

TEST(Waiting, ResetConfirmsAtOnceAsDocumentedAndIsNoAnswerIn030125) {
  Engine documented(settings_of({closed(3)}));
  warm_up(documented);
  documented.see(probe(1000));
  const auto alerts = documented.see(answer(1000.1, probe(0), kRst | kAck));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].status, PortStatus::closed);
  EXPECT_TRUE(documented.pass(1010).empty());

  Engine original(settings_of({closed(3)}, kOriginal));
  warm_up(original);
  original.see(probe(1000));
  EXPECT_TRUE(original.see(answer(1000.1, probe(0), kRst | kAck)).empty());
  EXPECT_EQ(original.pass(1004).at(0).status, PortStatus::likely_closed);
}

TEST(Waiting, OfThreeRetriesOnlyTheFirstWaitsAndOneAnswerEndsAll) {
  Engine engine(settings_of({closed(3)}));
  warm_up(engine);
  for (const double second : {1000.0, 1001.0, 1003.0}) engine.see(probe(second));
  EXPECT_EQ(engine.statistics().waited, 1U);
  engine.see(answer(1003.5, probe(0), kSyn | kAck));
  EXPECT_TRUE(engine.pass(1020).empty());

  DetectorSettings eager = closed(3);
  eager.threshold = 0.5;
  Engine all(settings_of({eager}));
  warm_up(all);
  for (const double second : {1000.0, 1001.0, 1003.0}) all.see(probe(second));
  EXPECT_EQ(all.statistics().waited, 3U);
  all.see(answer(1003.5, probe(0), kSyn | kAck));
  EXPECT_EQ(all.statistics().cancelled, 3U);
}

TEST(Waiting, NeedsTheExactTuple) {
  Engine engine(settings_of({closed(3)}));
  warm_up(engine);
  engine.see(probe(1000));
  Observation other = answer(1001, probe(0), kSyn | kAck);
  other.destination_port = 4001;
  engine.see(other);
  EXPECT_EQ(engine.pass(1004).size(), 1U);
}

TEST(Waiting, OnTheOppositeReportsOpenPortsOnly) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    DetectorSettings detector = closed(3);
    detector.report_on_opposite = true;
    Engine engine(settings_of({detector}, profile));
    warm_up(engine);
    engine.see(probe(1000, 81));
    engine.see(probe(1000, 82));
    const auto alerts = engine.see(answer(1001, probe(0, 81), kSyn | kAck));
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_EQ(alerts[0].status, PortStatus::open);
    EXPECT_EQ(alerts[0].activity, "Rare but open dest port used");
    engine.see(answer(1001, probe(0, 82), kRst | kAck));
    EXPECT_TRUE(engine.pass(1010).empty());
  }
}

TEST(Waiting, OtherTcpPacketsAreReportedOnlyIfRefused) {
  using enum TcpScope;
  Engine engine(settings_of({closed(0, Transport::tcp, established)}));
  warm_up(engine);
  Observation packet = probe(1000);
  packet.tcp_flags = kAck;
  engine.see(packet);
  packet.destination_port = 82;
  engine.see(packet);
  const auto alerts = engine.see(answer(1001, packet, kRst));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].status, PortStatus::closed);
  EXPECT_EQ(alerts[0].packet.destination_port, 82);
  EXPECT_TRUE(engine.pass(1010).empty());
}

TEST(Waiting, UdpIsReportedWhenAnUnreachableHasItInside) {
  Engine engine(settings_of({closed(2, Transport::udp)}));
  for (int i = 0; i < 50; i++) engine.see(udp(0, "192.0.2.1", 1025, "10.0.0.1", 53));
  const Observation odd = udp(1000, "192.0.2.1", 1025, "10.0.0.1", 54);
  engine.see(odd);
  const auto alerts = engine.see(unreachable(1000.1, odd, "10.0.0.1", 3));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].message(), "Spade: Closed dest port used: local dest, udp: 1.0000");
  EXPECT_EQ(alerts[0].status, PortStatus::closed);
  engine.see(udp(1001, "192.0.2.1", 1025, "10.0.0.1", 55));
  EXPECT_TRUE(engine.pass(1010).empty());
}

TEST(Waiting, AFullQueueReportsAtOnceAndSaysSo) {
  SpadeSettings settings = settings_of({closed(3)});
  settings.max_waiting = 1;
  Engine engine(settings);
  warm_up(engine);
  EXPECT_TRUE(engine.see(probe(1000, 81)).empty());
  const auto alerts = engine.see(probe(1000, 82));
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].status, PortStatus::probably_closed);
  EXPECT_EQ(alerts[0].activity, "Rare dest port used");
  EXPECT_EQ(engine.spade->statistics().waiting_refused, 1U);
  EXPECT_EQ(engine.spade->statistics().waiting, 1U);
}

TEST(Waiting, AFullQueueDropsWhatOnlyAnAnswerConfirms) {
  using enum TcpScope;
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    for (const TcpScope scope : {synack, established, teardown}) {
      SpadeSettings settings = settings_of({closed(3, Transport::tcp, scope)}, profile);
      settings.max_waiting = 1;
      Engine engine(settings);
      warm_up(engine);
      for (std::uint16_t port = 81; port < 91; port++) {
        Observation packet = probe(1000, port);
        packet.tcp_flags = scope == synack ? kSyn | kAck : scope == established ? kAck : kFin | kAck;
        EXPECT_TRUE(engine.see(packet).empty());
      }
      EXPECT_TRUE(engine.pass(1010).empty());
      EXPECT_EQ(engine.spade->statistics().waiting_dropped, 9U);
      EXPECT_EQ(engine.spade->statistics().waiting_refused, 0U);
    }
  }

  SpadeSettings datagrams = settings_of({closed(3, Transport::udp)});
  datagrams.max_waiting = 0;
  Engine udp_engine(datagrams);
  warm_up(udp_engine, Transport::udp);
  EXPECT_TRUE(udp_engine.see(udp(1000, "192.0.2.1", 4000, "10.0.0.1", 81)).empty());
  EXPECT_EQ(udp_engine.spade->statistics().waiting_dropped, 1U);
}

TEST(Waiting, AFullQueueDropsAndReportsTheOtherWayRoundOnTheOpposite) {
  DetectorSettings open_ports = closed(3);
  open_ports.report_on_opposite = true;
  SpadeSettings settings = settings_of({open_ports});
  settings.max_waiting = 0;
  Engine engine(settings);
  warm_up(engine);
  EXPECT_TRUE(engine.see(probe(1000)).empty());
  EXPECT_EQ(engine.spade->statistics().waiting_dropped, 1U);

  DetectorSettings unanswered = closed(3, Transport::udp);
  unanswered.report_on_opposite = true;
  settings = settings_of({unanswered});
  settings.max_waiting = 0;
  Engine udp_engine(settings);
  warm_up(udp_engine, Transport::udp);
  EXPECT_EQ(udp_engine.see(udp(1000, "192.0.2.1", 4000, "10.0.0.1", 81)).size(), 1U);
  EXPECT_EQ(udp_engine.spade->statistics().waiting_refused, 1U);
}

TEST(Waiting, OfAFloodIsEndedInPortions) {
  Engine engine(settings_of({closed(3)}));
  warm_up(engine);
  for (unsigned port = 10000; port < 20000; port++) engine.see(probe(1000, static_cast<std::uint16_t>(port)));
  EXPECT_EQ(engine.statistics().waited, 10000U);
  std::size_t reported = 0;
  for (int packets = 1; reported < 10000; packets++) {
    const std::size_t now = engine.see(udp(1004, "192.0.2.1", 1, "192.0.2.2", 2)).size();
    EXPECT_LE(now, 4096U);
    reported += now;
    ASSERT_LE(packets, 3);
  }
  EXPECT_EQ(engine.recorder.alerts.back().packet.destination_port, 19999);

  Engine at_the_end(settings_of({closed(3)}));
  warm_up(at_the_end);
  for (unsigned port = 10000; port < 20000; port++) at_the_end.see(probe(1000, static_cast<std::uint16_t>(port)));
  EXPECT_EQ(at_the_end.pass(1004).size(), 10000U);
}

TEST(Waiting, AClockThatGoesBackEndsNothing) {
  Engine engine(settings_of({closed(3)}));
  warm_up(engine);
  engine.see(probe(1000));
  engine.see(probe(900, 80));
  EXPECT_TRUE(engine.pass(1003).empty());
  EXPECT_EQ(engine.pass(1004).size(), 1U);
}

// dead-dest: hosts 10.0.0.1 to .5 live, .99 does not.
void live(Engine& engine) {
  for (int i = 1; i <= 5; i++) engine.see(tcp(0, "10.0.0." + std::to_string(i), 1025, "192.0.2.1", 80));
}

TEST(DeadDest, ReportsHostsThatWereNeverHeardOf) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({dead(0)}, profile));
    live(engine);
    EXPECT_TRUE(engine.see(tcp(1, "192.0.2.1", 5000, "10.0.0.3", 80)).empty());
    const auto alerts = engine.see(tcp(1, "192.0.2.1", 5000, "10.0.0.99", 80));
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_EQ(alerts[0].message(), "Spade: Non-live dest used: local dest, syn: 1.0000");
    EXPECT_EQ(alerts[0].sid, 3U);
    engine.see(tcp(2, "10.0.0.99", 5000, "192.0.2.1", 80));
    EXPECT_TRUE(engine.see(tcp(3, "192.0.2.1", 5000, "10.0.0.99", 80)).empty());
  }
}

TEST(DeadDest, DataDoesNotProveItsSenderAlive) {
  Engine engine(settings_of({dead(0)}));
  live(engine);
  engine.see(tcp(1, "10.0.0.99", 5000, "192.0.2.1", 80, kAck));
  EXPECT_EQ(engine.see(tcp(1, "192.0.2.1", 5000, "10.0.0.99", 80)).size(), 1U);
}

TEST(DeadDest, ForgetsAHostThatWasSilentForADay) {
  Engine engine(settings_of({dead(0)}));
  live(engine);
  engine.see(tcp(1, "10.0.0.99", 5000, "192.0.2.1", 80));
  for (int hour = 1; hour <= 25; hour++) live(engine), engine.see(tcp(3600 * hour, "10.0.0.1", 1, "192.0.2.1", 2));
  EXPECT_EQ(engine.see(tcp(3600 * 25 + 100, "192.0.2.1", 5000, "10.0.0.99", 80)).size(), 1U);
}

TEST(DeadDest, KnowsBroadcastByTheLastOctetAndAsDocumentedByTheNetworkToo) {
  const auto reported = [](const std::string& to, SpadeProfile profile) {
    SpadeSettings settings = settings_of({dead(0)}, profile);
    settings.home = {*IpPrefix::parse("10.0.0.0/23"), *IpPrefix::parse("224.0.0.0/4")};
    Engine engine(settings);
    live(engine);
    return engine.see(tcp(1, "192.0.2.1", 5000, to, 80)).size();
  };
  EXPECT_EQ(reported("10.0.0.255", kDocumented), 0U);
  EXPECT_EQ(reported("10.0.0.255", kOriginal), 0U);
  EXPECT_EQ(reported("10.0.1.255", kDocumented), 0U);
  EXPECT_EQ(reported("10.0.1.255", kOriginal), 0U);
  EXPECT_EQ(reported("10.0.0.0", kDocumented), 0U);
  EXPECT_EQ(reported("10.0.0.0", kOriginal), 1U);
  EXPECT_EQ(reported("224.0.0.5", kDocumented), 0U);
  EXPECT_EQ(reported("224.0.0.5", kOriginal), 1U);
}

// Reports after a probe of a dead host and one response to it.
std::vector<SpadeAlert> after_response(SpadeProfile profile, Transport transport, const std::string& reporter,
                                       unsigned code) {
  Engine engine(settings_of({dead(2, transport)}, profile));
  live(engine);
  Observation probe = tcp(1000, "192.0.2.1", 5000, "10.0.0.99", 80);
  probe.transport = transport;
  engine.see(probe);
  engine.see(unreachable(1000.5, probe, reporter, code));
  auto alerts = engine.recorder.alerts;
  if (alerts.empty()) {
    engine.pass(1010);
    alerts = engine.recorder.alerts;
  }
  return alerts;
}

TEST(DeadDest, PortUnreachableFromTheHostItselfProvesItAlive) {
  EXPECT_TRUE(after_response(kDocumented, Transport::udp, "10.0.0.99", 3).empty());
  EXPECT_TRUE(after_response(kDocumented, Transport::tcp, "10.0.0.99", 3).empty());
  EXPECT_TRUE(after_response(kDocumented, Transport::tcp, "10.0.0.99", 13).empty());
}

TEST(DeadDest, HostUnreachableFromARouterConfirmsItDeadAtOnce) {
  for (const unsigned code : {0U, 1U, 7U}) {
    const auto alerts = after_response(kDocumented, Transport::udp, "10.0.0.254", code);
    ASSERT_EQ(alerts.size(), 1U) << code;
    EXPECT_EQ(alerts[0].status, PortStatus::closed);
    EXPECT_EQ(alerts[0].reported, at(1000.5));
  }
}

TEST(DeadDest, AFiltersRefusalSaysNothingOfTheHost) {
  const auto alerts = after_response(kDocumented, Transport::tcp, "10.0.0.254", 3);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].status, PortStatus::likely_closed);
}

TEST(DeadDest, In030125AnyUnreachableCancelsUdpAndNoneTcp) {
  EXPECT_TRUE(after_response(kOriginal, Transport::udp, "10.0.0.254", 1).empty());
  EXPECT_EQ(after_response(kOriginal, Transport::tcp, "10.0.0.99", 3).size(), 1U);
}

TEST(DeadDest, TcpResponsesCancelIn030125OnlyIfAnotherDetectorLooksAtThem) {
  const auto reports = [](std::vector<DetectorSettings> detectors, SpadeProfile profile, unsigned flags) {
    Engine engine(settings_of(std::move(detectors), profile));
    live(engine);
    const Observation probe = tcp(1000, "192.0.2.1", 5000, "10.0.0.99", 80);
    engine.see(probe);
    Observation response = answer(1001, probe, flags);
    engine.see(response);
    engine.pass(1010);
    return engine.recorder.alerts.size();
  };
  const auto never = [](DetectorSettings detector) {
    detector.threshold = -1;
    return detector;
  };
  const DetectorSettings looks_at_synack = never(closed(3));
  const DetectorSettings looks_at_reset = never(closed(3, Transport::tcp, TcpScope::established));
  EXPECT_EQ(reports({dead(2)}, kDocumented, kSyn | kAck), 0U);
  EXPECT_EQ(reports({dead(2)}, kOriginal, kSyn | kAck), 1U);
  EXPECT_EQ(reports({dead(2), looks_at_synack}, kOriginal, kSyn | kAck), 0U);
  EXPECT_EQ(reports({dead(2), looks_at_synack}, kOriginal, kRst), 1U);
  EXPECT_EQ(reports({dead(2), looks_at_reset}, kOriginal, kRst), 0U);
  EXPECT_EQ(reports({dead(2)}, kDocumented, kRst), 0U);
}

TEST(DeadDest, LooksAgainWhenTheWaitIsOverButNotIn030125) {
  for (const SpadeProfile profile : {kDocumented, kOriginal}) {
    Engine engine(settings_of({dead(2)}, profile));
    live(engine);
    engine.see(tcp(1000, "192.0.2.1", 5000, "10.0.0.99", 80));
    engine.see(tcp(1001, "10.0.0.99", 777, "198.51.100.1", 443));  // another flow
    EXPECT_EQ(engine.pass(1003).size(), profile == kDocumented ? 0U : 1U);
  }
}

TEST(DeadDest, KnowsIpv6) {
  SpadeSettings settings = settings_of({dead(2)});
  settings.home = {*IpPrefix::parse("2001:db8::/32"), *IpPrefix::parse("ff00::/8")};
  Engine engine(settings);
  for (int i = 0; i < 5; i++) engine.see(tcp(0, "2001:db8::1", 1025, "2001:db9::1", 80));
  EXPECT_TRUE(engine.see(tcp(1000, "2001:db9::1", 1025, "ff02::1", 80)).empty());
  EXPECT_TRUE(engine.see(tcp(1000, "2001:db9::1", 1025, "2001:db8::1", 80)).empty());
  const Observation alive = tcp(1000, "2001:db9::1", 1025, "2001:db8::8", 80);
  const Observation not_there = tcp(1000, "2001:db9::1", 1025, "2001:db8::9", 80);
  engine.see(alive);
  engine.see(not_there);
  EXPECT_TRUE(engine.see(unreachable(1001, alive, "2001:db8::8", 4)).empty());        // port
  EXPECT_EQ(engine.see(unreachable(1001, not_there, "2001:db8::fe", 3)).size(), 1U);  // address
  EXPECT_TRUE(engine.pass(1010).empty());
}

TEST(DeadDest, IcmpIsMatchedOnTheAddresses) {
  Engine engine(settings_of({dead(2, Transport::icmp)}));
  live(engine);
  EXPECT_TRUE(engine.see(icmp(1000, "192.0.2.1", "10.0.0.98", 8)).empty());
  engine.see(icmp(1000, "192.0.2.1", "10.0.0.99", 8));
  engine.see(icmp(1001, "10.0.0.99", "192.0.2.1", 0));
  const auto alerts = engine.pass(1003);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].packet.destination, ip("10.0.0.98"));
  EXPECT_EQ(alerts[0].message(), "Spade: Non-live dest used: non-err icmp, local dest: 1.0000");
}

}  // namespace
}  // namespace spidd
