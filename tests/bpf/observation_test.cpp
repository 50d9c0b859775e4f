// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the kernel tells SPADE: which packets it sends, which it counts, and what it says when it can do neither.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "tests/bpf/datapath.h"
#include "userspace/capture/observation_decoder.h"

namespace spidd::test {
namespace {

constexpr const char* kClient = "10.0.0.9";
constexpr const char* kServer = "10.0.0.2";
constexpr const char* kRouter = "10.0.0.1";

PacketBuilder to_server() { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443); }
PacketBuilder to_client() { return PacketBuilder().ipv4(kServer, kClient).tcp(443, 40000); }
PacketBuilder datagram() { return PacketBuilder().ipv4(kClient, kServer).udp(40000, 53); }
PacketBuilder answer() { return PacketBuilder().ipv4(kServer, kClient).udp(53, 40000); }

spidd_attempt_key attempt(std::uint16_t port, std::uint8_t protocol) {
  return {abi_address(kClient), abi_address(kServer), htons(port), protocol, {}};
}

class ObservationTest : public testing::Test {
 protected:
  ObservationTest() {
    datapath_.settings().observation_limit = 1000000;
    datapath_.apply();
  }

  // Of everything sent since the last call, decoded as the daemon does it.
  std::vector<Observation> observations() {
    std::vector<Observation> decoded;
    for (const spidd_observation& raw : datapath_.observations()) {
      Observation one;
      EXPECT_EQ(decode_observation(std::as_bytes(std::span(&raw, 1)), Duration::zero(), one), DecodeStatus::ok);
      decoded.push_back(one);
    }
    return decoded;
  }

  // As of another interface, which is watched, too.
  void ingress_outside(const Bytes& packet) {
    datapath_.set_interface(1, 1, false);
    datapath_.ingress(packet);
    datapath_.set_interface(1, 0, false);
  }
  void forward_outside(const Bytes& packet) {
    datapath_.set_interface(1, 1, false);
    datapath_.forward(packet);
    datapath_.set_interface(1, 0, false);
  }

  Datapath& datapath_ = Datapath::fresh();
};

TEST_F(ObservationTest, OfAConnectionAreItsBeginningAndItsEnd) {
  datapath_.ingress(to_server().flags("S").build());
  datapath_.egress(to_client().flags("SA").build());
  datapath_.ingress(to_server().flags("A").build());
  datapath_.ingress(to_server().flags("PA").payload("hello").build());
  datapath_.egress(to_client().flags("PA").payload("world").build());
  datapath_.ingress(to_server().flags("FA").build());
  datapath_.egress(to_client().flags("FA").build());
  datapath_.ingress(to_server().flags("A").build());

  const auto seen = observations();
  ASSERT_EQ(seen.size(), 4U);
  const auto client = IpAddress::parse(kClient).value();
  const auto server = IpAddress::parse(kServer).value();
  EXPECT_EQ(seen[0].source, client);
  EXPECT_EQ(seen[0].destination, server);
  EXPECT_EQ(seen[0].source_port, 40000);
  EXPECT_EQ(seen[0].destination_port, 443);
  EXPECT_EQ(seen[0].transport, Transport::tcp);
  EXPECT_EQ(seen[0].tcp_flags, 0x02);
  EXPECT_EQ(seen[0].count, 1U);
  EXPECT_NE(seen[0].time, Timestamp{});
  EXPECT_EQ(seen[1].source, server);
  EXPECT_EQ(seen[1].tcp_flags, 0x12);
  EXPECT_EQ(seen[2].tcp_flags, 0x11);
  EXPECT_EQ(seen[2].source, client);
  EXPECT_EQ(seen[3].source, server);
  EXPECT_EQ(datapath_.counter(SPIDD_OBSERVATIONS_SENT), 2U);
  EXPECT_EQ(datapath_.counter(SPIDD_OBSERVATIONS_SENT, SPIDD_HOOK_EGRESS), 2U);
}

TEST_F(ObservationTest, OfDataToNobodyAreTheFirstThree) {
  for (int i = 0; i < 10; ++i) datapath_.ingress(to_server().flags("A").build());
  EXPECT_EQ(observations().size(), 3U);
  datapath_.ingress(to_client().flags("A").build());
  EXPECT_EQ(observations().size(), 1U) << "the answer shows that somebody lives there";
  datapath_.ingress(to_server().flags("A").build());
  datapath_.ingress(to_client().flags("A").build());
  EXPECT_TRUE(observations().empty());
}

TEST_F(ObservationTest, EveryPacketWithOddFlagsIsSeen) {
  for (const char* flags : {"", "F", "FPU", "SF", "SRA", "R", "RA"}) {
    datapath_.ingress(to_server().flags(flags).build());
    const auto seen = observations();
    ASSERT_EQ(seen.size(), 1U) << flags;
  }
}

TEST_F(ObservationTest, OfUdpIsTheFirstPacketOfEachDirection) {
  for (int i = 0; i < 5; ++i) {
    datapath_.ingress(datagram().payload("?").build());
    datapath_.egress(answer().payload("!").build());
  }
  const auto seen = observations();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_FALSE(seen[0].reply);
  EXPECT_EQ(seen[0].destination_port, 53);
  EXPECT_TRUE(seen[1].reply);
  EXPECT_EQ(seen[1].source_port, 53);
}

TEST_F(ObservationTest, OfIcmpIsEveryPacketWithTypeAndCode) {
  datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 7).build());
  datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).icmp(0, 0, 7).build());
  datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).icmp(13, 0).build());
  datapath_.ingress(PacketBuilder().ipv6("2001:db8::9", "2001:db8::2").icmp(128, 0, 7).build());
  datapath_.ingress(PacketBuilder().ipv6("2001:db8::9", "ff02::1").icmp(134, 0).build());
  const auto seen = observations();
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[0].icmp_type, 8);
  EXPECT_EQ(seen[0].source_port, 0) << "the identifier of an echo is not a port";
  EXPECT_EQ(seen[1].icmp_type, 0);
  EXPECT_EQ(seen[2].icmp_type, 13);
  EXPECT_EQ(seen[3].transport, Transport::icmp6);
  EXPECT_EQ(seen[3].source, IpAddress::parse("2001:db8::9").value());
  EXPECT_EQ(seen[4].icmp_type, 134);
}

