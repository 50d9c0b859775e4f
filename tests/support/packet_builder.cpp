// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Building frames field by field, from the RFCs: 791, 8200, 9293, 768, 792, 4443.
#include "tests/support/packet_builder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

namespace spidd::test {
namespace {

void put16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, value >> 16U);
  put16(bytes, value & 0xffffU);
}

void set16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8U);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

template <class Range>
void append(Bytes& bytes, const Range& more) {
  bytes.insert(bytes.end(), std::begin(more), std::end(more));
}

// RFC 1071.
std::uint16_t checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8U | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  }
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

void parse_address(int family, std::string_view text, std::array<std::uint8_t, 16>& address) {
  if (inet_pton(family, std::string(text).c_str(), address.data()) == 1) return;
  std::fprintf(stderr, "PacketBuilder: '%s' is no address\n", std::string(text).c_str());
  std::abort();
}

}  // namespace

Bytes counting_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

PacketBuilder& PacketBuilder::without_ethernet() {
  ethernet_ = false;
  return *this;
}

PacketBuilder& PacketBuilder::vlan(std::uint16_t id, std::uint16_t ether_type) {
  tags_.emplace_back(ether_type, id);
  return *this;
}

PacketBuilder& PacketBuilder::ether_type(std::uint16_t type) {
  ether_type_ = type;
  return *this;
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  ipv6_ = false;
  parse_address(AF_INET, source, source_);
  parse_address(AF_INET, destination, destination_);
  return *this;
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  ipv6_ = true;
  parse_address(AF_INET6, source, source_);
  parse_address(AF_INET6, destination, destination_);
  return *this;
}

PacketBuilder& PacketBuilder::ipv4_options(Bytes options) {
  ipv4_options_ = std::move(options);
  return *this;
}

PacketBuilder& PacketBuilder::extension(std::uint8_t protocol, Bytes body) {
  extensions_.emplace_back(protocol, std::move(body));
  return *this;
}

PacketBuilder& PacketBuilder::fragment(std::uint16_t offset, bool more) {
  if (!ipv6_) {
    fragment_ = static_cast<std::uint16_t>((more ? 0x2000U : 0U) | offset);
    return *this;
  }
  Bytes body;
  put16(body, static_cast<std::size_t>(offset) << 3U | (more ? 1U : 0U));
  put32(body, 0x1234);
  return extension(44, std::move(body));
}

PacketBuilder& PacketBuilder::ip_length(std::uint16_t length) {
  ip_length_ = length;
  return *this;
}

PacketBuilder& PacketBuilder::protocol(std::uint8_t number) {
  protocol_ = number;
  return *this;
}

PacketBuilder& PacketBuilder::tcp(std::uint16_t source_port, std::uint16_t destination_port) {
  transport_ = Transport::tcp;
  source_port_ = source_port;
  destination_port_ = destination_port;
  return *this;
}

PacketBuilder& PacketBuilder::flags(std::string_view letters) {
  static constexpr std::string_view kLetters = "FSRPAUEC";
  flags_ = 0;
  for (const char letter : letters) {
    flags_ = static_cast<std::uint8_t>(flags_ | (1U << kLetters.find(letter)));
  }
  return *this;
}

PacketBuilder& PacketBuilder::seq(std::uint32_t number) {
  seq_ = number;
  return *this;
}

PacketBuilder& PacketBuilder::tcp_options(Bytes options) {
  tcp_options_ = std::move(options);
  return *this;
}

PacketBuilder& PacketBuilder::udp(std::uint16_t source_port, std::uint16_t destination_port) {
  transport_ = Transport::udp;
  source_port_ = source_port;
  destination_port_ = destination_port;
  return *this;
}

PacketBuilder& PacketBuilder::udp_length(std::uint16_t length) {
  udp_length_ = length;
  return *this;
}

PacketBuilder& PacketBuilder::icmp(std::uint8_t type, std::uint8_t code, std::uint16_t identifier,
                                   std::uint16_t sequence) {
  transport_ = Transport::icmp;
  icmp_type_ = type;
  icmp_code_ = code;
  icmp_words_ = {identifier, sequence};
  return *this;
}

PacketBuilder& PacketBuilder::payload(Bytes bytes) {
  payload_ = std::move(bytes);
  return *this;
}

PacketBuilder& PacketBuilder::payload(std::string_view text) { return payload(Bytes(text.begin(), text.end())); }

PacketBuilder& PacketBuilder::payload_size(std::size_t size) { return payload(counting_bytes(size)); }

PacketBuilder& PacketBuilder::pad_to(std::size_t frame_size) {
  pad_to_ = frame_size;
  return *this;
}

