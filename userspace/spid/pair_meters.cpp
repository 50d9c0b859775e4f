// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of byte pairs. "Word": a pair at an even offset of the first 32 bytes, so 16 at most.
#include <bit>
#include <cstring>

#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"

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

// Whether each of the words is the first of its value.
unsigned first_of_their_value(const PayloadPacket& packet) {
  // Words that are 1 to 15 places apart are compared; the mask leaves out those that have none so far before them.
  constexpr Words kOnes = [] {
    Words ones;
    ones.fill(0xffff);
    return ones;
  }();
  std::array<std::uint16_t, 2 * kWords> line{};
  std::array<std::uint16_t, 2 * kWords> present{};
  std::memcpy(&line[kWords], packet.bytes.data(), sizeof(Words));
  std::copy_n(kOnes.begin(), kWords, present.begin() + kWords);

  const auto low = load_lanes<WordLanes>(&line[kWords]);
  const auto high = load_lanes<WordLanes>(&line[kWords + 8]);
  WordLanes low_repeated{};
  WordLanes high_repeated{};
  for (unsigned place = 1; place < kWords; ++place) {  // of the earlier word of a pair, less the later one's, plus 16
    const auto equal = [&](WordLanes words, unsigned at) {
      return static_cast<WordLanes>(words == load_lanes<WordLanes>(&line[at])) & load_lanes<WordLanes>(&present[at]);
    };
    low_repeated |= equal(low, place);
    high_repeated |= equal(high, place + 8);
  }
  return ~bits_of(low_repeated, high_repeated);
}

// The first bin of the 28 that #5 and #7 have for a packet and the direction of the packet before.
unsigned direction_pair_base(const PayloadPacket* before, const PayloadPacket& packet) {
  const unsigned previous = before == nullptr ? 0 : from_server(*before) ? 6 : 3;
  return 28 * (previous + (from_server(packet) ? 2 : 1));
}

}  // namespace

WordOverlap compare_words(const PayloadPacket* before, const PayloadPacket& packet) {
  if (before == nullptr) return {};
  const unsigned present = (1U << word_count(packet)) - 1;
  const unsigned recurring = found_among(packet, *before, word_count(*before)) & present;
  if (recurring == 0) return {};
  return {static_cast<std::uint16_t>(recurring), static_cast<std::uint16_t>(first_of_their_value(packet) & recurring)};
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
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    const Payload bytes = payload_of(packet, 17);
    for (std::size_t i = 1; i < bytes.size(); ++i) bins.add(hash8_of_pair(bytes[i - 1], bytes[i]));
  }
}

}  // namespace spidd
