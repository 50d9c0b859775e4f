// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of half bytes. "Folded" is the high half XOR the low half.
#include <cstring>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

// Folded bytes at the beginning of a packet, 16 bins an offset from `base` on.
void add_folded(const PayloadPacket& packet, std::size_t limit, unsigned base, MeterBins& bins) {
  for (const std::uint8_t byte : payload_of(packet, limit)) {
    bins.add(base + fold_nibbles(byte));
    base += 16;
  }
}

constexpr std::size_t kRankedPackets = 8;
constexpr std::size_t kRankedBytes = 16;

// Lanes are positions: first the high halves of 16 bytes, then their low halves.
using PositionLanes __attribute__((vector_size(2 * kRankedBytes))) = std::uint8_t;

// One packet as #31 looks at it.
struct RankedPacket {
  PositionLanes values;  // half bytes
  PositionLanes seen;    // how often the value was seen so far; 0 if a later packet has the same
};

[[gnu::always_inline]] inline void rank_half_bytes(std::span<const PayloadPacket> packets, MeterBins& bins) {
  std::array<RankedPacket, kRankedPackets> ranked;
  std::size_t order = 0;
  for (const PayloadPacket& packet : packets) {
    const std::size_t size = payload_of(packet, kRankedBytes).size();
    std::array<std::uint8_t, 2 * kRankedBytes> halves;
    std::array<std::uint8_t, 2 * kRankedBytes> beyond;
    const auto bytes = load_lanes<ByteLanes>(packet.bytes.data());
    const ByteLanes high = bytes >> 4;
    const ByteLanes low = bytes & 15;
    const auto none = static_cast<ByteLanes>(kByteNumbers >= static_cast<std::uint8_t>(size));
    std::memcpy(&halves[0], &high, sizeof(high));
    std::memcpy(&halves[kRankedBytes], &low, sizeof(low));
    std::memcpy(&beyond[0], &none, sizeof(none));
    std::memcpy(&beyond[kRankedBytes], &none, sizeof(none));
    PositionLanes absent;
    PositionLanes values;
    std::memcpy(&absent, beyond.data(), sizeof(absent));
    std::memcpy(&values, halves.data(), sizeof(values));
    values |= absent;      // like no half byte where absent
    PositionLanes seen{};  // before this packet
    for (std::size_t i = 0; i < order; ++i) {
      seen |= reinterpret_cast<PositionLanes>(ranked[i].values == values) & ranked[i].seen;
    }
    PositionLanes rank{};
    for (std::size_t i = 0; i < order; ++i) {
      rank -= reinterpret_cast<PositionLanes>(ranked[i].seen > seen);
      ranked[i].seen &= reinterpret_cast<PositionLanes>(ranked[i].values != values);
    }
    ranked[order] = {values, (seen + 1) & ~absent};
    if (order++ == 0) continue;
    std::array<std::uint8_t, 2 * kRankedBytes> ranks;
    std::memcpy(ranks.data(), &rank, sizeof(rank));
    for (std::size_t i = 0; i < size; ++i) {
      const auto base = static_cast<unsigned>(16 * i);
      bins.add(base + ranks[i]);
      bins.add(base + 8 + ranks[kRankedBytes + i]);
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void rank_half_bytes_avx2(std::span<const PayloadPacket> packets, MeterBins& bins) {
  rank_half_bytes(packets, bins);
}
#endif

}  // namespace

// SPID 1.8 #14: folded first 8 bytes of the first two packets, by order.
void measure_first2_byte_nibbles(const MeteredFlow& flow, MeterBins& bins) {
  unsigned base = 0;
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    add_folded(packet, 8, base, bins);
    base += 128;
  }
}

// SPID 1.8 #19: folded first 8 bytes of the first four packets, by direction (the client's in the upper half).
void measure_first4_direction_byte_nibbles(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    add_folded(packet, 8, from_server(packet) ? 0 : 128, bins);
  }
}

// SPID 1.8 #20: folded first 2 bytes of the first four packets, by direction and order.
void measure_first4_ordered_byte_nibbles(const MeteredFlow& flow, MeterBins& bins) {
  unsigned order = 0;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    add_folded(packet, 2, 128 * direction_index(packet) + 32 * order++, bins);
  }
}

// SPID 1.8 #28: folded first 8 bytes of the first packet of each direction.
void measure_first_of_direction_byte_nibbles(const MeteredFlow& flow, MeterBins& bins) {
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    const auto first = std::find_if(flow.packets.begin(), flow.packets.end(),
                                    [direction](const PayloadPacket& packet) { return packet.direction == direction; });
    if (first != flow.packets.end()) add_folded(*first, 8, 128 * direction_index(*first), bins);
  }
}

// SPID 1.8 #30: the first 16 half bytes of the first eight packets, by position.
void measure_nibble_position_frequency(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    unsigned base = 0;
    for (const std::uint8_t byte : payload_of(packet, 8)) {
      bins.add(base + (byte >> 4));
      bins.add(base + 16 + (byte & 15));
      base += 32;
    }
  }
}

// SPID 1.8 #31: for each of the first 32 half bytes, how many other values were more usual at its position in the
// packets before; packets 1 to 7 (packet 0 only teaches).
void measure_nibble_position_popularity(const MeteredFlow& flow, MeterBins& bins) {
  const auto packets = first_packets(flow, kRankedPackets);
#if defined(__x86_64__)
  if (flow.simd == Simd::avx512 || flow.simd == Simd::avx2) return rank_half_bytes_avx2(packets, bins);
#endif
  rank_half_bytes(packets, bins);
}

}  // namespace spidd
