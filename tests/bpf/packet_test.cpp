// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the kernel makes of each kind of packet: status, offsets, keys, port counters; always the same as the parser in
// userspace.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/bpf/datapath.h"

namespace spidd::test {
namespace {

constexpr const char* kClient = "10.0.0.1";
constexpr const char* kServer = "10.0.0.2";
constexpr const char* kClient6 = "2001:db8::1";
constexpr const char* kServer6 = "2001:db8::2";

std::optional<spidd_counter> counter_of(int status) {
  switch (status) {
    case SPIDD_PARSE_NOT_IP:
      return SPIDD_NOT_IP;
    case SPIDD_PARSE_TRUNCATED:
      return SPIDD_TRUNCATED;
    case SPIDD_PARSE_TOO_DEEP:
      return SPIDD_TOO_DEEP;
    case SPIDD_PARSE_FRAGMENT:
      return SPIDD_FRAGMENT;
    case SPIDD_PARSE_OTHER_PROTOCOL:
      return SPIDD_OTHER_PROTOCOL;
    case SPIDD_PARSE_ICMP_OTHER:
      return SPIDD_ICMP_OTHER;
    default:
      return std::nullopt;
  }
}

int parse(const Bytes& frame, spidd_packet& packet, std::uint32_t link = SPIDD_LINK_ETHERNET) {
  return spidd_parse(frame.data(), frame.data() + frame.size(), static_cast<std::uint32_t>(frame.size()), link, 0,
                     &packet);
}

class PacketTest : public testing::Test {
 protected:
  // The kernel passes the frame and counts it as userspace parses it; returns the status.
  int expect_agreement(const Bytes& frame) {
    Datapath& datapath = Datapath::fresh();
    spidd_packet packet;
    const int status = parse(frame, packet);
    for (const auto& [program, hook] :
         {std::pair(Program::ingress_xdp, SPIDD_HOOK_INGRESS), std::pair(Program::egress_tc, SPIDD_HOOK_EGRESS)}) {
      const auto verdict = datapath.try_run(program, frame);
      if (program == Program::egress_tc && !verdict) continue;
      EXPECT_EQ(verdict, Verdict::pass);
      EXPECT_EQ(datapath.counter(SPIDD_SEEN_PACKETS, hook), 1U);
      EXPECT_EQ(datapath.counter(SPIDD_SEEN_BYTES, hook), packet.wire_bytes);
      EXPECT_EQ(datapath.counter(SPIDD_PASSED_PACKETS, hook), 1U);
      for (const int other : {SPIDD_PARSE_NOT_IP, SPIDD_PARSE_TRUNCATED, SPIDD_PARSE_TOO_DEEP, SPIDD_PARSE_FRAGMENT,
                              SPIDD_PARSE_OTHER_PROTOCOL, SPIDD_PARSE_ICMP_OTHER}) {
        EXPECT_EQ(datapath.counter(*counter_of(other), hook), other == status ? 1U : 0U) << other;
      }
    }
    EXPECT_EQ(datapath.flows(), status == SPIDD_PARSE_FLOW ? 1U : 0U);
    return status;
  }

  // A packet with payload: the record says where the payload is and what it is.
  void expect_payload(const Bytes& frame, std::size_t offset, std::size_t length) {
    EXPECT_EQ(expect_agreement(frame), SPIDD_PARSE_FLOW);
    Datapath& datapath = Datapath::fresh();
    datapath.ingress(frame);
    const auto records = datapath.records();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].payload_offset, offset);
    EXPECT_EQ(records[0].payload_length, length);
    EXPECT_EQ(records[0].captured, std::min<std::size_t>(length, SPIDD_SNAP));
    EXPECT_EQ(std::memcmp(records[0].payload, frame.data() + offset, records[0].captured), 0);
  }
};

