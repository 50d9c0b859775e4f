// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters beyond the original's 34: pairs of lengths, bytes of a burst (what one side says before the other
// answers), length fields, and how random the payload looks. Bins: README.md, "Meters of our own".
#include <cstring>
#include <utility>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

constexpr std::size_t kJudgedPackets = 8;
constexpr std::size_t kLeastBytes = 8;  // fewer say nothing about randomness or length fields

// Class of `value`: 0 below `first`, then one more every 1 / `steps`, at most 15.
unsigned randomness_class(double value, double first, double steps, unsigned at_first) {
  if (value < first) return 0;
  return std::min(15U, at_first + static_cast<unsigned>(steps * (value - first)));
}

bool starts_like_a_word(Payload payload) {
  if (payload.size() < 4) return false;
  const auto is_letter = [](std::uint8_t byte) { return (byte | 32) >= 'a' && (byte | 32) <= 'z'; };
  return is_letter(payload[0]) && is_letter(payload[1]) && is_letter(payload[2]) &&
         (is_letter(payload[3]) || payload[3] == ' ' || payload[3] == '-');
}

unsigned burst_class(std::uint64_t bytes) {
  constexpr std::array<std::uint64_t, 8> kEdges = {0, 64, 150, 300, 700, 1500, 3000, 8000};
  return class_by_edges(kEdges, bytes);
}

// Whether measure_length_fields() may find something: few packets have length fields. All places at once, no matter
// where the payload ends.
bool has_length_field(const PayloadPacket& packet) {
  if (packet.length > 0xffff) return true;
  const WordLanes first = widen_lanes(packet.bytes.data());
  const WordLanes second = widen_lanes(packet.bytes.data() + 1);
  const WordLanes big = first << 8 | second;
  const WordLanes little = second << 8 | first;
  const WordLanes whole = WordLanes{} + static_cast<std::uint16_t>(packet.length);
  const WordLanes rest = whole - 2 - kWordNumbers;
  const auto found = static_cast<WordLanes>((big == rest) | (little == rest) | (big == whole) | (little == whole));
  std::uint32_t four;
  std::memcpy(&four, packet.bytes.data(), sizeof(four));
  return bits_of(found, found) != 0 || four == packet.length - 4 || __builtin_bswap32(four) == packet.length - 4;
}

// Calls use(direction, bytes, index) for every burst that the other side answered.
template <class Use>
void for_each_burst(const MeteredFlow& flow, Use use) {
  std::uint64_t bytes = 0;
  unsigned index = 0;
  const PayloadPacket* before = nullptr;
  for (const PayloadPacket& packet : flow.packets) {
    if (before != nullptr && before->direction != packet.direction) {
      use(direction_index(*before), bytes, index++);
      bytes = 0;
    }
    bytes += packet.length;
    before = &packet;
  }
}

}  // namespace

// Eight bytes at a time: this looks at every byte of most packets. Beyond the payload are zeros, which have no set bits
// and are not printable.
ByteShares shares_of(const PayloadPacket& packet) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kTops = 0x80 * kOnes;
  if (packet.captured == 0) return {};
  std::uint64_t set_bits = 0;   // by byte; 64 at most
  std::uint64_t printable = 0;  // by byte; 8 at most
  for (std::size_t at = 0; at < packet.bytes.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, packet.bytes.data() + at, sizeof(word));
    std::uint64_t bits = word - (word >> 1 & 0x55 * kOnes);
    bits = (bits & 0x33 * kOnes) + (bits >> 2 & 0x33 * kOnes);
    set_bits += (bits + (bits >> 4)) & 0x0f * kOnes;
    const std::uint64_t low = word & ~kTops;
    const std::uint64_t from_space = low + (0x80 - 0x20) * kOnes;
    const std::uint64_t is_delete = low + kOnes;
    printable += (from_space & ~is_delete & ~word & kTops) >> 7;
  }
  const std::uint64_t pairs = (set_bits & 0x00ff00ff00ff00ff) + (set_bits >> 8 & 0x00ff00ff00ff00ff);
  const auto size = static_cast<double>(payload_of(packet).size());
  return {static_cast<double>(pairs * 0x0001000100010001 >> 48) / size,
          static_cast<double>(printable * kOnes >> 56) / size};
}

