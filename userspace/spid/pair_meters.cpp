// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of byte pairs. "Word": a pair at an even offset of the first 32 bytes, so 16 at most.
#include <bit>
#include <cstring>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"
#include "userspace/spid/x86_intrinsics.h"

namespace spidd {
namespace {

constexpr unsigned kWords = 16;

unsigned word_count(const PayloadPacket& packet) {
  return static_cast<unsigned>(payload_of(packet, 2 * kWords).size() / 2);
}

// Words in the byte order of the machine: good for comparing.
using Words = std::array<std::uint16_t, kWords>;

// The 16 bits are for the words of `packet`: whether each is one of the first `count` of `others`. All are compared at
// once, with the others turned by one place each time.
unsigned found_among(const PayloadPacket& packet, const PayloadPacket& others, unsigned count) {
  if (count == 0) return 0;
  Words known;
  std::memcpy(known.data(), others.bytes.data(), sizeof(known));
  std::fill(known.begin() + count, known.end(), known[0]);
  std::array<std::uint16_t, 2 * kWords> ring;
  std::copy_n(known.begin(), kWords, ring.begin());
  std::copy_n(known.begin(), kWords, ring.begin() + kWords);

  const auto low = load_lanes<WordLanes>(packet.bytes.data());
  const auto high = load_lanes<WordLanes>(packet.bytes.data() + sizeof(WordLanes));
  WordLanes low_found{};
  WordLanes high_found{};
  for (unsigned turn = 0; turn < kWords; ++turn) {
    const auto turned = load_lanes<WordLanes>(&ring[turn]);
    low_found |= static_cast<WordLanes>(low == turned);
    high_found |= static_cast<WordLanes>(high == turned);
  }
  return bits_of(low_found, high_found);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) unsigned found_among_avx2(const PayloadPacket& packet, const PayloadPacket& others,
                                                          unsigned count) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packet.bytes.data()));
  __m256i found = _mm256_setzero_si256();
  for (unsigned i = 0; i < count; ++i) {
    std::int16_t other;
    std::memcpy(&other, &others.bytes[2 * i], sizeof(other));
    found = _mm256_or_si256(found, _mm256_cmpeq_epi16(words, _mm256_set1_epi16(other)));
  }
  const __m128i packed = _mm_packs_epi16(_mm256_castsi256_si128(found), _mm256_extracti128_si256(found, 1));
  return static_cast<unsigned>(_mm_movemask_epi8(packed));
}
#endif

// Those of `words` that are the first of their value. Requires: with a word, all later ones of its value.
unsigned first_of_their_value(const PayloadPacket& packet, unsigned words) {
  const auto low = load_lanes<WordLanes>(packet.bytes.data());
  const auto high = load_lanes<WordLanes>(packet.bytes.data() + sizeof(WordLanes));
  unsigned first = 0;
  while (words != 0) {
    const auto i = static_cast<unsigned>(std::countr_zero(words));
    std::uint16_t value;
    std::memcpy(&value, &packet.bytes[2 * i], sizeof(value));
    first |= 1U << i;
    words &= ~bits_of(static_cast<WordLanes>(low == value), static_cast<WordLanes>(high == value));
  }
  return first;
}

// The first bin of the 28 that #5 and #7 have for a packet and the direction of the packet before.
unsigned direction_pair_base(const PayloadPacket* before, const PayloadPacket& packet) {
  const unsigned previous = before == nullptr ? 0 : from_server(*before) ? 6 : 3;
  return 28 * (previous + (from_server(packet) ? 2 : 1));
}

}  // namespace

WordOverlap compare_words(const PayloadPacket* before, const PayloadPacket& packet, Simd simd) {
  if (before == nullptr) return {};
#if defined(__x86_64__)
  const auto found = simd == Simd::scalar ? found_among : found_among_avx2;
#else
  static_cast<void>(simd);
  const auto found = found_among;
#endif
  const unsigned present = (1U << word_count(packet)) - 1;
  const unsigned recurring = found(packet, *before, word_count(*before)) & present;
  return {static_cast<std::uint16_t>(recurring), static_cast<std::uint16_t>(first_of_their_value(packet, recurring))};
}

// SPID 1.8 #5: how many distinct words of a packet also occurred in the packet before, by both directions.
void measure_recurring_pair_count(const MeteredFlow& flow, MeterBins& bins) {
  const PayloadPacket* before = nullptr;
  for (std::size_t i = 0; i < flow.packets.size(); ++i) {
    const auto recurring = static_cast<unsigned>(std::popcount(flow.overlaps[i].distinct));
    bins.add(direction_pair_base(before, flow.packets[i]) + recurring);
    before = &flow.packets[i];
  }
}

// SPID 1.8 #6: hash of each distinct word that also occurred in the packet before.
void measure_recurring_pairs(const MeteredFlow& flow, MeterBins& bins) {
  for (std::size_t i = 0; i < flow.packets.size(); ++i) {
    const auto& bytes = flow.packets[i].bytes;
    for (unsigned words = flow.overlaps[i].distinct; words != 0; words &= words - 1) {
      const auto offset = 2 * static_cast<unsigned>(std::countr_zero(words));
      bins.add(hash8_of_pair(bytes[offset], bytes[offset + 1]));
    }
  }
}

// SPID 1.8 #7: index of each word that also occurred in the packet before, by both directions.
void measure_recurring_pair_offsets(const MeteredFlow& flow, MeterBins& bins) {
  const PayloadPacket* before = nullptr;
  for (std::size_t i = 0; i < flow.packets.size(); ++i) {
    const unsigned base = direction_pair_base(before, flow.packets[i]);
    for (unsigned words = flow.overlaps[i].recurring; words != 0; words &= words - 1) {
      bins.add(base + static_cast<unsigned>(std::countr_zero(words)));
    }
    before = &flow.packets[i];
  }
}

// SPID 1.8 #25: hashes of the 16 overlapping byte pairs that begin the first four packets.
void measure_first16_byte_pairs(const MeteredFlow& flow, MeterBins& bins) {
  constexpr std::size_t kPairs = 16;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    // hash8_of_pair() of all pairs at once; 256 is 5 modulo 251 once more.
    std::array<std::uint16_t, kPairs> hashes;
    for (std::size_t first = 0; first < kPairs; first += 8) {
      const WordLanes pair = widen_lanes(&packet.bytes[first]) * 5 + widen_lanes(&packet.bytes[first + 1]);
      WordLanes hash = (pair & 0xff) + (pair >> 8) * 5;
      hash -= static_cast<WordLanes>(hash >= 251) & 251;
      std::memcpy(&hashes[first], &hash, sizeof(hash));
    }
    const std::size_t bytes = payload_of(packet, kPairs + 1).size();
    for (std::size_t i = 1; i < bytes; ++i) bins.add(hashes[i - 1]);
  }
}

}  // namespace spidd