TEST_F(PacketTest, FindsThePayloadBehindEveryHeader) {
  const auto tcp = [] { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443).payload_size(70); };
  const auto udp6 = [] { return PacketBuilder().ipv6(kClient6, kServer6).udp(40000, 53).payload_size(9); };
  expect_payload(tcp().build(), 54, 70);
  expect_payload(tcp().tcp_options(Bytes(12, 1)).build(), 66, 70);
  expect_payload(tcp().ipv4_options(Bytes(40, 1)).build(), 94, 70);
  expect_payload(tcp().vlan(5).build(), 58, 70);
  expect_payload(tcp().vlan(5, 0x88a8).vlan(6).build(), 62, 70);
  expect_payload(tcp().payload_size(2).pad_to(60).build(), 54, 2);
  expect_payload(tcp().ip_length(0).build(), 54, 70);
  expect_payload(tcp().fragment(0, true).build(), 54, 70);
  expect_payload(udp6().build(), 62, 9);
  expect_payload(udp6().vlan(1).pad_to(90).build(), 66, 9);
  expect_payload(udp6().extension(0).extension(60, Bytes(14)).extension(43).build(), 62 + 8 + 16 + 8, 9);
  expect_payload(udp6().fragment(0, true).build(), 70, 9);
  expect_payload(udp6().extension(51, Bytes(10)).build(), 62 + 12, 9);
  expect_payload(PacketBuilder().ipv6(kClient6, kServer6).icmp(128, 0, 9, 1).payload_size(8).build(), 62, 8);
  expect_payload(PacketBuilder().ipv4(kClient, kServer).udp(1, 2).udp_length(8 + 5).payload_size(9).build(), 42, 5);
}

TEST_F(PacketTest, SaysWhyAPacketHasNoFlow) {
  const auto tcp = [] { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443).payload_size(10); };
  const auto udp6 = [] { return PacketBuilder().ipv6(kClient6, kServer6).udp(40000, 53).payload_size(10); };
  EXPECT_EQ(expect_agreement(tcp().ether_type(0x0806).build()), SPIDD_PARSE_NOT_IP);
  EXPECT_EQ(expect_agreement(tcp().ether_type(0x86dd).build()), SPIDD_PARSE_NOT_IP);
  EXPECT_EQ(expect_agreement(tcp().vlan(1).vlan(2).vlan(3).build()), SPIDD_PARSE_TOO_DEEP);
  EXPECT_EQ(expect_agreement(tcp().fragment(1, false).build()), SPIDD_PARSE_FRAGMENT);
  EXPECT_EQ(expect_agreement(udp6().fragment(1, true).build()), SPIDD_PARSE_FRAGMENT);
  EXPECT_EQ(expect_agreement(tcp().protocol(47).build()), SPIDD_PARSE_OTHER_PROTOCOL);
  EXPECT_EQ(expect_agreement(udp6().protocol(1).build()), SPIDD_PARSE_OTHER_PROTOCOL) << "ICMP over IPv6";
  EXPECT_EQ(expect_agreement(tcp().ip_length(19).build()), SPIDD_PARSE_TRUNCATED);
  EXPECT_EQ(expect_agreement(tcp().ip_length(51).build()), SPIDD_PARSE_TRUNCATED) << "longer than the frame";
  EXPECT_EQ(expect_agreement(udp6().ip_length(1000).build()), SPIDD_PARSE_TRUNCATED);
  EXPECT_EQ(expect_agreement(tcp().ip_length(30).build()), SPIDD_PARSE_TRUNCATED) << "inside the TCP header";
  EXPECT_EQ(expect_agreement(PacketBuilder().ipv4(kClient, kServer).udp(1, 2).udp_length(7).build()),
            SPIDD_PARSE_TRUNCATED);
  EXPECT_EQ(expect_agreement(PacketBuilder().ipv4(kClient, kServer).udp(1, 2).udp_length(9).build()),
            SPIDD_PARSE_TRUNCATED);
  PacketBuilder deep = udp6();
  for (int i = 0; i < SPIDD_EXTENSION_LIMIT; ++i) deep.extension(60);
  EXPECT_EQ(expect_agreement(deep.build()), SPIDD_PARSE_FLOW);
  EXPECT_EQ(expect_agreement(deep.extension(60).build()), SPIDD_PARSE_TOO_DEEP);
  EXPECT_EQ(expect_agreement(PacketBuilder().ipv4(kClient, kServer).icmp(13, 0).build()), SPIDD_PARSE_ICMP_OTHER);
  EXPECT_EQ(expect_agreement(PacketBuilder().ipv4(kClient, kServer).icmp(3, 3).build()), SPIDD_PARSE_ICMP_OTHER);
}

