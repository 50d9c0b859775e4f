// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The second look: whether a connection that is SSH, or random from its first byte, carries other connections, told by
// lengths and directions of up to 100 payload packets. The first 20 packets do not tell (README.md). Pure functions.
//
// SSH: the packets of the connection protocol have fixed lengths, and encryption only adds to them (RFC 4253 6, RFC
// 4254 5.1, 5.3, 7.2; OpenSSH PROTOCOL 2.3 for tun devices). What is looked for, and does not happen in a shell or a
// copy:
//   channels          forwarded connections come and go: a channel is closed by EOF and CLOSE, which are as short as a
//                     packet can be and answered by the same two, and it was opened by a longer packet with a fixed
//                     answer
//   acknowledgements  of TCP inside: amid full packets, after every few of them, one the other way that is as short as
//   an
//                     IP packet can be, and always the same
//   shuttled          a program is sent after the start, then requests and long answers take turns (sshuttle)
#pragma once

#include <cstdint>
#include <span>

#include "userspace/capture/packet_record.h"

namespace spidd {

struct PacketSize {
  std::uint16_t length = 0;  // payload bytes; longer ones are 65535
  Direction direction = Direction::to_server;
};

PacketSize packet_size(const PayloadPacket& packet);

// Below this a second look says nothing.
inline constexpr unsigned kFewestSizes = 40;

// What was counted in the sizes of an SSH connection after key exchange and login.
struct SshSizeSigns {
  unsigned opened = 0;            // packets as long as the opening of a forwarded connection, answered as such
  unsigned closed = 0;            // channels closed
  unsigned acknowledgements = 0;  // right after one to six full packets the other way
  unsigned ack_repeats = 0;       // packets of the most frequent of their lengths
  double ack_share = 0;           // these among all of their direction
  bool program_sent = false;      // by the client, at the start
  unsigned exchanges = 0;         // up to 1400 bytes of the client, no keystroke, answered by 500 or more

  bool carries_connections() const;
};

// `sizes`: of the payload packets of a flow, in order, from the first.
SshSizeSigns ssh_size_signs(std::span<const PacketSize> sizes);

// Whether a connection that is random from its first byte carries requests and answers, several times: what is only
// sent or fetched there goes one way after the start.
bool is_encrypted_tunnel(std::span<const PacketSize> sizes);

// Whether an SSH connection carries others.
bool is_ssh_tunnel(std::span<const PacketSize> sizes);

}  // namespace spidd
