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

// One packet as #31 looks at it. Lanes are positions: the high halves of 16 bytes, or their low halves.
struct RankedPacket {
  std::array<ByteLanes, 2> values;  // half bytes
  std::array<ByteLanes, 2> seen;    // how often the value was seen so far; 0 if a later packet has the same
};

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
  constexpr std::size_t kPackets = 8;
  constexpr std::size_t kBytes = 16;
  std::array<RankedPacket, kPackets> ranked;
  std::size_t order = 0;
  for (const PayloadPacket& packet : first_packets(flow, kPackets)) {
    const std::size_t size = payload_of(packet, kBytes).size();
    const auto bytes = load_lanes<ByteLanes>(packet.bytes.data());
    const auto absent = static_cast<ByteLanes>(kByteNumbers >= static_cast<std::uint8_t>(size));
    std::array<std::array<std::uint8_t, kBytes>, 2> ranks;
    for (unsigned half = 0; half < 2; ++half) {
      const ByteLanes values = (half == 0 ? bytes >> 4 : bytes & 15) | absent;  // like no half byte where absent
      ByteLanes seen{};                                                         // before this packet
      for (const RankedPacket& before : std::span(ranked).first(order)) {
        seen |= static_cast<ByteLanes>(before.values[half] == values) & before.seen[half];
      }
      ByteLanes rank{};
      for (RankedPacket& before : std::span(ranked).first(order)) {
        rank -= static_cast<ByteLanes>(before.seen[half] > seen);
        before.seen[half] &= static_cast<ByteLanes>(before.values[half] != values);
      }
      ranked[order].values[half] = values;
      ranked[order].seen[half] = (seen + 1) & ~absent;
      std::memcpy(ranks[half].data(), &rank, sizeof(rank));
    }
    for (std::size_t i = 0; order > 0 && i < size; ++i) {
      const auto base = static_cast<unsigned>(16 * i);
      bins.add(base + ranks[0][i]);
      bins.add(base + 8 + ranks[1][i]);
    }
    ++order;
  }
}

}  // namespace spidd