TEST_F(PacketTest, AgreesOnFramesCutAtEveryByte) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kServer, kClient).udp(53, 40000).payload_size(3).build();
  const Bytes inner6 = PacketBuilder().without_ethernet().ipv6(kServer6, kClient6).tcp(53, 40000).build();
  const std::vector<Bytes> frames = {
      PacketBuilder().ipv4(kClient, kServer).tcp(1, 2).tcp_options(Bytes(8)).payload_size(5).build(),
      PacketBuilder().ipv4(kClient, kServer).ipv4_options(Bytes(8)).vlan(1).vlan(2).udp(1, 2).payload_size(5).build(),
      PacketBuilder()
          .ipv6(kClient6, kServer6)
          .extension(0)
          .fragment(0, true)
          .extension(51, Bytes(10))
          .tcp(1, 2)
          .build(),
      PacketBuilder().ipv6(kClient6, kServer6).fragment(3, true).udp(1, 2).build(),
      PacketBuilder().ipv4(kClient, kServer).icmp(3, 3).payload(inner).build(),
      PacketBuilder().ipv6(kClient6, kServer6).icmp(1, 4).payload(inner6).build(),
      PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 1, 1).payload_size(5).build(),
  };
  for (const Bytes& frame : frames) {
    // BPF_PROG_TEST_RUN wants at least one byte behind the Ethernet header.
    for (std::size_t size = 15; size <= frame.size(); ++size) {
      SCOPED_TRACE(size);
      expect_agreement(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)));
      // The same with lengths that fit what is left, so that later headers are the ones cut.
      Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      if (cut.size() >= 20 && cut[12] == 0x08 && cut[13] == 0x00) {
        cut[16] = 0;
        cut[17] = static_cast<std::uint8_t>(cut.size() - 14);
      } else if (cut.size() >= 60 && cut[12] == 0x86) {
        cut[18] = 0;
        cut[19] = static_cast<std::uint8_t>(cut.size() - 54);
      }
      expect_agreement(cut);
      if (HasFailure()) return;
    }
  }
}

TEST_F(PacketTest, ReadsInterfacesWithoutEthernet) {
  Datapath& datapath = Datapath::fresh();
  datapath.set_interface(1, 0, true);
  datapath.ingress(PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(1, 2).payload("x").build());
  datapath.egress(PacketBuilder().without_ethernet().ipv6(kClient6, kServer6).udp(1, 2).payload("y").build());
  Bytes odd = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(1, 2).build();
  odd[0] = 0x95;
  datapath.ingress(odd);
  const auto records = datapath.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].payload_offset, 42U) << "as in an Ethernet frame";
  EXPECT_EQ(records[1].payload_offset, 62U);
  EXPECT_EQ(datapath.counter(SPIDD_NOT_IP), 1U);
}

TEST_F(PacketTest, PassesWhatComesFromAnInterfaceItDoesNotKnow) {
  Datapath& datapath = Datapath::fresh();
  datapath.forget_interface();
  datapath.drop(host(kServer), 1);
  EXPECT_EQ(datapath.ingress(PacketBuilder().ipv4(kClient, kServer).udp(1, 2).build()), Verdict::pass);
  EXPECT_EQ(datapath.counter(SPIDD_UNKNOWN_INTERFACE), 1U);
  EXPECT_EQ(datapath.counter(SPIDD_SEEN_PACKETS), 1U);
}

TEST_F(PacketTest, CountsPortsOfPackets) {
  Datapath& datapath = Datapath::fresh();
  const auto tcp = [] { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 6001); };
  datapath.ingress(tcp().flags("S").build());
  datapath.ingress(tcp().flags("S").build());
  datapath.ingress(tcp().flags("A").payload_size(60).build());
  datapath.ingress(PacketBuilder().ipv4(kClient, kServer).udp(40000, 6001).payload_size(2).build());
  datapath.ingress(PacketBuilder().ipv4(kClient, kServer).udp(40000, 6001).payload_size(2).build());
  EXPECT_EQ(datapath.port(SPIDD_PORT_TCP, 6001).packets, 3U);
  EXPECT_EQ(datapath.port(SPIDD_PORT_TCP, 6001).bytes, 180U);
  EXPECT_EQ(datapath.port(SPIDD_PORT_TCP, 6001).attempts, 2U);
  EXPECT_EQ(datapath.port(SPIDD_PORT_UDP, 6001).packets, 2U);
  EXPECT_EQ(datapath.port(SPIDD_PORT_UDP, 6001).attempts, 1U) << "one flow";
  EXPECT_EQ(datapath.port(SPIDD_PORT_TCP, 6001, SPIDD_HOOK_EGRESS).packets, 0U);
}

