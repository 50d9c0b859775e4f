// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Ethernet frames of one client and one server, for the tests of capture files. What the parser makes of unusual
// headers is tested with the parser.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace spidd::test {

using Frame = std::vector<std::uint8_t>;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPush = 0x08, kAck = 0x10;
constexpr std::uint32_t kClientAddress = 0x0a000001;  // 10.0.0.1
constexpr std::uint32_t kServerAddress = 0xc0000207;  // 192.0.2.7
constexpr std::uint16_t kClientPort = 50000;
constexpr std::uint16_t kServerPort = 443;
constexpr std::size_t kEthernetHeader = 14;

inline void put16(Frame& frame, std::size_t value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8));
  frame.push_back(static_cast<std::uint8_t>(value));
}
inline void put32(Frame& frame, std::uint32_t value) {
  put16(frame, value >> 16);
  put16(frame, value & 0xffff);
}

// IPv4 packet without link layer.
inline Frame ipv4(std::uint32_t source, std::uint32_t destination, std::uint8_t protocol, const Frame& payload) {
  Frame packet{0x45, 0};
  put16(packet, 20 + payload.size());
  put32(packet, 0);
  packet.insert(packet.end(), {64, protocol, 0, 0});
  put32(packet, source);
  put32(packet, destination);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

inline Frame ethernet(const Frame& payload, std::uint16_t type = 0x0800) {
  Frame frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  put16(frame, type);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

inline Frame tcp_segment(std::uint16_t source, std::uint16_t destination, std::uint32_t seq, std::uint8_t flags,
                         std::string_view payload) {
  Frame segment;
  put16(segment, source);
  put16(segment, destination);
  put32(segment, seq);
  put32(segment, 0);
  segment.insert(segment.end(), {0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  segment.insert(segment.end(), payload.begin(), payload.end());
  return segment;
}

inline Frame udp_datagram(std::uint16_t source, std::uint16_t destination, std::string_view payload) {
  Frame datagram;
  put16(datagram, source);
  put16(datagram, destination);
  put16(datagram, 8 + payload.size());
  put16(datagram, 0);
  datagram.insert(datagram.end(), payload.begin(), payload.end());
  return datagram;
}

// From client to server and back. `port` is the client's.
inline Frame tcp_up(std::uint32_t seq, std::uint8_t flags, std::string_view payload = "",
                    std::uint16_t port = kClientPort) {
  return ethernet(ipv4(kClientAddress, kServerAddress, 6, tcp_segment(port, kServerPort, seq, flags, payload)));
}
inline Frame tcp_down(std::uint32_t seq, std::uint8_t flags, std::string_view payload = "",
                      std::uint16_t port = kClientPort) {
  return ethernet(ipv4(kServerAddress, kClientAddress, 6, tcp_segment(kServerPort, port, seq, flags, payload)));
}
inline Frame udp_up(std::string_view payload, std::uint16_t port = kClientPort) {
  return ethernet(ipv4(kClientAddress, kServerAddress, 17, udp_datagram(port, kServerPort, payload)));
}
inline Frame udp_down(std::string_view payload, std::uint16_t port = kClientPort) {
  return ethernet(ipv4(kServerAddress, kClientAddress, 17, udp_datagram(kServerPort, port, payload)));
}

}  // namespace spidd::test
