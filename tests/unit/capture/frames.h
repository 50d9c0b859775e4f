// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Frames of one client and one server, for the tests of capture files. What the parser makes of unusual headers is
// tested with the parser.
#pragma once

#include <cstdint>
#include <string_view>

#include "tests/support/packet_builder.h"

namespace spidd::test {

constexpr const char* kClient = "10.0.0.1";
constexpr const char* kServer = "192.0.2.7";
constexpr std::uint16_t kClientPort = 50000;
constexpr std::uint16_t kServerPort = 443;
constexpr std::ptrdiff_t kEthernetHeader = 14;

// From client to server and back. `flags` are letters of PacketBuilder::flags, `port` is the client's.
inline Bytes tcp_up(std::uint32_t seq, std::string_view flags, std::string_view payload = "",
                    std::uint16_t port = kClientPort) {
  return PacketBuilder().ipv4(kClient, kServer).tcp(port, kServerPort).seq(seq).flags(flags).payload(payload).build();
}
inline Bytes tcp_down(std::uint32_t seq, std::string_view flags, std::string_view payload = "",
                      std::uint16_t port = kClientPort) {
  return PacketBuilder().ipv4(kServer, kClient).tcp(kServerPort, port).seq(seq).flags(flags).payload(payload).build();
}
inline Bytes udp_up(std::string_view payload, std::uint16_t port = kClientPort) {
  return PacketBuilder().ipv4(kClient, kServer).udp(port, kServerPort).payload(payload).build();
}
inline Bytes udp_down(std::string_view payload, std::uint16_t port = kClientPort) {
  return PacketBuilder().ipv4(kServer, kClient).udp(kServerPort, port).payload(payload).build();
}

}  // namespace spidd::test