TEST_F(ObservationTest, AnUnreachableAlsoTellsWhatItIsAbout) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(40000, 161).payload("x").build();
  datapath_.ingress(PacketBuilder().ipv4(kRouter, kClient).icmp(3, 1).payload(inner).build());
  const auto seen = observations();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].kind, Observation::Kind::packet);
  EXPECT_EQ(seen[0].transport, Transport::icmp);
  EXPECT_EQ(seen[0].icmp_type, 3);
  EXPECT_EQ(seen[0].icmp_code, 1);
  EXPECT_EQ(seen[1].kind, Observation::Kind::unreachable);
  EXPECT_EQ(seen[1].transport, Transport::udp);
  EXPECT_EQ(seen[1].source, IpAddress::parse(kClient).value());
  EXPECT_EQ(seen[1].destination, IpAddress::parse(kServer).value());
  EXPECT_EQ(seen[1].source_port, 40000);
  EXPECT_EQ(seen[1].destination_port, 161);
  EXPECT_EQ(seen[1].reporter, IpAddress::parse(kRouter).value());
  EXPECT_EQ(seen[1].icmp_code, 1);
}

TEST_F(ObservationTest, OfAnUnreachableAboutAnotherProtocolIsOnlyTheMessage) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kClient, kServer).protocol(47).payload_size(20).build();
  datapath_.ingress(PacketBuilder().ipv4(kRouter, kClient).icmp(3, 2).payload(inner).build());
  EXPECT_EQ(observations().size(), 1U);
}

TEST_F(ObservationTest, ATimeExceededIsOneObservation) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(40000, 161).payload("x").build();
  datapath_.ingress(PacketBuilder().ipv4(kRouter, kClient).icmp(11, 0).payload(inner).build());
  EXPECT_EQ(observations().size(), 1U);
}

TEST_F(ObservationTest, WhatIsKnownIsCountedAndNotSent) {
  const spidd_attempt_key web = attempt(443, IPPROTO_TCP);
  const spidd_attempt_key names = attempt(53, IPPROTO_UDP);
  datapath_.know(web);
  datapath_.know(names);
  datapath_.ingress(to_server().flags("S").build());
  datapath_.egress(to_client().flags("SA").build());
  datapath_.ingress(to_server().flags("FA").build());
  datapath_.egress(to_client().flags("FPA").build());
  datapath_.ingress(datagram().payload("?").build());
  datapath_.egress(answer().payload("!").build());
  EXPECT_TRUE(observations().empty());
  const spidd_attempt_counts counts = datapath_.attempts(web);
  for (int kind = 0; kind < SPIDD_ATTEMPT_COUNTS; ++kind) EXPECT_EQ(counts.value[kind], 1U) << kind;
  EXPECT_EQ(datapath_.attempts(names).value[SPIDD_ATTEMPT_SYN], 1U);
  EXPECT_EQ(datapath_.attempts(names).value[SPIDD_ATTEMPT_ANSWER], 1U);
  EXPECT_EQ(
      datapath_.counter(SPIDD_OBSERVATIONS_COUNTED) + datapath_.counter(SPIDD_OBSERVATIONS_COUNTED, SPIDD_HOOK_EGRESS),
      6U);

  datapath_.ingress(to_server().flags("SF").build());
  datapath_.ingress(to_client().flags("RA").build());
  datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40000, 444).flags("S").build());
  EXPECT_EQ(observations().size(), 3U) << "odd flags, refusals and other ports are seen";
}

