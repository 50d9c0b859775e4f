// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/familiar_attempts.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

Observation packet(std::uint16_t server_port, bool from_client, std::uint8_t flags, Duration since_start) {
  Observation one;
  one.time = Timestamp{std::chrono::hours(1) + since_start};
  one.source = IpAddress::from_ipv4(0x0a000009);
  one.destination = IpAddress::from_ipv4(0x0a000002);
  one.source_port = 40000;
  one.destination_port = server_port;
  if (!from_client) {
    std::swap(one.source, one.destination);
    std::swap(one.source_port, one.destination_port);
  }
  one.tcp_flags = flags;
  return one;
}
Observation syn(std::uint16_t port, Duration time) { return packet(port, true, kSyn, time); }
Observation answer(std::uint16_t port, Duration time) { return packet(port, false, kSyn | kAck, time); }

// Of `count` answers, a second apart.
bool any_familiar(FamiliarAttempts& attempts, std::uint16_t port, int count, Duration start) {
  bool familiar = false;
  for (int i = 0; i < count; ++i) familiar |= attempts.seen(answer(port, start + seconds(i))).has_value();
  return familiar;
}

TEST(FamiliarAttempts, AreThoseAnsweredAgainAndAgain) {
  FamiliarAttempts attempts({}, {});
  EXPECT_FALSE(any_familiar(attempts, 443, 15, minutes(0)));
  const auto familiar = attempts.seen(answer(443, seconds(20)));
  ASSERT_TRUE(familiar.has_value());
  EXPECT_EQ(*familiar, ConnectionAttempt::of(syn(443, {})));
  EXPECT_FALSE(attempts.seen(answer(444, seconds(20)))) << "another port is another attempt";
}

TEST(FamiliarAttempts, AreNotThoseAnsweredNowAndThen) {
  FamiliarAttempts attempts({}, {});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(attempts.seen(answer(443, minutes(3 * i))));
}

TEST(FamiliarAttempts, AreNotThoseThatNobodyAnswers) {
  FamiliarAttempts attempts({}, {});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(attempts.seen(syn(443, seconds(i))));
}

TEST(FamiliarAttempts, AreNotThoseOfSuspiciousPackets) {
  const Observation suspicious[] = {syn(443, minutes(1)), answer(443, minutes(1)),
                                    packet(443, true, kFin | kAck, minutes(1)),
                                    packet(443, false, kFin | kAck, minutes(1))};
  for (const Observation& one : suspicious) {
    FamiliarAttempts attempts({}, {});
    any_familiar(attempts, 443, 15, minutes(0));
    const auto suspects = attempts.suspected(one);
    bool found = false;
    for (std::size_t i = 0; i < suspects.count; ++i) found |= suspects.each[i] == ConnectionAttempt::of(syn(443, {}));
    EXPECT_TRUE(found);
    EXPECT_FALSE(any_familiar(attempts, 443, 30, minutes(2)));
    EXPECT_TRUE(any_familiar(attempts, 443, 16, minutes(62)));
  }
}

TEST(FamiliarAttempts, ArePacketsThatAreNeverCountedNoMatterTo) {
  FamiliarAttempts attempts({}, {});
  EXPECT_EQ(attempts.suspected(packet(443, true, kRst | kAck, {})).count, 0U);
  EXPECT_EQ(attempts.suspected(packet(443, true, kSyn | kFin, {})).count, 0U);
  Observation ping;
  ping.transport = Transport::icmp;
  EXPECT_EQ(attempts.suspected(ping).count, 0U);
  EXPECT_EQ(attempts.candidates(), 0U);
}

TEST(FamiliarAttempts, AreNoneIfADetectorLooksAtClientPorts) {
  SpadeSettings spade = distributed_settings();
  FamiliarAttempts attempts({}, spade);
  EXPECT_TRUE(any_familiar(attempts, 443, 16, minutes(0)));
  spade.detectors[0].probability_mode = 1;
  FamiliarAttempts of_ports({}, spade);
  EXPECT_FALSE(any_familiar(of_ports, 443, 100, minutes(0)));
  spade.detectors[0].probability_mode = 2;
  spade.exclusions.source_ports = {53};
  FamiliarAttempts of_exclusion({}, spade);
  EXPECT_FALSE(any_familiar(of_exclusion, 443, 100, minutes(0)));
}

TEST(FamiliarAttempts, KeepOnlySoManyCandidates) {
  FamiliarAttempts::Settings settings;
  settings.candidates = 10;
  FamiliarAttempts attempts(settings, {});
  for (std::uint16_t port = 1; port < 1000; ++port) attempts.seen(answer(port, seconds(port)));
  EXPECT_EQ(attempts.candidates(), 10U);
}

TEST(ConnectionAttempt, IsTheSameForBothSidesOfIt) {
  Observation syn;
  syn.source = IpAddress::from_ipv4(1);
  syn.destination = IpAddress::from_ipv4(2);
  syn.source_port = 40000;
  syn.destination_port = 443;
  syn.tcp_flags = 0x02;
  Observation answer = syn;
  std::swap(answer.source, answer.destination);
  std::swap(answer.source_port, answer.destination_port);
  answer.tcp_flags = 0x12;
  EXPECT_EQ(ConnectionAttempt::of(syn), ConnectionAttempt::of(answer));
  EXPECT_EQ(ConnectionAttempt::of(syn).port, 443);

  syn.transport = answer.transport = Transport::udp;
  syn.tcp_flags = answer.tcp_flags = 0;
  answer.reply = true;
  EXPECT_EQ(ConnectionAttempt::of(syn), ConnectionAttempt::of(answer));
}

}  // namespace
}  // namespace spidd