// Set bits and printable share of the first payload packet of each direction, and whether it starts like TLS or a word.
void measure_first_packet_randomness(const MeteredFlow& flow, MeterBins& bins) {
  std::array<bool, 2> seen{};
  for (const PayloadPacket& packet : flow.packets) {
    if (std::exchange(seen[direction_index(packet)], true)) continue;
    const Payload payload = payload_of(packet);
    if (!payload.empty()) {
      const auto order = static_cast<std::size_t>(&packet - flow.packets.data());
      const ByteShares shares = order < flow.shares.size() ? flow.shares[order] : shares_of(packet);
      const unsigned random = randomness_class(shares.set_bits, 2, 4, 1);
      const unsigned printable = std::min(3U, static_cast<unsigned>(4 * shares.printable));
      const unsigned known = starts_tls_record(payload) || starts_like_a_word(payload) ? 1 : 0;
      bins.add(128 * direction_index(packet) + 8 * random + 2 * printable + known);
    }
    if (seen[0] && seen[1]) return;
  }
}

// Set bits of each of the first eight packets, by pairs of packets.
void measure_packet_randomness(const MeteredFlow& flow, MeterBins& bins) {
  unsigned order = 0;
  for (const PayloadPacket& packet : first_packets(flow, kJudgedPackets)) {
    const Payload payload = payload_of(packet);
    if (payload.size() >= kLeastBytes) {
      const ByteShares& shares = flow.shares[order];
      bins.add(128 * direction_index(packet) + 32 * (order / 2) + 2 * randomness_class(shares.set_bits, 2.4, 5, 0) +
               (shares.printable > 0.5 ? 1 : 0));
    }
    ++order;
  }
}

// Direction and length class of each packet after those of the packet before.
void measure_packet_length_pairs(const MeteredFlow& flow, MeterBins& bins) {
  const PayloadPacket* before = nullptr;
  unsigned last = 0;
  for (const PayloadPacket& packet : flow.packets) {
    const unsigned current = 8 * direction_index(packet) + length_class_8(packet.length);
    if (before != nullptr) bins.add(16 * last + current);
    last = current;
    before = &packet;
  }
}

// Bytes of each burst by direction and index.
void measure_burst_bytes(const MeteredFlow& flow, MeterBins& bins) {
  for_each_burst(flow, [&bins](unsigned direction, std::uint64_t bytes, unsigned index) {
    const auto units = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes / 16, 1500));
    bins.add(128 * direction + 16 * std::min(7U, index) + length_class_16(units));
  });
}

// Bytes of each burst after those of the burst before.
void measure_burst_pairs(const MeteredFlow& flow, MeterBins& bins) {
  unsigned last = 0;
  for_each_burst(flow, [&](unsigned direction, std::uint64_t bytes, unsigned index) {
    const unsigned current = 8 * direction + burst_class(bytes);
    if (index > 0) bins.add(16 * last + current);
    last = current;
  });
}

// Places where two or four bytes say how long the message is.
void measure_length_fields(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, kJudgedPackets)) {
    const Payload payload = payload_of(packet);
    if (payload.size() < kLeastBytes) continue;
    if (!has_length_field(packet)) continue;
    const unsigned base = 128 * direction_index(packet);
    for (std::uint32_t at = 0; at < 8 && at + 1 < payload.size(); ++at) {
      const std::uint32_t big = payload[at] * 256U + payload[at + 1];
      const std::uint32_t little = payload[at + 1] * 256U + payload[at];
      const std::uint32_t rest = packet.length - at - 2;
      if (big == rest) bins.add(base + at);
      if (little == rest) bins.add(base + 8 + at);
      if (big == packet.length) bins.add(base + 16 + at);
      if (little == packet.length) bins.add(base + 24 + at);
    }
    std::uint32_t big = 0;
    std::uint32_t little = 0;
    for (unsigned i = 0; i < 4; ++i) {
      big = big << 8 | payload[i];
      little |= std::uint32_t{payload[i]} << (8 * i);
    }
    if (big == packet.length - 4) bins.add(base + 32);
    if (little == packet.length - 4) bins.add(base + 33);
  }
}

// Length modulo 16 by order: block ciphers show.
void measure_packet_length_modulo_16(const MeteredFlow& flow, MeterBins& bins) {
  unsigned order = 0;
  for (const PayloadPacket& packet : flow.packets) {
    bins.add(128 * direction_index(packet) + 16 * std::min(7U, order++) + packet.length % 16);
  }
}

}  // namespace spidd