// What comes from an attacker is seen where it comes in; the other direction where it comes in, too.
TEST_F(ObservationTest, AForwardedPacketIsSeenOnce) {
  const std::vector<Bytes> packets = {
      to_server().flags("S").build(),
      to_server().flags("F").build(),
      to_server().flags("R").build(),
      datagram().payload("?").build(),
      PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 7).build(),
      PacketBuilder().ipv4(kClient, kServer).icmp(13, 0).build(),
      PacketBuilder().ipv6("2001:db8::9", "2001:db9::2").tcp(40000, 443).flags("S").build(),
  };
  for (int repetition = 0; repetition < 2; ++repetition) {
    for (const Bytes& packet : packets) {
      datapath_.ingress(packet);
      forward_outside(packet);
    }
  }
  const auto seen = observations();
  ASSERT_EQ(seen.size(), 2 * packets.size() - 1) << "the second question is no first packet";
  for (const Observation& one : seen) EXPECT_EQ(one.domain, 0);
  EXPECT_EQ(datapath_.counter(SPIDD_OBSERVATIONS_FORWARDED, SPIDD_HOOK_EGRESS), 2 * packets.size() - 1);
  forward_outside(packets[0]);
  EXPECT_EQ(observations().size(), 1U) << "it came in once less";
}

TEST_F(ObservationTest, AForwardedErrorIsSeenOnceWithWhatItIsAbout) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(40000, 161).payload("x").build();
  const Bytes error = PacketBuilder().ipv4(kRouter, kClient).icmp(3, 1).payload(inner).build();
  datapath_.ingress(error);
  forward_outside(error);
  EXPECT_EQ(observations().size(), 2U);
}

TEST_F(ObservationTest, APacketThatNobodySawComingInIsSeenGoingOut) {
  const Bytes syn = to_server().flags("S").build();
  forward_outside(syn);
  EXPECT_EQ(observations().size(), 1U) << "the interface it came from is not watched";
  datapath_.ingress(syn);
  observations();
  datapath_.egress(syn);
  EXPECT_EQ(observations().size(), 1U) << "made here, whatever its addresses say";
  datapath_.ingress(to_server().flags("S").build());
  observations();
  forward_outside(PacketBuilder().ipv4("198.51.100.1", kServer).tcp(40000, 443).flags("S").build());
  EXPECT_EQ(observations().size(), 1U) << "its address was translated: the answer will come to the new one";
}

TEST_F(ObservationTest, AForwardedPacketThatIsKnownIsCountedOnce) {
  const spidd_attempt_key web = attempt(443, IPPROTO_TCP);
  datapath_.know(web);
  datapath_.ingress(to_server().flags("S").build());
  forward_outside(to_server().flags("S").build());
  ingress_outside(to_client().flags("SA").build());
  datapath_.forward(to_client().flags("SA").build());
  EXPECT_TRUE(observations().empty());
  EXPECT_EQ(datapath_.attempts(web).value[SPIDD_ATTEMPT_SYN], 1U);
  EXPECT_EQ(datapath_.attempts(web).value[SPIDD_ATTEMPT_ANSWER], 1U) << "coming in at the other interface";
}

TEST_F(ObservationTest, BeyondTheLimitTheyAreCountedAsLimited) {
  datapath_.settings().observation_limit = 10;
  datapath_.apply();
  for (std::uint16_t port = 1; port <= 200; ++port) {
    datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40000, port).flags("S").build());
  }
  const auto limited = datapath_.counter(SPIDD_OBSERVATIONS_LIMITED);
  EXPECT_EQ(observations().size() + limited, 200U);
  EXPECT_GT(limited, 0U);
}

TEST_F(ObservationTest, WhatTheRingCannotTakeIsCountedAsLost) {
  constexpr std::uint16_t kMany = 2000;
  for (std::uint16_t port = 1; port <= kMany; ++port) {
    datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40000, port).flags("S").build());
  }
  const auto lost = datapath_.counter(SPIDD_OBSERVATIONS_LOST);
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(observations().size() + lost, kMany);
}

TEST_F(ObservationTest, NoneAreMadeWhenSwitchedOff) {
  datapath_.settings().observation_limit = 0;
  datapath_.apply();
  datapath_.ingress(to_server().flags("S").build());
  datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).icmp(13, 0).build());
  EXPECT_TRUE(observations().empty());
  EXPECT_EQ(datapath_.counter(SPIDD_OBSERVATIONS_LOST), 0U);
}

TEST_F(ObservationTest, ADroppedPacketIsNotSeen) {
  datapath_.drop(host(kServer), 1);
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::drop);
  EXPECT_TRUE(observations().empty());
}

}  // namespace
}  // namespace spidd::test
