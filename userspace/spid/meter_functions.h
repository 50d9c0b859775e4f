// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the attribute meters share: their common signature, the hashes and length classes of SPID 1.7, and the view of a
// flow they look at. Private to spid/.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "userspace/spid/attribute_meter.h"
#include "userspace/spid/meter_bins.h"

namespace spidd {

using Payload = std::span<const std::uint8_t>;

// How the 16 words (byte pairs at even offsets) of a packet's first 32 bytes relate to those of the packet before.
struct WordOverlap {
  std::uint16_t recurring = 0;  // bit i: word i also occurred in the packet before
  std::uint16_t distinct = 0;   // those of them that are the first of their value in this packet
};

// How often each byte value occurs in the captured payload of a packet.
using ByteCounts = std::array<std::uint8_t, 256>;

// What a payload looks like: set bits a byte, and the share (0..1) of printable bytes. 0 where there is no payload.
struct ByteShares {
  double set_bits = 0;
  double printable = 0;
};

inline constexpr std::size_t kSharedPackets = 8;  // what several meters look at is found out once for so many packets

struct MeteredFlow {
  std::span<const PayloadPacket> packets;
  std::span<const WordOverlap> overlaps;    // one a packet
  std::span<const ByteCounts> byte_counts;  // of the first kSharedPackets packets
  std::span<const ByteShares> shares;       // of the first kSharedPackets packets
  Simd simd;                                // what the meters may use
};

using MeterFunction = void (*)(const MeteredFlow& flow, MeterBins& bins);

// The captured payload bytes of a packet.
inline Payload payload_of(const PayloadPacket& packet) {
  return Payload(packet.bytes).first(std::min<std::size_t>(packet.captured, kSnapLength));
}

// At most the first `limit` captured payload bytes.
inline Payload payload_of(const PayloadPacket& packet, std::size_t limit) {
  return Payload(packet.bytes).first(std::min({std::size_t{packet.captured}, kSnapLength, limit}));
}

// The first `limit` packets of a flow, or all.
inline std::span<const PayloadPacket> first_packets(const MeteredFlow& flow, std::size_t limit) {
  return flow.packets.first(std::min(flow.packets.size(), limit));
}

inline bool from_server(const PayloadPacket& packet) { return packet.direction == Direction::to_client; }
inline unsigned direction_index(const PayloadPacket& packet) { return from_server(packet) ? 1 : 0; }

// High half of a byte XOR its low half: 0..15.
constexpr unsigned fold_nibbles(std::uint8_t byte) { return (byte ^ (byte >> 4)) & 15U; }

// 0..255; remainder with the sign of the dividend, then brought above zero, as the original does.
constexpr unsigned hash8(std::int32_t value) {
  const int remainder = value % 251;
  return static_cast<unsigned>(remainder < 0 ? remainder + 256 : remainder);
}

// 0..12.
constexpr unsigned hash4(std::uint8_t byte) { return byte % 13U; }

// hash8(256 * high + low) of two small numbers: 256 is 5 modulo 251.
constexpr unsigned hash8_of_pair(unsigned high, unsigned low) { return (5 * high + low) % 251; }

// Class of a payload length on a scale that is linear in the logarithm: min(B - 1, floor(L^(ln B / ln 1500))) for B
// classes.
unsigned length_class_16(std::uint32_t length);
unsigned length_class_32(std::uint32_t length);
unsigned length_class_128(std::uint32_t length);

// The number of the last edge that is not above `value`. Requires: the first edge is 0, the others rise. Looks at all
// of them: with few edges that is faster than branches that are hard to predict.
template <class Number, std::size_t kSize>
unsigned class_by_edges(const std::array<Number, kSize>& edges, Number value) {
  unsigned found = 0;
  for (std::size_t i = 1; i < kSize; ++i) found += value >= edges[i] ? 1 : 0;
  return found;
}

// Coarse class of a length, 0..7; lower edges 0, 1, 40, 100, 200, 400, 800, 1300.
unsigned length_class_8(std::uint32_t length);

// Begins with the type and version of a TLS record.
inline bool starts_tls_record(Payload payload) {
  return payload.size() >= 3 && payload[0] >= 20 && payload[0] <= 23 && payload[1] == 3 && payload[2] <= 4;
}

}  // namespace spidd
