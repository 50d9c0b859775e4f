// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tests in the order of their cost: most flows fail the first ones.
#include "userspace/spid/randomness.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>
#include <utility>

#include "userspace/spid/meter_functions.h"

namespace spidd {
namespace {

constexpr double kLeastSetBits = 3.4;  // per byte, over all bytes looked at
constexpr double kMostSetBits = 4.6;
constexpr double kSpread = 4.8;  // of one packet of n bytes: 4 +- kSpread / sqrt(n), 3.4 standard deviations
constexpr double kMostPrintable = 0.5;
constexpr std::size_t kPrintableStart = 6;
constexpr std::size_t kPrintableRun = 21;
constexpr std::size_t kHeader = 8;  // bytes in which structure shows
constexpr std::size_t kEqualRun = 3;

bool is_printable(std::uint8_t byte) { return byte >= 0x20 && byte <= 0x7e; }

// Headers have zeros and counters; three equal bytes among the first eight are rare by chance (1 in 10,000).
bool has_equal_run(Payload payload) {
  std::size_t run = 1;
  for (std::size_t i = 1; i < std::min(kHeader, payload.size()); ++i) {
    run = payload[i] == payload[i - 1] ? run + 1 : 1;
    if (run == kEqualRun) return true;
  }
  return false;
}

bool starts_dtls_record(Payload payload) {
  return payload[0] >= 20 && payload[0] <= 26 && payload[1] == 0xfe && payload[2] >= 0xfc;
}

bool has_stun_cookie(Payload payload) {
  return payload[4] == 0x21 && payload[5] == 0x12 && payload[6] == 0xa4 && payload[7] == 0x42;
}

// Requires: at least kRandomPacketBytes.
bool starts_like_something(Payload payload) {
  return starts_tls_record(payload) || starts_dtls_record(payload) || has_stun_cookie(payload) ||
         std::all_of(payload.begin(), payload.begin() + kPrintableStart, is_printable);
}

struct Sums {
  std::size_t bytes = 0;
  std::size_t set_bits = 0;
  std::size_t printable = 0;
};

// Adds the packet; false if it is not random by itself.
bool add_packet(Payload payload, Sums& sums) {
  std::size_t set_bits = 0;
  std::size_t run = 0;
  for (const std::uint8_t byte : payload) {
    set_bits += static_cast<unsigned>(std::popcount(byte));
    run = is_printable(byte) ? run + 1 : 0;
    if (run > 0) ++sums.printable;
    if (run == kPrintableRun) return false;
  }
  sums.bytes += payload.size();
  sums.set_bits += set_bits;
  const auto size = static_cast<double>(payload.size());
  return std::abs(static_cast<double>(set_bits) / size - 4.0) <= kSpread / std::sqrt(size);
}

bool is_text(Payload payload) {
  return 2 * static_cast<std::size_t>(std::ranges::count_if(payload, is_printable)) > payload.size();
}

// A request without a body, or an answer: what is random behind it may be a tunnel's. Behind POST and PUT it is a file.
bool starts_http_without_body(Payload payload) {
  constexpr std::array<std::string_view, 2> kWords = {"GET ", "HTTP/1."};
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    return payload.size() >= word.size() && std::equal(word.begin(), word.end(), payload.begin());
  });
}

// A byte that is the same in three packets of a direction is a header's.
bool has_constant_header(std::span<const PayloadPacket> packets, Direction direction) {
  std::array<std::uint8_t, kHeader> first{};
  std::array<bool, kHeader> same{};
  std::size_t seen = 0;
  for (const PayloadPacket& packet : packets) {
    if (packet.direction != direction || payload_of(packet).size() < kHeader) continue;
    for (std::size_t i = 0; i < kHeader; ++i) same[i] = seen == 0 || (same[i] && packet.bytes[i] == first[i]);
    if (seen++ == 0) std::copy_n(packet.bytes.begin(), kHeader, first.begin());
  }
  return seen >= 3 && std::ranges::find(same, true) != same.end();
}

}  // namespace

bool is_fully_encrypted(std::span<const PayloadPacket> packets) {
  if (packets.size() < 2) return false;
  packets = packets.first(std::min<std::size_t>(packets.size(), kRandomnessPackets));
  std::array<bool, 2> begun{};
  for (const PayloadPacket& packet : packets) {
    const Payload payload = payload_of(packet);
    if (begun[direction_index(packet)]) continue;
    begun[direction_index(packet)] = true;
    if (payload.size() < kRandomPacketBytes || starts_like_something(payload)) return false;
  }
  Sums sums;
  for (const PayloadPacket& packet : packets) {
    const Payload payload = payload_of(packet);
    if (payload.empty()) continue;
    if (has_equal_run(payload) || !add_packet(payload, sums)) return false;
  }
  if (sums.bytes < kRandomnessBytes) return false;
  const auto bytes = static_cast<double>(sums.bytes);
  const double set_bits = static_cast<double>(sums.set_bits) / bytes;
  return set_bits >= kLeastSetBits && set_bits <= kMostSetBits &&
         static_cast<double>(sums.printable) / bytes <= kMostPrintable &&
         !has_constant_header(packets, Direction::to_server) && !has_constant_header(packets, Direction::to_client);
}

bool has_structure(std::span<const PayloadPacket> packets) {
  std::array<bool, 2> begun{};
  std::size_t random = 0;
  std::size_t structured = 0;
  for (const PayloadPacket& packet : packets.first(std::min<std::size_t>(packets.size(), kRandomnessPackets))) {
    const Payload payload = payload_of(packet);
    if (payload.size() < kRandomPacketBytes) continue;
    const bool first = !std::exchange(begun[direction_index(packet)], true);
    if (first && (starts_http_without_body(payload) || starts_tls_record(payload))) continue;
    Sums sums;
    const bool is_random = add_packet(payload, sums) && !has_equal_run(payload);
    if (first && !is_random && is_text(payload)) return true;
    ++(is_random ? random : structured);
  }
  return structured > random;
}

}  // namespace spidd
