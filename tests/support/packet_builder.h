// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Builds frames for tests: PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 443).flags("S").build(). Lengths and
// checksums are right unless a test overrides them; every setter may be left out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace spidd::test {

using Bytes = std::vector<std::uint8_t>;

// `size` bytes 0, 1, 2, ...
Bytes counting_bytes(std::size_t size);

class PacketBuilder {
 public:
  // The frame starts at the IP header.
  PacketBuilder& without_ethernet();
  // Adds a tag; the first one is the outer one.
  PacketBuilder& vlan(std::uint16_t id, std::uint16_t ether_type = 0x8100);
  // Instead of the IP version's own Ethernet type.
  PacketBuilder& ether_type(std::uint16_t type);

  // Numeric addresses; abort the test program if they are none.
  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);
  // A multiple of 4 bytes, at most 40.
  PacketBuilder& ipv4_options(Bytes options);
  // Adds an IPv6 extension header of this protocol number whose bytes from the third on are `body` (so its length is
  // 2 + body.size(), a multiple of 8, or 8 for a fragment header). Its next header field is filled in.
  PacketBuilder& extension(std::uint8_t protocol, Bytes body = Bytes(6));
  // IPv4: offset in 8-byte units and the more-fragments flag. IPv6: adds a fragment header.
  PacketBuilder& fragment(std::uint16_t offset, bool more);
  // Instead of the true IPv4 total length or IPv6 payload length.
  PacketBuilder& ip_length(std::uint16_t length);
  // Instead of the transport's own number.
  PacketBuilder& protocol(std::uint8_t number);

  PacketBuilder& tcp(std::uint16_t source_port, std::uint16_t destination_port);
  // Any of the letters of "FSRPAUEC"; "A" if not called.
  PacketBuilder& flags(std::string_view letters);
  PacketBuilder& seq(std::uint32_t number);
  PacketBuilder& tcp_options(Bytes options);

  PacketBuilder& udp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& udp_length(std::uint16_t length);

  // ICMP after ipv4(), ICMPv6 after ipv6(). Errors carry their inner packet as payload.
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code, std::uint16_t identifier = 0, std::uint16_t sequence = 0);

  PacketBuilder& payload(Bytes bytes);
  PacketBuilder& payload(std::string_view text);
  // So many bytes 0, 1, 2, ...
  PacketBuilder& payload_size(std::size_t size);
  // Pads the frame with zeros behind the IP packet, as Ethernet does.
  PacketBuilder& pad_to(std::size_t frame_size);

  Bytes build() const;

 private:
  enum class Transport : std::uint8_t { none, tcp, udp, icmp };

  Bytes transport_header() const;
  Bytes transport(std::uint8_t number) const;
  std::uint8_t transport_number() const;
  void append_ipv4(Bytes& frame, const Bytes& body) const;
  void append_ipv6(Bytes& frame, const Bytes& body) const;

  bool ethernet_ = true;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> tags_;  // Ethernet type, tag
  std::optional<std::uint16_t> ether_type_;
  bool ipv6_ = false;
  std::array<std::uint8_t, 16> source_{};
  std::array<std::uint8_t, 16> destination_{};
  Bytes ipv4_options_;
  std::vector<std::pair<std::uint8_t, Bytes>> extensions_;
  std::uint16_t fragment_ = 0;
  std::optional<std::uint16_t> ip_length_;
  std::optional<std::uint8_t> protocol_;
  Transport transport_ = Transport::none;
  std::uint16_t source_port_ = 0;
  std::uint16_t destination_port_ = 0;
  std::uint8_t flags_ = 0x10;
  std::uint32_t seq_ = 1;
  Bytes tcp_options_;
  std::optional<std::uint16_t> udp_length_;
  std::array<std::uint16_t, 2> icmp_words_{};
  std::uint8_t icmp_type_ = 0;
  std::uint8_t icmp_code_ = 0;
  Bytes payload_;
  std::size_t pad_to_ = 0;
};

}  // namespace spidd::test
