// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which packets the kernel drops: every kind of drop entry, expiry, never-block, caching by generation, fail-open.
#include <gtest/gtest.h>

#include "tests/bpf/datapath.h"

namespace spidd::test {
namespace {

constexpr const char* kClient = "10.0.0.1";
constexpr const char* kServer = "10.0.0.2";
constexpr std::uint64_t kHour = 3600ULL * 1000000000U;

PacketBuilder to_server() { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443); }
PacketBuilder to_client() { return PacketBuilder().ipv4(kServer, kClient).tcp(443, 40000); }

class VerdictTest : public testing::Test {
 protected:
  Datapath& datapath_ = Datapath::fresh();
};

TEST_F(VerdictTest, PassesEverythingWithEmptyTables) {
  datapath_.settings().mode = SPIDD_MODE_ENFORCE;
  datapath_.apply();
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::pass);
  EXPECT_EQ(datapath_.counter(SPIDD_PASSED_PACKETS), 1U);
}

TEST_F(VerdictTest, DropsAFiveTupleInBothDirectionsOnEveryHook) {
  const Bytes out = to_server().payload_size(10).build(), back = to_client().payload_size(10).build();
  datapath_.drop(key_of(out), 1);
  for (const Program program : {Program::ingress_xdp, Program::ingress_tc, Program::egress_tc}) {
    EXPECT_EQ(datapath_.run(program, out), Verdict::drop);
    EXPECT_EQ(datapath_.run(program, back), Verdict::drop);
  }
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40001, 443).build()), Verdict::pass);
}

TEST_F(VerdictTest, DropsAnEndpointInBothDirections) {
  datapath_.drop(endpoint(kServer, 443, 6), 1);
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(to_server().build()), Verdict::drop);
  EXPECT_EQ(datapath_.egress(to_client().build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40000, 80).build()), Verdict::pass);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).udp(40000, 443).build()), Verdict::pass);
}

TEST_F(VerdictTest, DropsTheEchosOfAnEndpointWhateverTheirIdentifier) {
  datapath_.drop(endpoint(kServer, 0, 1), 1);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 7).build()), Verdict::drop);
  EXPECT_EQ(datapath_.egress(PacketBuilder().ipv4(kServer, kClient).icmp(0, 0, 4711).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, "10.0.0.3").icmp(8, 0, 7).build()), Verdict::pass);
  EXPECT_EQ(datapath_.ingress(to_server().build()), Verdict::pass);
}

TEST_F(VerdictTest, DropsAHostInBothDirectionsWithWhateverItSends) {
  datapath_.drop(host(kServer), 1);
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(to_client().build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).udp(1, 2).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).icmp(8, 0, 7).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).fragment(100, true).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).protocol(47).payload_size(30).build()),
            Verdict::drop);
  EXPECT_EQ(datapath_.counter(SPIDD_FRAGMENT), 0U) << "says what passed";
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4("10.0.0.3", kClient).udp(1, 2).build()), Verdict::pass);
}

TEST_F(VerdictTest, DropsAPrefixInBothDirections) {
  datapath_.drop(prefix("10.1.0.0", 96 + 16), 1);
  datapath_.drop(prefix("2001:db8::", 32), 2);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4("10.1.2.3", kServer).udp(1, 2).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kServer, "10.1.255.255").udp(1, 2).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4("10.2.0.1", kServer).udp(1, 2).build()), Verdict::pass);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv6("2001:db8::1", "fd00::1").udp(1, 2).build()), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv6("2001:db9::1", "fd00::1").udp(1, 2).build()), Verdict::pass);
}

TEST_F(VerdictTest, CountsWhatItDropsAndNothingElse) {
  const Bytes frame = PacketBuilder().ipv4(kClient, kServer).udp(40000, 5010).payload_size(72).build();
  datapath_.drop(endpoint(kServer, 5010, 17), 3);
  const std::uint64_t before = coarse_now_ns();
  for (int i = 0; i < 3; ++i) datapath_.ingress(frame);

  EXPECT_EQ(datapath_.counter(SPIDD_SEEN_PACKETS), 3U);
  EXPECT_EQ(datapath_.counter(SPIDD_DROPPED_PACKETS), 3U);
  EXPECT_EQ(datapath_.counter(SPIDD_DROPPED_BYTES), 300U);
  EXPECT_EQ(datapath_.counter(SPIDD_PASSED_PACKETS), 0U);
  EXPECT_EQ(datapath_.hits(3).packets, 3U);
  EXPECT_EQ(datapath_.hits(3).bytes, 300U);
  EXPECT_GE(datapath_.hits(3).last_ns, before);
  EXPECT_EQ(datapath_.flows(), 0U);
  EXPECT_TRUE(datapath_.records().empty());
  EXPECT_EQ(datapath_.port(SPIDD_PORT_UDP, 5010).packets, 0U);
}

TEST_F(VerdictTest, StopsDroppingWhenTheEntryExpires) {
  const Bytes frame = to_server().build();
  datapath_.drop(key_of(frame), 1, coarse_now_ns() + 100000000U);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  while (coarse_now_ns() < datapath_.hits(1).last_ns + 120000000U) {
  }
  EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);
  EXPECT_EQ(datapath_.counter(SPIDD_EXPIRED_DROP), 1U);
}

