// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of half bytes. "Folded" is the high half XOR the low half.
#include <cstring>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"
#include "userspace/spid/x86_intrinsics.h"

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
constexpr std::size_t kPositions = 2 * kRankedBytes;  // first the high halves, then the low ones

using Ranks = std::array<std::uint8_t, kPositions>;

// How many values were seen more often before, of the positions in the first `size` bytes.
void add_ranks(const Ranks& ranks, std::size_t size, MeterBins& bins) {
  for (std::size_t i = 0; i < size; ++i) {
    const auto base = static_cast<unsigned>(16 * i);
    bins.add(base + ranks[i]);
    bins.add(base + 8 + ranks[kRankedBytes + i]);
  }
}

// #31 with positions as lanes, as many at once as `Lanes` has.
template <class Lanes, class Add>
[[gnu::always_inline]] inline void rank_half_bytes(std::span<const PayloadPacket> packets, MeterBins& bins, Add add) {
  constexpr std::size_t kParts = kPositions / sizeof(Lanes);
  struct RankedPacket {
    Lanes values[kParts];  // half bytes
    Lanes seen[kParts];    // how often the value was seen so far; 0 if a later packet has the same
  };
  std::array<RankedPacket, kRankedPackets> ranked;
  std::size_t order = 0;
  for (const PayloadPacket& packet : packets) {
    const std::size_t size = payload_of(packet, kRankedBytes).size();
    const auto bytes = load_lanes<ByteLanes>(packet.bytes.data());
    const auto beyond = static_cast<ByteLanes>(kByteNumbers >= static_cast<std::uint8_t>(size));
    const std::array<ByteLanes, 2> halves = {bytes >> 4, bytes & 15};
    const std::array<ByteLanes, 2> without = {beyond, beyond};
    Ranks ranks;
    for (std::size_t part = 0; part < kParts; ++part) {
      const std::size_t first = part * sizeof(Lanes);
      Lanes absent;
      Lanes present;
      std::memcpy(&absent, reinterpret_cast<const std::uint8_t*>(without.data()) + first, sizeof(absent));
      std::memcpy(&present, reinterpret_cast<const std::uint8_t*>(halves.data()) + first, sizeof(present));
      const Lanes values = present | absent;  // like no half byte where absent
      Lanes seen{};                           // before this packet
      for (const RankedPacket& before : std::span(ranked).first(order)) {
        seen |= reinterpret_cast<Lanes>(before.values[part] == values) & before.seen[part];
      }
      Lanes rank{};
      for (RankedPacket& before : std::span(ranked).first(order)) {
        rank -= reinterpret_cast<Lanes>(before.seen[part] > seen);
        before.seen[part] &= reinterpret_cast<Lanes>(before.values[part] != values);
      }
      ranked[order].values[part] = values;
      ranked[order].seen[part] = (seen + 1) & ~absent;
      std::memcpy(ranks.data() + first, &rank, sizeof(rank));
    }
    if (order > 0) add(ranks, size, bins);
    ++order;
  }
}

#if defined(__x86_64__)
using PositionLanes __attribute__((vector_size(kPositions))) = std::uint8_t;

__attribute__((target("avx2"))) void rank_half_bytes_avx2(std::span<const PayloadPacket> packets, MeterBins& bins) {
  rank_half_bytes<PositionLanes>(packets, bins, add_ranks);
}

// A position has eight bins, so the eight of all positions are 64-bit lanes to which a shifted one is added.
__attribute__((target("avx2,avx512f,avx512vl"))) void add_ranks_avx512(const Ranks& ranks, std::size_t size,
                                                                       MeterBins& bins) {
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ranks.data()));
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ranks.data() + kRankedBytes));
  const __m128i in_turn[2] = {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};
  std::uint32_t present = size == kRankedBytes ? ~std::uint32_t{0} : (std::uint32_t{1} << 2 * size) - 1;
  std::uint8_t* to = bins.bytes();
  for (const __m128i all : in_turn) {
    for (const __m128i eight : {all, _mm_unpackhi_epi64(all, all)}) {
      const __m512i shifts = _mm512_slli_epi64(_mm512_cvtepu8_epi64(eight), 3);
      const __m512i ones = _mm512_maskz_sllv_epi64(static_cast<__mmask8>(present), _mm512_set1_epi64(1), shifts);
      _mm512_storeu_si512(to, _mm512_add_epi64(_mm512_loadu_si512(to), ones));
      to += sizeof(__m512i);
      present >>= 8;
    }
  }
}

__attribute__((target("avx2,avx512f,avx512vl"))) void rank_half_bytes_avx512(std::span<const PayloadPacket> packets,
                                                                             MeterBins& bins) {
  rank_half_bytes<PositionLanes>(packets, bins, add_ranks_avx512);
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
  if (flow.simd == Simd::avx512) return rank_half_bytes_avx512(packets, bins);
  if (flow.simd == Simd::avx2) return rank_half_bytes_avx2(packets, bins);
#endif
  rank_half_bytes<ByteLanes>(packets, bins, add_ranks);
}

}  // namespace spidd
