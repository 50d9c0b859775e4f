// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Finds the IP header behind each link layer; bpf/parse.h does the rest.
#include "userspace/capture/pcap_link.h"

#include <pcap/dlt.h>

namespace spidd {
namespace {

constexpr std::uint16_t kEthernetHeader = 14;

// Where the network header starts and what it is. `type` 0: nothing this program reads.
struct Network {
  std::size_t offset;
  std::uint16_t type;
};
constexpr std::size_t kTooShort = ~std::size_t{0};

std::uint16_t big16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// The header is the capturing machine's AF_ number as 32 bits in its byte order (NULL) or big-endian (LOOP). IPv6 has
// another number on every system.
Network loopback(std::span<const std::uint8_t> frame) {
  if (frame.size() < 4) return {kTooShort, 0};
  const bool zero_middle = frame[1] == 0 && frame[2] == 0;
  const unsigned family = zero_middle && frame[3] == 0 ? frame[0] : zero_middle && frame[0] == 0 ? frame[3] : 0U;
  switch (family) {
    case 2:
      return {4, SPIDD_ETHER_IPV4};
    case 10:  // Linux
    case 24:  // NetBSD, OpenBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      return {4, SPIDD_ETHER_IPV6};
    default:
      return {4, 0};
  }
}

// RFC 1662: optional address and control bytes, then the protocol number, whose first byte may be left out if it is 0.
Network ppp(std::span<const std::uint8_t> frame, std::size_t start) {
  std::size_t at = start;
  if (frame.size() >= at + 2 && frame[at] == 0xff && frame[at + 1] == 0x03) at += 2;
  if (frame.size() < at + 2) return {kTooShort, 0};
  const bool compressed = (frame[at] & 1) != 0;
  const std::uint16_t protocol = compressed ? frame[at] : big16(frame, at);
  at += compressed ? 1 : 2;
  if (protocol == 0x0021) return {at, SPIDD_ETHER_IPV4};
  if (protocol == 0x0057) return {at, SPIDD_ETHER_IPV6};
  return {at, 0};
}

Network typed(std::span<const std::uint8_t> frame, std::size_t type_at, std::size_t header) {
  if (frame.size() < header) return {kTooShort, 0};
  return {header, big16(frame, type_at)};
}

Network find_network(int link_type, std::span<const std::uint8_t> frame) {
  switch (link_type) {
    case DLT_NULL:
    case DLT_LOOP:
      return loopback(frame);
    case DLT_LINUX_SLL2:
      return typed(frame, 0, 20);
    case DLT_C_HDLC:
      return typed(frame, 2, 4);
    case DLT_PPP:
    case DLT_PPP_SERIAL:
      return ppp(frame, 0);
    case DLT_PPP_WITH_DIRECTION:
      return ppp(frame, 1);
    case DLT_PPP_ETHER:
      return ppp(frame, 6);
    default:
      return {0, 0};
  }
}

}  // namespace

bool LinkLayer::supports(int link_type) {
  switch (link_type) {
    case DLT_EN10MB:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_C_HDLC:
    case DLT_PPP:
    case DLT_PPP_SERIAL:
    case DLT_PPP_WITH_DIRECTION:
    case DLT_PPP_ETHER:
      return true;
    default:
      return false;
  }
}

int LinkLayer::parse(std::span<const std::uint8_t> frame, std::uint32_t wire_length, std::uint16_t domain,
                     spidd_packet& packet) const {
  const std::uint8_t* const begin = frame.data();
  const std::uint8_t* const end = begin + frame.size();
  switch (link_type_) {
    case DLT_EN10MB:
      return spidd_parse(begin, end, wire_length, SPIDD_LINK_ETHERNET, domain, &packet);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return spidd_parse(begin, end, wire_length, SPIDD_LINK_IP, domain, &packet);
    case DLT_LINUX_SLL: {
      // 16 bytes of which the last two are the Ethernet type: from its third byte on, to this parser, an Ethernet
      // header. Tags follow it as they follow that.
      constexpr std::uint32_t kAhead = 2;
      if (frame.size() < kAhead) break;
      const int status = spidd_parse(begin + kAhead, end, wire_length - kAhead, SPIDD_LINK_ETHERNET, domain, &packet);
      packet.l3_offset = static_cast<std::uint16_t>(packet.l3_offset + kAhead);
      packet.payload_offset = static_cast<std::uint16_t>(packet.payload_offset + kAhead);
      return status;
    }
    default: {
      const Network network = find_network(link_type_, frame);
      if (network.offset > frame.size()) break;
      return spidd_parse_network(begin, end, begin + network.offset, wire_length, network.type, domain, &packet);
    }
  }
  spidd_packet_reset(&packet, wire_length);
  return SPIDD_PARSE_TRUNCATED;
}

std::uint16_t LinkLayer::recorded_offset(const spidd_packet& packet) const {
  if (link_type_ == DLT_EN10MB) return packet.payload_offset;
  return static_cast<std::uint16_t>(packet.payload_offset - packet.l3_offset + kEthernetHeader);
}

}  // namespace spidd