std::uint8_t PacketBuilder::transport_number() const {
  if (protocol_) return *protocol_;
  switch (transport_) {
    case Transport::tcp:
      return 6;
    case Transport::udp:
      return 17;
    case Transport::icmp:
      return ipv6_ ? 58 : 1;
    case Transport::none:
      break;
  }
  return 59;  // no next header
}

Bytes PacketBuilder::transport_header() const {
  Bytes header;
  switch (transport_) {
    case Transport::tcp:
      put16(header, source_port_);
      put16(header, destination_port_);
      put32(header, seq_);
      put32(header, (flags_ & 0x10U) != 0 ? 1 : 0);
      header.push_back(static_cast<std::uint8_t>((5 + tcp_options_.size() / 4) << 4U));
      header.push_back(flags_);
      put16(header, 0xffff);
      put32(header, 0);
      append(header, tcp_options_);
      break;
    case Transport::udp:
      put16(header, source_port_);
      put16(header, destination_port_);
      put16(header, udp_length_.value_or(static_cast<std::uint16_t>(8 + payload_.size())));
      put16(header, 0);
      break;
    case Transport::icmp:
      header.push_back(icmp_type_);
      header.push_back(icmp_code_);
      put16(header, 0);
      put16(header, icmp_words_[0]);
      put16(header, icmp_words_[1]);
      break;
    case Transport::none:
      break;
  }
  return header;
}

Bytes PacketBuilder::transport(std::uint8_t number) const {
  Bytes body = transport_header();
  append(body, payload_);
  if (transport_ == Transport::none) return body;

  Bytes covered;
  if (transport_ != Transport::icmp || ipv6_) {  // RFC 9293 section 3.1, RFC 8200 section 8.1: pseudo header
    const std::ptrdiff_t size = ipv6_ ? 16 : 4;
    covered.insert(covered.end(), source_.begin(), source_.begin() + size);
    covered.insert(covered.end(), destination_.begin(), destination_.begin() + size);
    put32(covered, number);
    put32(covered, static_cast<std::uint32_t>(body.size()));
  }
  append(covered, body);
  const std::size_t at = transport_ == Transport::tcp ? 16 : transport_ == Transport::udp ? 6 : 2;
  set16(body, at, checksum(covered));
  return body;
}

void PacketBuilder::append_ipv4(Bytes& frame, const Bytes& body) const {
  Bytes header;
  const std::size_t header_size = 20 + ipv4_options_.size();
  header.push_back(static_cast<std::uint8_t>(0x40U | header_size / 4));
  header.push_back(0);
  put16(header, ip_length_.value_or(static_cast<std::uint16_t>(header_size + body.size())));
  put16(header, 0x1234);
  put16(header, fragment_);
  header.push_back(64);
  header.push_back(transport_number());
  put16(header, 0);
  header.insert(header.end(), source_.begin(), source_.begin() + 4);
  header.insert(header.end(), destination_.begin(), destination_.begin() + 4);
  append(header, ipv4_options_);
  set16(header, 10, checksum(header));
  append(frame, header);
  append(frame, body);
}

void PacketBuilder::append_ipv6(Bytes& frame, const Bytes& body) const {
  Bytes chain;
  for (std::size_t i = 0; i < extensions_.size(); ++i) {
    const auto& [protocol, rest] = extensions_[i];
    const std::uint8_t next = i + 1 < extensions_.size() ? extensions_[i + 1].first : transport_number();
    // Lengths in units of 8 beyond the first; the authentication header counts in 4 (RFC 4302).
    const std::size_t length = protocol == 44 ? 0 : protocol == 51 ? (rest.size() + 2) / 4 - 2 : (rest.size() - 6) / 8;
    chain.push_back(next);
    chain.push_back(static_cast<std::uint8_t>(length));
    append(chain, rest);
  }
  append(chain, body);
  put32(frame, 0x60000000);
  put16(frame, ip_length_.value_or(static_cast<std::uint16_t>(chain.size())));
  frame.push_back(extensions_.empty() ? transport_number() : extensions_.front().first);
  frame.push_back(64);
  append(frame, source_);
  append(frame, destination_);
  append(frame, chain);
}

Bytes PacketBuilder::build() const {
  static constexpr std::array<std::uint8_t, 12> kMacs = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  Bytes frame;
  frame.reserve(2048);  // g++ 12 at -O3 takes the first growth of an empty vector for an overflow
  if (ethernet_) {
    append(frame, kMacs);
    for (const auto& [type, tag] : tags_) {
      put16(frame, type);
      put16(frame, tag);
    }
    put16(frame, ether_type_.value_or(static_cast<std::uint16_t>(ipv6_ ? 0x86dd : 0x0800)));
  }
  const Bytes body = transport(transport_number());
  if (ipv6_) {
    append_ipv6(frame, body);
  } else {
    append_ipv4(frame, body);
  }
  frame.resize(std::max(frame.size(), pad_to_));
  return frame;
}

}  // namespace spidd::test
