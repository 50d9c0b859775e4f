// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The same IP packet behind every link layer gives the same flow and the same recorded offset.
#include "userspace/capture/pcap_link.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace spidd {
namespace {

using test::Bytes;
using test::PacketBuilder;

struct LinkCase {
  const char* name;
  std::uint16_t link_type;
  Bytes header4;  // before an IPv4 packet
  Bytes header6;  // before an IPv6 packet; empty: the type has none
};

const std::vector<LinkCase>& link_cases() {
  static const std::vector<LinkCase> cases{
      {"Ethernet",
       kLinkEthernet,
       {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0},
       {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd}},
      {"raw", kLinkRaw, {}, {}},
      {"loopback, little-endian", kLinkNull, {2, 0, 0, 0}, {10, 0, 0, 0}},
      {"loopback, big-endian", kLinkNull, {0, 0, 0, 2}, {0, 0, 0, 30}},
      {"OpenBSD loopback", kLinkLoop, {0, 0, 0, 2}, {0, 0, 0, 24}},
      {"Linux cooked",
       kLinkLinuxCooked,
       {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0},
       {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd}},
      {"Linux cooked with a tag",
       kLinkLinuxCooked,
       {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 5, 8, 0},
       {}},
      {"Linux cooked v2",
       kLinkLinuxCooked2,
       {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0},
       {0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
      {"Cisco HDLC", kLinkCiscoHdlc, {0x0f, 0, 8, 0}, {0x0f, 0, 0x86, 0xdd}},
      {"PPP", kLinkPpp, {0xff, 3, 0, 0x21}, {0, 0x57}},
      {"PPP, compressed", kLinkPpp, {0x21}, {0x57}},
      {"PPP with direction", kLinkPppWithDirection, {1, 0xff, 3, 0, 0x21}, {0, 0, 0x57}},
      {"PPPoE", kLinkPppEther, {0x11, 0, 0, 1, 0, 40, 0, 0x21}, {0x11, 0, 0, 1, 0, 60, 0, 0x57}},
  };
  return cases;
}

constexpr const char* kAddresses[2][2] = {{"10.0.0.1", "192.0.2.7"}, {"2001:db8::1", "2001:db8::2"}};

// An IP packet without a link layer.
Bytes udp_packet(bool is_ipv6, std::string_view payload) {
  PacketBuilder builder;
  const auto& [source, destination] = kAddresses[is_ipv6 ? 1 : 0];
  is_ipv6 ? builder.ipv6(source, destination) : builder.ipv4(source, destination);
  return builder.without_ethernet().udp(50000, 53).payload(payload).build();
}

Bytes joined(const Bytes& header, const Bytes& packet) {
  Bytes frame = header;
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

int parse(std::uint16_t link_type, std::span<const std::uint8_t> frame, std::size_t wire_length, spidd_packet& packet) {
  // A copy of the exact size, so that a sanitizer sees what is read beyond it.
  const std::vector<std::uint8_t> exact(frame.begin(), frame.end());
  return parse_frame(link_type, exact, static_cast<std::uint32_t>(wire_length), 0, packet);
}

TEST(LinkLayer, FindsTheIpPacketBehindEveryLinkLayer) {
  for (const LinkCase& link : link_cases()) {
    SCOPED_TRACE(link.name);
    ASSERT_TRUE(link_supported(link.link_type));
    for (const bool is_ipv6 : {false, true}) {
      if (is_ipv6 && link.header6.empty() && link.link_type != kLinkRaw) continue;
      const Bytes frame = joined(is_ipv6 ? link.header6 : link.header4, udp_packet(is_ipv6, "hello"));
      spidd_packet packet;
      ASSERT_EQ(parse(link.link_type, frame, frame.size(), packet), SPIDD_PARSE_FLOW);
      EXPECT_EQ(packet.source_port, 50000);
      EXPECT_EQ(packet.destination_port, 53);
      EXPECT_EQ(packet.ip_version, is_ipv6 ? 6 : 4);
      EXPECT_EQ(packet.payload_length, 5U);
      EXPECT_EQ(packet.payload_offset, frame.size() - 5);
      EXPECT_EQ(recorded_offset(link.link_type, packet), is_ipv6 ? 62 : 42);
    }
  }
}

TEST(LinkLayer, CallsEveryShorterFrameTruncatedOrNoIp) {
  const Bytes packet4 = udp_packet(false, "");
  for (const LinkCase& link : link_cases()) {
    const Bytes whole = joined(link.header4, packet4);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      spidd_packet packet;
      const int status = parse(link.link_type, std::span{whole}.first(size), whole.size(), packet);
      EXPECT_TRUE(status == SPIDD_PARSE_TRUNCATED || status == SPIDD_PARSE_NOT_IP)
          << link.name << " cut at " << size << ": " << status;
    }
  }
}

TEST(LinkLayer, PassesOverWhatIsNotIp) {
  spidd_packet packet;
  const Bytes rest(60, 0x11);
  for (const auto& [link_type, header] : std::vector<std::pair<std::uint16_t, Bytes>>{
           {kLinkEthernet, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6}},
           {kLinkNull, {7, 0, 0, 0}},
           {kLinkNull, {2, 0, 1, 0}},
           {kLinkLinuxCooked2, {8, 6, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
           {kLinkPpp, {0xff, 3, 0xc0, 0x21}},
           {kLinkRaw, {0x70}}}) {
    const Bytes frame = joined(header, rest);
    EXPECT_EQ(parse(link_type, frame, frame.size(), packet), SPIDD_PARSE_NOT_IP) << link_type;
  }
}

TEST(LinkLayer, CountsTagsOfEthernetFramesInTheRecordedOffset) {
  const Bytes packet4 = udp_packet(false, "hello");
  const Bytes frame = joined({2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0}, packet4);
  spidd_packet packet;
  ASSERT_EQ(parse(kLinkEthernet, frame, frame.size(), packet), SPIDD_PARSE_FLOW);
  EXPECT_EQ(recorded_offset(kLinkEthernet, packet), 46);
}

TEST(LinkLayer, NamesWhatItDoesNotRead) {
  for (const int link_type : {105, 107, 127, 65535}) {
    EXPECT_FALSE(link_supported(static_cast<std::uint16_t>(link_type)));
  }
  EXPECT_EQ(link_name(127), "IEEE802_11_RADIO (127)");
  EXPECT_EQ(link_name(65535), "65535");
}

}  // namespace
}  // namespace spidd
