// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of byte pairs. "Word": a pair at an even offset of the first 32 bytes, so 16 at most.
#include <cstring>

#include "userspace/spid/meters.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spidd {
namespace {

constexpr unsigned kWords = 16;

unsigned word_count(const PayloadPacket& packet) {
  return static_cast<unsigned>(payload_of(packet, 2 * kWords).size() / 2);
}

// Words in the byte order of the machine: good for comparing.
using Words = std::array<std::uint16_t, kWords>;

Words words_of(const PayloadPacket& packet) {
  Words words;
  std::memcpy(words.data(), packet.bytes.data(), sizeof(words));
  return words;
}

// Bit i: words[i] == value.
unsigned equal_words(const Words& words, std::uint16_t value) {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi16(static_cast<short>(value));
  const auto* vector = reinterpret_cast<const __m128i*>(words.data());
  const __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128(vector), wanted);
  const __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128(vector + 1), wanted);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
  unsigned mask = 0;
  for (unsigned i = 0; i < kWords; ++i) mask |= (words[i] == value ? 1U : 0U) << i;
  return mask;
#endif
}

// The first bin of the 28 that #5 and #7 have for a packet and the direction of the packet before.
unsigned direction_pair_base(const PayloadPacket* before, const PayloadPacket& packet) {
  const unsigned previous = before == nullptr ? 0 : from_server(*before) ? 6 : 3;
  return 28 * (previous + (from_server(packet) ? 2 : 1));
}

}  // namespace

WordOverlap compare_words(const PayloadPacket* before, const PayloadPacket& packet) {
  const unsigned count = word_count(packet);
  const unsigned before_mask = before == nullptr ? 0 : (1U << word_count(*before)) - 1;
  const Words words = words_of(packet);
  const Words before_words = before == nullptr ? Words{} : words_of(*before);
  WordOverlap overlap;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned recurring = (equal_words(before_words, words[i]) & before_mask) != 0 ? 1U : 0U;
    const unsigned distinct = (equal_words(words, words[i]) & ((1U << i) - 1)) == 0 ? 1U : 0U;
    overlap.recurring = static_cast<std::uint16_t>(overlap.recurring | recurring << i);
    overlap.distinct = static_cast<std::uint16_t>(overlap.distinct | distinct << i);
  }
  return overlap;
}

// SPID 1.8 #5: how many distinct words of a packet also occurred in the packet before, by both directions.
void measure_recurring_pair_count(const MeteredFlow& flow, MeterBins& bins) {
  const PayloadPacket* before = nullptr;
  for (std::size_t i = 0; i < flow.packets.size(); ++i) {
    const WordOverlap overlap = flow.overlaps[i];
    const unsigned recurring = overlap.recurring & overlap.distinct;
    bins.add(direction_pair_base(before, flow.packets[i]) + static_cast<unsigned>(std::popcount(recurring)));
    before = &flow.packets[i];
  }
}

// SPID 1.8 #6: hash of each distinct word that also occurred in the packet before.
void measure_recurring_pairs(const MeteredFlow& flow, MeterBins& bins) {
  for (std::size_t i = 0; i < flow.packets.size(); ++i) {
    const auto& bytes = flow.packets[i].bytes;
    for (unsigned words = flow.overlaps[i].recurring & flow.overlaps[i].distinct; words != 0; words &= words - 1) {
      const auto offset = 2 * static_cast<unsigned>(std::countr_zero(words));
      bins.add(hash8(bytes[offset] << 8 | bytes[offset + 1]));
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
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    const Payload bytes = payload_of(packet, 17);
    for (std::size_t i = 1; i < bytes.size(); ++i) bins.add(hash8(bytes[i - 1] << 8 | bytes[i]));
  }
}

}  // namespace spidd