TEST_F(PacketTest, CountsRefusalsWhereTheAttemptWasCounted) {
  Datapath& datapath = Datapath::fresh();
  datapath.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(40000, 6002).flags("S").build());
  datapath.egress(PacketBuilder().ipv4(kServer, kClient).tcp(6002, 40000).flags("RA").seq(0).build());
  datapath.egress(PacketBuilder().ipv4(kServer, kClient).tcp(6002, 40000).flags("RA").seq(5).build());
  EXPECT_EQ(datapath.port(SPIDD_PORT_TCP, 6002, SPIDD_HOOK_INGRESS).refusals, 1U);

  const Bytes udp = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(40000, 6003).build();
  datapath.egress(PacketBuilder().ipv4(kServer, kClient).icmp(3, 3).payload(udp).build());
  datapath.egress(PacketBuilder().ipv4(kServer, kClient).icmp(3, 1).payload(udp).build());
  EXPECT_EQ(datapath.port(SPIDD_PORT_UDP, 6003, SPIDD_HOOK_INGRESS).refusals, 1U);

  const Bytes udp6 = PacketBuilder().without_ethernet().ipv6(kClient6, kServer6).udp(40000, 6004).build();
  datapath.ingress(PacketBuilder().ipv6(kServer6, kClient6).icmp(1, 4).payload(udp6).build());
  EXPECT_EQ(datapath.port(SPIDD_PORT_UDP, 6004, SPIDD_HOOK_EGRESS).refusals, 1U);
  EXPECT_EQ(datapath.flows(), 1U) << "ICMP errors make no flow";
}

TEST(Parser, ReadsTheInnerPacketOfAnIcmpError) {
  const Bytes inner = PacketBuilder().without_ethernet().ipv4(kClient, kServer).tcp(40000, 443).build();
  const Bytes frame = PacketBuilder().ipv4("192.0.2.1", kClient).icmp(11, 0).payload(inner).build();
  spidd_packet packet;
  ASSERT_EQ(parse(frame, packet), SPIDD_PARSE_ICMP_ERROR);
  EXPECT_EQ(packet.inner.source.low, 0xffff0a000001U);
  EXPECT_EQ(packet.inner.destination.low, 0xffff0a000002U);
  EXPECT_EQ(packet.inner.protocol, 6);
  EXPECT_EQ(packet.inner.source_port, 40000);
  EXPECT_EQ(packet.inner.destination_port, 443);
  EXPECT_EQ(packet.icmp_type, 11);
}

TEST(Parser, TakesTheWiresLengthWhenTheCaptureIsCut) {
  const Bytes frame = PacketBuilder().ipv4(kClient, kServer).udp(1, 2).payload_size(500).build();
  spidd_packet packet;
  ASSERT_EQ(spidd_parse(frame.data(), frame.data() + 60, static_cast<std::uint32_t>(frame.size()), SPIDD_LINK_ETHERNET,
                        0, &packet),
            SPIDD_PARSE_FLOW);
  EXPECT_EQ(packet.payload_length, 500U);
  EXPECT_EQ(packet.wire_bytes, 528U);
}

TEST(Parser, OrdersTheKeyByAddressThenPort) {
  spidd_packet there, back;
  parse(PacketBuilder().ipv4("9.255.0.1", "10.0.0.1").udp(5, 6).build(), there);
  parse(PacketBuilder().ipv4("10.0.0.1", "9.255.0.1").udp(6, 5).build(), back);
  EXPECT_EQ(std::memcmp(&there.key, &back.key, sizeof there.key), 0);
  EXPECT_EQ(there.source_is_lo, 1);
  EXPECT_EQ(back.source_is_lo, 0);
  EXPECT_EQ(there.key.lo.bytes[12], 9);
  EXPECT_EQ(there.key.port_lo, htons(5));
  parse(PacketBuilder().ipv4("10.0.0.1", "10.0.0.1").udp(9, 7).build(), there);
  EXPECT_EQ(there.key.port_lo, htons(7));
  EXPECT_EQ(there.source_is_lo, 0);
}

}  // namespace
}  // namespace spidd::test