TEST_F(VerdictTest, StopsDroppingAKnownFlowWhenItsCachedEntryExpires) {
  const Bytes frame = to_server().build();
  datapath_.ingress(frame);
  datapath_.drop(key_of(frame), 1, coarse_now_ns() + 100000000U);
  datapath_.drop(host(kServer), 2, coarse_now_ns() + kHour);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  EXPECT_EQ(datapath_.flow(key_of(frame))->drop_slot, 1U);
  while (coarse_now_ns() < datapath_.hits(1).last_ns + 120000000U) {
  }
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop) << "another entry still matches";
  EXPECT_EQ(datapath_.hits(2).packets, 1U);
}

TEST_F(VerdictTest, FindsTheOtherEntryWhenOneIsExpired) {
  const Bytes frame = to_server().build();
  datapath_.drop(key_of(frame), 1, 1);
  datapath_.drop(endpoint(kServer, 443, 6), 2);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  EXPECT_EQ(datapath_.hits(2).packets, 1U);
}

TEST_F(VerdictTest, NeverBlocksWhatANeverBlockPrefixCovers) {
  datapath_.drop(host(kServer), 1);
  datapath_.never_block(prefix("10.0.0.1", 128));
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::pass);
  EXPECT_EQ(datapath_.ingress(to_client().flags("SA").build()), Verdict::pass);
  EXPECT_EQ(datapath_.counter(SPIDD_NEVER_BLOCKED), 1U) << "the flow remembers";
  EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4("10.0.0.9", kServer).tcp(1, 2).flags("S").build()), Verdict::drop);
}

TEST_F(VerdictTest, RemembersForOneGenerationOnlyThatAPairIsNotCovered) {
  const Bytes frame = to_server().flags("S").build();
  datapath_.drop(host(kServer), 1);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  datapath_.never_block(prefix(kClient, 128));
  EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);
}

TEST_F(VerdictTest, AnEstablishedFlowIsLookedUpOnceAGeneration) {
  const Bytes frame = to_server().build();
  datapath_.ingress(frame);
  datapath_.drop(host("10.0.0.99"), 1);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);
  EXPECT_EQ(datapath_.flow(key_of(frame))->drop_generation, datapath_.settings().drop_generation);

  // An entry that comes without a new generation is not noticed: the cached result is used.
  spidd_flow flow = *datapath_.flow(key_of(frame));
  flow.drop_generation = datapath_.settings().drop_generation + 1;
  datapath_.set_flow(key_of(frame), flow);
  datapath_.drop(host(kServer), 2);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);

  datapath_.apply();
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
  EXPECT_EQ(datapath_.hits(2).packets, 2U);
}

TEST_F(VerdictTest, ANewFlowRemembersItsLookup) {
  datapath_.drop(host("10.0.0.99"), 1);
  const Bytes frame = to_server().flags("S").build();
  datapath_.ingress(frame);
  EXPECT_EQ(datapath_.flow(key_of(frame))->drop_generation, datapath_.settings().drop_generation);
  EXPECT_EQ(datapath_.flow(key_of(frame))->drop_slot, 0U);
}

TEST_F(VerdictTest, ObservingNeverDrops) {
  datapath_.drop(host(kServer), 1);
  datapath_.settings().mode = SPIDD_MODE_OBSERVE;
  datapath_.apply();
  EXPECT_EQ(datapath_.ingress(to_server().flags("S").build()), Verdict::pass);
  EXPECT_EQ(datapath_.ingress(to_server().build()), Verdict::pass);
  EXPECT_EQ(datapath_.hits(1).packets, 0U);
}

TEST_F(VerdictTest, FailsOpenOnlyWhenTheHeartbeatIsOldAndThePolicySaysSo) {
  datapath_.drop(host(kServer), 1);
  datapath_.settings().heartbeat_ns = coarse_now_ns() - 2000000000U;
  datapath_.settings().heartbeat_limit_ns = 1000000000U;
  datapath_.apply();
  const Bytes frame = to_server().build();
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop) << "the default keeps entries";

  datapath_.settings().fail_policy = SPIDD_FAIL_OPEN;
  datapath_.apply();
  EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);
  EXPECT_EQ(datapath_.counter(SPIDD_FAILED_OPEN), 1U);

  datapath_.settings().heartbeat_ns = coarse_now_ns();
  datapath_.apply();
  EXPECT_EQ(datapath_.ingress(frame), Verdict::drop);
}

TEST_F(VerdictTest, DropsIpv6ByEveryKindOfEntry) {
  const auto packet = [](std::uint16_t port) {
    return PacketBuilder().ipv6("2001:db8::1", "2001:db8::2").udp(port, 53).payload_size(20).build();
  };
  datapath_.drop(key_of(packet(1000)), 1);
  EXPECT_EQ(datapath_.ingress(packet(1000)), Verdict::drop);
  EXPECT_EQ(datapath_.ingress(packet(1001)), Verdict::pass);
  datapath_.drop(endpoint("2001:db8::2", 53, 17), 2);
  EXPECT_EQ(datapath_.ingress(packet(1001)), Verdict::drop);
  EXPECT_EQ(datapath_.hits(2).packets, 1U);
}

}  // namespace
}  // namespace spidd::test
