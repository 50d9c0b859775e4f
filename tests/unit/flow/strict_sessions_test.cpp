// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The session rules of SPID 0.4.6, one by one.
#include "userspace/flow/strict_sessions.h"

#include <gmock/gmock.h>

namespace spidd {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr std::uint8_t kFinAck = kTcpFin | kTcpAck;

class StrictSessionsTest : public testing::Test {
 protected:
  explicit StrictSessionsTest(std::uint32_t sessions = 1000)
      : sessions_(
            {.sessions = sessions}, [this](const StrictSession& session) { note(session); },
            [this](const StrictSession& session) { ended_.push_back(session.counters.packets[0]); }) {}

  void note(const StrictSession& session) {
    judged_.push_back(session);
    std::string text;
    for (const PayloadPacket& packet : session.packets)
      text += fmt::format("{}{} ", packet.direction == Direction::to_server ? ">" : "<", packet.length);
    measured_.push_back(text);
  }

  // The client is the lower endpoint, whose packets are `client`.
  void send(bool client, std::uint8_t flags, std::uint32_t payload = 0, Transport transport = Transport::tcp) {
    CapturedPacket packet;
    packet.key.transport = transport;
    packet.key.port_low = port_;
    packet.key.port_high = 443;
    packet.source_is_low = client;
    packet.tcp_flags = flags;
    packet.bytes = 40 + payload;
    packet.payload.time = now_;
    packet.payload.length = payload;
    packet.tail = tail_;
    sessions_.add(packet);
  }
  void handshake() {
    send(true, kTcpSyn);
    send(false, kSynAck);
    send(true, kTcpAck);
  }

