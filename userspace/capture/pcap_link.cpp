// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Finds the IP header behind each link layer; bpf/parse.h does the rest.
#include "userspace/capture/pcap_link.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

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

Network find_network(std::uint16_t link_type, std::span<const std::uint8_t> frame) {
  switch (link_type) {
    case kLinkNull:
    case kLinkLoop:
      return loopback(frame);
    case kLinkLinuxCooked2:
      return typed(frame, 0, 20);
    case kLinkCiscoHdlc:
      return typed(frame, 2, 4);
    case kLinkPpp:
    case kLinkPppHdlc:
      return ppp(frame, 0);
    case kLinkPppWithDirection:
      return ppp(frame, 1);
    case kLinkPppEther:
      return ppp(frame, 6);
    default:
      return {0, 0};
  }
}

}  // namespace

bool link_supported(std::uint16_t link_type) {
  switch (link_type) {
    case kLinkEthernet:
    case kLinkRaw:
    case kLinkRawOld:
    case kLinkIpv4:
    case kLinkIpv6:
    case kLinkNull:
    case kLinkLoop:
    case kLinkLinuxCooked:
    case kLinkLinuxCooked2:
    case kLinkCiscoHdlc:
    case kLinkPpp:
    case kLinkPppHdlc:
    case kLinkPppWithDirection:
    case kLinkPppEther:
      return true;
    default:
      return false;
  }
}

// The name is libpcap's, whose numbers are the files' for all types that have one name.
std::string link_name(std::uint16_t link_type) {
  const char* const name = ::pcap_datalink_val_to_name(link_type);
  return name != nullptr ? fmt::format("{} ({})", name, link_type) : std::to_string(link_type);
}

int parse_frame(std::uint16_t link_type, std::span<const std::uint8_t> frame, std::uint32_t wire_length,
                std::uint16_t domain, spidd_packet& packet) {
  const std::uint8_t* const begin = frame.data();
  const std::uint8_t* const end = begin + frame.size();
  switch (link_type) {
    case kLinkEthernet:
      return spidd_parse(begin, end, wire_length, SPIDD_LINK_ETHERNET, domain, &packet);
    case kLinkRaw:
    case kLinkRawOld:
    case kLinkIpv4:
    case kLinkIpv6:
      return spidd_parse(begin, end, wire_length, SPIDD_LINK_IP, domain, &packet);
    case kLinkLinuxCooked: {
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
      const Network network = find_network(link_type, frame);
      if (network.offset > frame.size()) break;
      return spidd_parse_network(begin, end, begin + network.offset, wire_length, network.type, domain, &packet);
    }
  }
  spidd_packet_reset(&packet, wire_length);
  return SPIDD_PARSE_TRUNCATED;
}

std::uint16_t recorded_offset(std::uint16_t link_type, const spidd_packet& packet) {
  if (link_type == kLinkEthernet) return packet.payload_offset;
  return static_cast<std::uint16_t>(packet.payload_offset - packet.l3_offset + kEthernetHeader);
}

}  // namespace spidd
