// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/familiar_attempts.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

ConnectionAttempt attempt(std::uint16_t port) {
  ConnectionAttempt one;
  one.client = IpAddress::from_ipv4(0x0a000009);
  one.server = IpAddress::from_ipv4(0x0a000002);
  one.port = port;
  return one;
}

Timestamp at(Duration since_start) { return Timestamp{std::chrono::hours(1) + since_start}; }

// Of `count` answers, a second apart.
bool any_familiar(FamiliarAttempts& attempts, std::uint16_t port, int count, Duration start) {
  bool familiar = false;
  for (int i = 0; i < count; ++i) familiar |= attempts.answered(attempt(port), at(start + seconds(i)));
  return familiar;
}

TEST(FamiliarAttempts, AreThoseAnsweredAgainAndAgain) {
  FamiliarAttempts attempts({});
  EXPECT_FALSE(any_familiar(attempts, 443, 15, minutes(0)));
  EXPECT_TRUE(attempts.answered(attempt(443), at(seconds(20))));
  EXPECT_FALSE(attempts.answered(attempt(444), at(seconds(20)))) << "another port is another attempt";
}

TEST(FamiliarAttempts, AreNotThoseAnsweredNowAndThen) {
  FamiliarAttempts attempts({});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(attempts.answered(attempt(443), at(minutes(3 * i))));
}

TEST(FamiliarAttempts, AreNotThoseThatRaisedAnAlert) {
  FamiliarAttempts attempts({});
  any_familiar(attempts, 443, 15, minutes(0));
  attempts.alerted(attempt(443), at(minutes(1)));
  EXPECT_FALSE(any_familiar(attempts, 443, 30, minutes(2)));
  EXPECT_TRUE(any_familiar(attempts, 443, 16, minutes(62)));
}

TEST(FamiliarAttempts, KeepOnlySoManyCandidates) {
  FamiliarAttempts::Settings settings;
  settings.candidates = 10;
  FamiliarAttempts attempts(settings);
  for (std::uint16_t port = 1; port < 1000; ++port) attempts.answered(attempt(port), at(seconds(port)));
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
