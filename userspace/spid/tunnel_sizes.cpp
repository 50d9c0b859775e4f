// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/tunnel_sizes.h"

#include <algorithm>
#include <array>

namespace spidd {

namespace {

// Key exchange, service request and the first authentication are over by then.
constexpr std::size_t kHandshakePackets = 12;
constexpr unsigned kFullPacket = 1000;
// By how much packets are longer than the shortest, which is a message of one to five bytes. Paddings are to 8 or 16
// bytes, the shortest may be of either kind, so that these are ranges. Lengths that do not depend on a cipher:
constexpr unsigned kCloseMost = 8;       // CHANNEL_EOF, CHANNEL_CLOSE: 5 bytes
constexpr unsigned kConfirmLeast = 8;    // CHANNEL_OPEN_CONFIRMATION: 17
constexpr unsigned kConfirmMost = 16;    //
constexpr unsigned kOpenLeast = 48;      // CHANNEL_OPEN "direct-tcpip", "forwarded-tcpip": 58 and two host names
constexpr unsigned kOpenMost = 160;      //
constexpr unsigned kAckLeast = 24;       // an IP packet of 40 to 72 bytes in CHANNEL_DATA with a packet header
constexpr unsigned kAckMost = 100;       //
constexpr unsigned kMostUnanswered = 6;  // full packets without an acknowledgement
constexpr unsigned kRequestLeast = 60;   // longer than a read request of SFTP
constexpr unsigned kRequestMost = 1400;
constexpr unsigned kAnswerLeast = 500;
constexpr unsigned kEncryptedExchanges = 4;
constexpr unsigned kProgramLeast = 8000;
constexpr unsigned kProgramMost = 30000;
constexpr std::size_t kProgramWithin = 40;

using Sizes = std::span<const PacketSize>;

bool turns(Sizes sizes, std::size_t i) { return sizes[i].direction != sizes[i + 1].direction; }

void count_channels(Sizes sizes, unsigned shortest, SshSizeSigns& signs) {
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) {
    if (!turns(sizes, i) || !turns(sizes, i + 1)) continue;
    const unsigned first = sizes[i].length;
    const unsigned second = sizes[i + 1].length;
    if (first <= shortest + kCloseMost && second == 2 * first && sizes[i + 2].length == first) ++signs.closed;
    if (first >= shortest + kOpenLeast && first <= shortest + kOpenMost && second >= shortest + kConfirmLeast &&
        second <= shortest + kConfirmMost)
      ++signs.opened;
  }
}

// `direction`: of the acknowledgements. Who has read an answer to its end sends the next request, after a packet that
// is rarely full; TCP acknowledges what has come while more is on its way.
void count_acknowledgements(Sizes sizes, unsigned shortest, Direction direction, SshSizeSigns& signs) {
  unsigned longest = kFullPacket;
  for (const PacketSize size : sizes)
    if (size.direction != direction) longest = std::max<unsigned>(longest, size.length);
  std::array<unsigned, kAckMost + 1> by_length{};
  unsigned packets = 0;
  unsigned full = 0;
  unsigned acknowledgements = 0;
  for (const PacketSize size : sizes) {
    if (size.direction != direction) {
      full = size.length == longest ? full + 1 : 0;
      continue;
    }
    ++packets;
    const unsigned beyond = size.length - shortest;
    if (beyond >= kAckLeast && beyond <= kAckMost) {
      ++by_length[beyond];
      if (full >= 1 && full <= kMostUnanswered) ++acknowledgements;
    }
    full = 0;
  }
  if (acknowledgements <= signs.acknowledgements) return;
  signs.acknowledgements = acknowledgements;
  signs.ack_repeats = *std::ranges::max_element(by_length);
  signs.ack_share = static_cast<double>(signs.ack_repeats) / packets;
}

// Bytes that go one way in a row, from `begin` on; `end` is set behind them.
unsigned burst(Sizes sizes, std::size_t begin, std::size_t& end) {
  unsigned bytes = 0;
  for (end = begin; end < sizes.size() && sizes[end].direction == sizes[begin].direction; ++end)
    bytes += sizes[end].length;
  return bytes;
}

bool is_request(unsigned bytes, unsigned beyond) { return bytes >= beyond + kRequestLeast && bytes <= kRequestMost; }

void count_exchanges(Sizes sizes, unsigned shortest, SshSizeSigns& signs) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < sizes.size(); i = end) {
    const unsigned bytes = burst(sizes, i, end);
    if (sizes[i].direction != Direction::to_server || end == sizes.size()) continue;
    if (i < kProgramWithin && bytes >= kProgramLeast && bytes <= kProgramMost) signs.program_sent = true;
    std::size_t behind = end;
    if (is_request(bytes, shortest) && burst(sizes, end, behind) >= kAnswerLeast) ++signs.exchanges;
  }
}

}  // namespace

PacketSize packet_size(const PayloadPacket& packet) {
  return {static_cast<std::uint16_t>(std::min<std::uint32_t>(packet.length, 0xffff)), packet.direction};
}

bool SshSizeSigns::carries_connections() const {
  const bool channels = closed >= 3 || (closed >= 2 && opened >= 2);
  const bool tcp_inside = acknowledgements >= 4 && ack_repeats >= 12 && ack_share >= 0.5;
  const bool shuttled = program_sent && exchanges >= 4;
  return channels || tcp_inside || shuttled;
}

SshSizeSigns ssh_size_signs(Sizes sizes) {
  SshSizeSigns signs;
  if (sizes.size() < kFewestSizes) return signs;
  const Sizes rest = sizes.subspan(kHandshakePackets);
  const unsigned shortest =
      std::ranges::min_element(rest, {}, [](const PacketSize& size) { return size.length; })->length;
  count_channels(rest, shortest, signs);
  count_acknowledgements(rest, shortest, Direction::to_server, signs);
  count_acknowledgements(rest, shortest, Direction::to_client, signs);
  count_exchanges(rest, shortest, signs);
  return signs;
}

bool is_encrypted_tunnel(Sizes sizes) {
  if (sizes.size() < kFewestSizes) return false;
  unsigned exchanges = 0;
  std::size_t end = 0;
  for (std::size_t i = 0; i < sizes.size(); i = end) {
    const unsigned bytes = burst(sizes, i, end);
    std::size_t behind = end;
    if (sizes[i].direction == Direction::to_server && end < sizes.size() && is_request(bytes, 0) &&
        burst(sizes, end, behind) >= kAnswerLeast)
      ++exchanges;
  }
  return exchanges >= kEncryptedExchanges;
}

bool is_ssh_tunnel(Sizes sizes) { return ssh_size_signs(sizes).carries_connections(); }

}  // namespace spidd
