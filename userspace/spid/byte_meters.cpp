// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of byte values.
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

// The bytes that the original's two meters of "the first 100 bytes" look at: by mistake it counts from the beginning of
// the frame. Corrected: the payload that records carry.
template <MeterRules kRules>
Payload first_hundred_bytes(const PayloadPacket& packet) {
  if constexpr (kRules == MeterRules::strict) {
    constexpr std::size_t kFrameBytes = 100;
    return payload_of(packet, packet.offset < kFrameBytes ? kFrameBytes - packet.offset : 0);
  } else {
    return payload_of(packet);
  }
}

}  // namespace

// SPID 1.8 #3: byte values of the first five packets.
void measure_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 5)) {
    for (const std::uint8_t byte : payload_of(packet)) bins.add(byte);
  }
}

// SPID 1.8 #4: byte values at the beginning of the first eight packets.
template <MeterRules kRules>
void measure_byte_frequency_of_first_bytes(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    for (const std::uint8_t byte : first_hundred_bytes<kRules>(packet)) bins.add(byte);
  }
}

template void measure_byte_frequency_of_first_bytes<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_byte_frequency_of_first_bytes<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #8: hash of value and offset of the first 32 bytes of the first four packets.
void measure_byte_value_offset_hash(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    std::int32_t offset = 0;
    for (const std::uint8_t byte : payload_of(packet, 32)) {
      bins.add(hash8(byte + offset));
      offset += 256;
    }
  }
}

// SPID 1.8 #9: byte values modulo 128 of the first eight packets, by direction.
void measure_direction_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    const unsigned base = 128 * direction_index(packet);
    for (const std::uint8_t byte : payload_of(packet)) bins.add(base + byte % 128);
  }
}

// SPID 1.8 #23: byte values modulo 64 of the first four packets, by order.
template <MeterRules kRules>
void measure_first4_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  unsigned base = 0;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    for (const std::uint8_t byte : first_hundred_bytes<kRules>(packet)) bins.add(base + byte % 64);
    base += 64;
  }
}

template void measure_first4_byte_frequency<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first4_byte_frequency<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #24: distance (1..16) from a byte to the last equal one in the first 32 bytes of the first four packets.
void measure_byte_reoccurring_distance(const MeteredFlow& flow, MeterBins& bins) {
  constexpr unsigned kFarthest = 16;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    std::array<std::uint8_t, 256> last_seen{};  // position + 1; 0 is never
    unsigned position = 1;
    for (const std::uint8_t byte : payload_of(packet, 32)) {
      // Counting nothing is cheaper than a branch that is hard to predict.
      const unsigned distance = position - last_seen[byte];
      const bool near = (last_seen[byte] != 0) & (distance <= kFarthest);
      bins.add(16 * hash4(byte) + (distance - 1) % kFarthest, near ? 1 : 0);
      last_seen[byte] = static_cast<std::uint8_t>(position++);
    }
  }
}

}  // namespace spidd
