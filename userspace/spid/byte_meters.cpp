// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of byte values.
#include <bit>
#include <cstring>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"
#include "userspace/spid/x86_intrinsics.h"

namespace spidd {
namespace {

// The values of the bytes that the original's two meters of "the first 100 bytes" look at: by mistake it counts from
// the beginning of the frame. Corrected: the payload that records carry. `counts` is for counts that the flow lacks.
template <MeterRules kRules>
const ByteCounts& count_first_hundred_bytes(const MeteredFlow& flow, std::size_t packet, ByteCounts& counts) {
  if constexpr (kRules == MeterRules::strict) {
    constexpr std::size_t kFrameBytes = 100;
    const std::size_t offset = flow.packets[packet].offset;
    counts.fill(0);
    for (const std::uint8_t byte : payload_of(flow.packets[packet], offset < kFrameBytes ? kFrameBytes - offset : 0)) {
      ++counts[byte];
    }
    return counts;
  } else {
    return flow.byte_counts[packet];
  }
}

// Byte values modulo kValues.
template <std::size_t kValues>
std::array<std::uint8_t, kValues> fold_counts(const ByteCounts& counts) {
  std::array<std::uint8_t, kValues> folded{};
  for (std::size_t first = 0; first < counts.size(); first += kValues) {
    for (std::size_t i = 0; i < kValues; ++i) folded[i] = static_cast<std::uint8_t>(folded[i] + counts[first + i]);
  }
  return folded;
}

#if defined(__x86_64__)
constexpr unsigned kVectors = kBinsPerMeter / sizeof(__m512i);

// False, and nothing is stored, where a bin might need more than a byte. Requires: empty bins, saturated sums.
__attribute__((target("avx512f,avx512bw"))) bool store_unless_full(const __m512i (&sums)[kVectors], MeterBins& bins) {
  __m512i most = sums[0];
  for (unsigned v = 1; v < kVectors; ++v) most = _mm512_max_epu8(most, sums[v]);
  if (_mm512_cmpeq_epu8_mask(most, _mm512_set1_epi8(-1)) != 0) return false;
  for (unsigned v = 0; v < kVectors; ++v) _mm512_storeu_si512(bins.bytes() + sizeof(__m512i) * v, sums[v]);
  return true;
}

__attribute__((target("avx512f,avx512bw"))) bool add_byte_counts_avx512(std::span<const ByteCounts> packets,
                                                                        MeterBins& bins) {
  __m512i sums[kVectors];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (const ByteCounts& counts : packets) {
    for (unsigned v = 0; v < kVectors; ++v)
      sums[v] = _mm512_adds_epu8(sums[v], _mm512_loadu_si512(&counts[sizeof(__m512i) * v]));
  }
  return store_unless_full(sums, bins);
}

// The same of values modulo 128, by direction.
__attribute__((target("avx512f,avx512bw"))) bool add_folded_byte_counts_avx512(const MeteredFlow& flow,
                                                                               std::size_t packets, MeterBins& bins) {
  __m512i sums[kVectors];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < packets; ++i) {
    __m512i* half = &sums[direction_index(flow.packets[i]) * kVectors / 2];
    for (unsigned v = 0; v < kVectors; ++v) {
      const __m512i counts = _mm512_loadu_si512(&flow.byte_counts[i][sizeof(__m512i) * v]);
      half[v % 2] = _mm512_adds_epu8(half[v % 2], counts);
    }
  }
  return store_unless_full(sums, bins);
}
#endif

// All bytes of the records, those beyond the payload too. Packets in turn, because the next increment of the same
// counter would have to wait for the last.
template <class Packets>
void count_whole_records(const Packets& packets, std::span<ByteCounts> counts) {
  for (std::size_t i = 0; i < kSnapLength; ++i) {
    for (std::size_t p = 0; p < packets.size(); ++p) ++counts[p][packets[p].bytes[i]];
  }
}

// Values of all bytes of these packets.
void add_byte_counts([[maybe_unused]] const MeteredFlow& flow, std::span<const ByteCounts> packets, MeterBins& bins) {
#if defined(__x86_64__)
  if (flow.simd == Simd::avx512 && add_byte_counts_avx512(packets, bins)) return;
#endif
  bins.add_ranges(0, packets);
}

}  // namespace

void count_bytes(std::span<const PayloadPacket> packets, std::span<ByteCounts> counts) {
  std::fill_n(counts.begin(), packets.size(), ByteCounts{});
  if (packets.size() == kSharedPackets)
    count_whole_records(packets.first<kSharedPackets>(), counts);  // unrolled
  else
    count_whole_records(packets, counts);
  for (std::size_t p = 0; p < packets.size(); ++p) {
    const std::size_t beyond = kSnapLength - payload_of(packets[p]).size();
    counts[p][0] = static_cast<std::uint8_t>(counts[p][0] - beyond);
  }
}

// SPID 1.8 #3: byte values of the first five packets.
void measure_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  add_byte_counts(flow, flow.byte_counts.first(first_packets(flow, 5).size()), bins);
}

// SPID 1.8 #4: byte values at the beginning of the first eight packets.
template <MeterRules kRules>
void measure_byte_frequency_of_first_bytes(const MeteredFlow& flow, MeterBins& bins) {
  const std::size_t packets = first_packets(flow, 8).size();
  if constexpr (kRules == MeterRules::strict) {
    ByteCounts own;
    for (std::size_t i = 0; i < packets; ++i) bins.add_range(0, count_first_hundred_bytes<kRules>(flow, i, own));
  } else {
    add_byte_counts(flow, flow.byte_counts.first(packets), bins);
  }
}