  std::uint16_t port_ = 40000;
  std::vector<std::uint8_t> tail_;
  Timestamp now_{seconds(1000)};
  std::vector<StrictSession> judged_;
  std::vector<std::string> measured_;
  std::vector<std::uint64_t> ended_;
  StrictSessions sessions_;
};

TEST_F(StrictSessionsTest, BeginOnlyWithASynOrItsAnswer) {
  send(true, kTcpAck, 100);
  send(false, kTcpAck, 100);
  send(true, kTcpRst);
  EXPECT_EQ(sessions_.size(), 0U);
  EXPECT_EQ(sessions_.counters().without_session, 3U);
  send(true, kTcpSyn);
  EXPECT_EQ(sessions_.size(), 1U);
}

TEST_F(StrictSessionsTest, TakeTheReceiverOfASynAckForTheClient) {
  send(false, kSynAck);
  send(true, kTcpAck);
  send(true, kTcpAck, 10);
  send(false, kTcpAck, 20);
  sessions_.finish();
  ASSERT_EQ(judged_.size(), 1U);
  EXPECT_TRUE(judged_[0].client_is_low);
  EXPECT_EQ(measured_[0], ">10 <20 ");
}

TEST_F(StrictSessionsTest, KeepWhatTheFirstPacketsHaveBehindTheirBeginning) {
  handshake();
  tail_.assign(3000, 1);
  for (std::size_t i = 0; i < kStrictTails + 2; ++i) send(i % 2 == 0, kTcpAck, 3064);
  sessions_.finish();
  ASSERT_EQ(judged_.size(), 1U);
  ASSERT_EQ(judged_[0].tails.size(), kStrictTails);
  EXPECT_EQ(judged_[0].tails[0].size(), kStrictSnap - kSnapLength);
}

TEST_F(StrictSessionsTest, DoNotMeasureThePacketThatCompletesTheHandshake) {
  send(true, kTcpSyn);
  send(false, kSynAck);
  send(true, kTcpAck, 77);
  send(true, kTcpAck, 78);
  sessions_.finish();
  EXPECT_THAT(measured_, ElementsAre(">78 "));
}

TEST_F(StrictSessionsTest, MeasureTheServersPayloadThatCompletesTheHandshake) {
  send(false, kSynAck);
  send(false, kTcpAck);
  send(false, kTcpAck, 50);
  send(false, kTcpAck, 51);
  sessions_.finish();
  EXPECT_THAT(measured_, ElementsAre("<50 <51 "));
}

TEST_F(StrictSessionsTest, MayMissTheSynAckButThenEndWithoutAVerdictUnlessTheyClose) {
  send(true, kTcpSyn);
  send(true, kTcpAck);
  send(true, kTcpAck, 5);
  sessions_.finish();
  EXPECT_THAT(measured_, IsEmpty());
  EXPECT_EQ(sessions_.counters().never_established, 1U);
  send(true, kTcpSyn);
  send(true, kTcpAck);
  send(true, kTcpAck, 5);
  send(true, kTcpRst);
  EXPECT_THAT(measured_, ElementsAre(">5 "));
}

TEST_F(StrictSessionsTest, MeasureAPlainFinButNotTheEnd) {
  handshake();
  send(true, kTcpAck, 1);
  send(true, kTcpFin, 2);
  send(false, kTcpAck, 3);
  send(false, kFinAck, 4);
  EXPECT_THAT(measured_, ElementsAre(">1 >2 <3 "));
  EXPECT_THAT(ended_, ElementsAre(4U));
  EXPECT_TRUE(sessions_.size() == 0);
  send(true, kTcpAck);
  EXPECT_EQ(sessions_.counters().without_session, 1U);
}

TEST_F(StrictSessionsTest, EndWithAResetWhichIsNotMeasured) {
  handshake();
  send(true, kTcpAck, 1);
  send(false, kTcpRst | kTcpAck, 9);
  EXPECT_THAT(measured_, ElementsAre(">1 "));
}

TEST_F(StrictSessionsTest, MeasureRetransmissionsAsCaptured) {
  handshake();
  for (int i = 0; i < 3; ++i) send(true, kTcpAck, 100);
  sessions_.finish();
  EXPECT_THAT(measured_, ElementsAre(">100 >100 >100 "));
}

TEST_F(StrictSessionsTest, AreJudgedOnceWhenThe21stFrameComes) {
  handshake();
  for (std::uint32_t i = 1; i <= 17; ++i) send(true, kTcpAck, i);
  EXPECT_THAT(judged_, IsEmpty());
  send(true, kTcpAck, 18);
  ASSERT_EQ(judged_.size(), 1U);
  EXPECT_EQ(judged_[0].packets.size(), 17U);
  EXPECT_EQ(judged_[0].packets.back().length, 17U);
  EXPECT_EQ(judged_[0].frames, 21U);
  for (std::uint32_t i = 0; i < 30; ++i) send(false, kTcpAck, 500);
  send(true, kFinAck);
  EXPECT_EQ(judged_.size(), 1U);
  EXPECT_THAT(ended_, ElementsAre(21U));
}

TEST_F(StrictSessionsTest, OfUdpAreEstablishedByBothSides) {
  send(true, 0, 10, Transport::udp);
  send(true, 0, 11, Transport::udp);
  sessions_.finish();
  EXPECT_THAT(measured_, IsEmpty());
  send(true, 0, 10, Transport::udp);
  send(false, 0, 20, Transport::udp);
  send(true, 0, 11, Transport::udp);
  sessions_.finish();
  EXPECT_THAT(measured_, ElementsAre(">10 <20 >11 "));
}

TEST_F(StrictSessionsTest, EndAfterAMinuteOfSilenceNoticedByTheNextPacket) {
  send(true, 0, 10, Transport::udp);
  send(false, 0, 20, Transport::udp);
  now_ += seconds(60);
  send(true, 0, 11, Transport::udp);
  EXPECT_THAT(measured_, IsEmpty());
  now_ += seconds(61);
  send(false, 0, 30, Transport::udp);
  EXPECT_THAT(measured_, ElementsAre(">10 <20 >11 "));
  EXPECT_EQ(sessions_.size(), 1U);
  send(true, 0, 31, Transport::udp);
  sessions_.finish();
  EXPECT_EQ(measured_.back(), ">30 <31 ");
}

class FewStrictSessions : public StrictSessionsTest {
 protected:
  FewStrictSessions() : StrictSessionsTest(2) {}
};

TEST_F(FewStrictSessions, EvictTheLongestSilentOfTheirOwnListOnly) {
  handshake();
  send(true, kTcpAck, 7);
  for (port_ = 1; port_ <= 5; ++port_) send(true, kTcpSyn);
  EXPECT_THAT(measured_, IsEmpty());
  EXPECT_EQ(sessions_.counters().never_established, 3U);
  for (port_ = 101; port_ <= 102; ++port_) handshake();
  EXPECT_THAT(measured_, ElementsAre(">7 "));
}

}  // namespace
}  // namespace spidd
