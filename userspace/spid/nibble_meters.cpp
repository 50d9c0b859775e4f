// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of half bytes. "Folded" is the high half XOR the low half.
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

// How often each of the 16 values was seen at one position: sixteen counters of four bits in a word. rank() needs
// counters below 8, so it answers for seven packets.
class NibbleCounts {
 public:
  void add(unsigned value) { counts_ += std::uint64_t{1} << (4 * value); }

  // Number of values seen more often than `value`. Requires: at most seven calls of add() before.
  unsigned rank(unsigned value) const {
    constexpr std::uint64_t kOnes = 0x1111111111111111;
    const std::uint64_t count = counts_ >> (4 * value) & 7;
    // The top bit of each counter survives where it is at least count + 1; the product adds the counters.
    const std::uint64_t above = ((counts_ | 8 * kOnes) - (count + 1) * kOnes) >> 3 & kOnes;
    return static_cast<unsigned>((above * kOnes) >> 60);
  }

 private:
  std::uint64_t counts_ = 0;
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
  constexpr unsigned kBytes = 16;
  std::array<NibbleCounts, 2 * kBytes> counts{};
  bool measured = false;
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    unsigned position = 0;
    const auto take = [&](unsigned value) {
      if (measured) bins.add(8 * position + counts[position].rank(value));
      counts[position++].add(value);
    };
    for (const std::uint8_t byte : payload_of(packet, kBytes)) {
      take(byte >> 4);
      take(byte & 15);
    }
    measured = true;
  }
}

}  // namespace spidd