template void measure_byte_frequency_of_first_bytes<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_byte_frequency_of_first_bytes<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #8: hash of value and offset of the first 32 bytes of the first four packets.
void measure_byte_value_offset_hash(const MeteredFlow& flow, MeterBins& bins) {
  constexpr std::size_t kBytes = 32;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    // hash8_of_pair() of all bytes at once: their sum is below 2 * 251, and 251 less is 5 more in a byte.
    std::array<std::uint8_t, kBytes> hashes;
    for (std::size_t first = 0; first < kBytes; first += sizeof(ByteLanes)) {
      const ByteLanes offsets = (kByteNumbers + static_cast<std::uint8_t>(first)) * 5;
      const ByteLanes sum = load_lanes<ByteLanes>(&packet.bytes[first]) + offsets;
      const auto is_above = static_cast<ByteLanes>((sum < offsets) | (sum >= 251));
      const ByteLanes hash = sum + (is_above & 5);
      std::memcpy(&hashes[first], &hash, sizeof(hash));
    }
    const std::size_t size = payload_of(packet, kBytes).size();
    for (std::size_t i = 0; i < size; ++i) bins.add(hashes[i]);
  }
}

// SPID 1.8 #9: byte values modulo 128 of the first eight packets, by direction.
void measure_direction_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  const std::size_t packets = first_packets(flow, 8).size();
#if defined(__x86_64__)
  if (flow.simd == Simd::avx512 && add_folded_byte_counts_avx512(flow, packets, bins)) return;
#endif
  for (std::size_t i = 0; i < packets; ++i) {
    bins.add_range(128 * direction_index(flow.packets[i]), fold_counts<128>(flow.byte_counts[i]));
  }
}

// SPID 1.8 #23: byte values modulo 64 of the first four packets, by order.
template <MeterRules kRules>
void measure_first4_byte_frequency(const MeteredFlow& flow, MeterBins& bins) {
  const std::size_t packets = first_packets(flow, 4).size();
  ByteCounts own;
  for (std::size_t i = 0; i < packets; ++i) {
    const ByteCounts& counts = count_first_hundred_bytes<kRules>(flow, i, own);
    bins.add_range(static_cast<unsigned>(64 * i), fold_counts<64>(counts));
  }
}

template void measure_first4_byte_frequency<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first4_byte_frequency<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

namespace {

constexpr unsigned kFarthest = 16;
constexpr unsigned kRepeatBytes = 32;

// For each of the first bytes of a packet the distance to the last equal one, from the farthest on, so that the nearest
// is what stays. The bits are those of bytes that have one.
unsigned find_repeats(const PayloadPacket& packet, std::array<std::uint8_t, kRepeatBytes>& distances) {
  // The mask leaves out bytes that have none so far before them.
  std::array<std::uint8_t, kFarthest + kRepeatBytes> line{};
  std::array<std::uint8_t, kFarthest + kRepeatBytes> present{};
  std::copy_n(packet.bytes.begin(), kRepeatBytes, line.begin() + kFarthest);
  std::fill_n(present.begin() + kFarthest, kRepeatBytes, std::uint8_t{0xff});
  unsigned near = 0;
  for (unsigned half = 0; half < kRepeatBytes; half += 16) {
    const auto bytes = load_lanes<ByteLanes>(&line[kFarthest + half]);
    ByteLanes nearest{};
    ByteLanes found{};
    for (unsigned distance = kFarthest; distance >= 1; --distance) {
      const unsigned at = kFarthest + half - distance;
      const auto equal =
          static_cast<ByteLanes>(bytes == load_lanes<ByteLanes>(&line[at])) & load_lanes<ByteLanes>(&present[at]);
      nearest = (nearest & ~equal) | (equal & static_cast<std::uint8_t>(distance));
      found |= equal;
    }
    std::memcpy(&distances[half], &nearest, sizeof(nearest));
    near |= bits_of(found) << half;
  }
  return near;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vl"))) unsigned find_repeats_avx512(
    const PayloadPacket& packet, std::array<std::uint8_t, kRepeatBytes>& distances) {
  std::array<std::uint8_t, kFarthest + kRepeatBytes> line{};
  std::copy_n(packet.bytes.begin(), kRepeatBytes, line.begin() + kFarthest);
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packet.bytes.data()));
  __m256i nearest = _mm256_setzero_si256();
  unsigned near = 0;
#pragma GCC unroll 16
  for (unsigned distance = kFarthest; distance >= 1; --distance) {
    const __m256i before = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&line[kFarthest - distance]));
    const __mmask32 equal = _mm256_mask_cmpeq_epi8_mask(~std::uint32_t{0} << distance, bytes, before);
    nearest = _mm256_mask_mov_epi8(nearest, equal, _mm256_set1_epi8(static_cast<char>(distance)));
    near |= equal;
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(distances.data()), nearest);
  return near;
}
#endif

}  // namespace

// SPID 1.8 #24: distance (1..16) from a byte to the last equal one in the first 32 bytes of the first four packets.
void measure_byte_reoccurring_distance(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    std::array<std::uint8_t, kRepeatBytes> distances;
#if defined(__x86_64__)
    unsigned near =
        flow.simd == Simd::avx512 ? find_repeats_avx512(packet, distances) : find_repeats(packet, distances);
#else
    unsigned near = find_repeats(packet, distances);
#endif
    near &= static_cast<unsigned>((std::uint64_t{1} << payload_of(packet, kRepeatBytes).size()) - 1);
    for (; near != 0; near &= near - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(near));
      bins.add(16 * hash4(packet.bytes[i]) + distances[i] - 1U);
    }
  }
}

}  // namespace spidd
