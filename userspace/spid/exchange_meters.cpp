// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters that compare a packet with an earlier one.
#include "userspace/spid/lanes.h"
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

constexpr std::size_t kTriad = 3;

// The first three bytes of what one side said, or fewer: then zeros follow, which no hash sees.
struct Triad {
  std::array<std::uint8_t, kTriad> bytes{};
  std::size_t size = 0;

  static Triad of(const PayloadPacket& packet) {
    Triad triad;
    std::copy_n(packet.bytes.begin(), kTriad, triad.bytes.begin());
    triad.size = payload_of(packet, kTriad).size();
    return triad;
  }
  // Adds `start`, `start` + 1, ... to the bytes, or subtracts them.
  void shift(unsigned start, bool up) {
    for (std::size_t i = 0; i < kTriad; ++i) {
      const auto step = static_cast<unsigned>(start + i);
      const unsigned shifted = up ? bytes[i] + step : bytes[i] - step;
      bytes[i] = i < size ? static_cast<std::uint8_t>(shifted) : std::uint8_t{0};
    }
  }
};

// hash8() of both byte strings in a row: byte i is shifted left by 3 i.
unsigned hash_pair(const Triad& action, const Triad& reaction) {
  const auto collect = [](const Triad& triad) { return triad.bytes[0] ^ triad.bytes[1] << 3 ^ triad.bytes[2] << 6; };
  return hash8(collect(action) ^ collect(reaction) << (3 * action.size));
}

// By direction of the reaction: the low bytes of the hashes that 32-bit .NET gave to four words.
constexpr std::array<std::array<unsigned, 2>, 2> kMutations = {{{169, 206}, {217, 102}}};

// How many of the first `limit` bytes of two packets to compare. The original reads on beyond a short payload; records
// hold zeros there.
template <MeterRules kRules>
std::size_t comparable_bytes(const PayloadPacket& one, const PayloadPacket& other, std::size_t limit) {
  if constexpr (kRules == MeterRules::strict) {
    return limit;
  } else {
    return std::min(payload_of(one, limit).size(), payload_of(other, limit).size());
  }
}

}  // namespace

// SPID 1.8 #1: hash of the first 3 bytes of what one side said and of what the other answered, plus two hashes of
// changed bytes (several hashes spread a collision); the first five changes of speaker.
template <MeterRules kRules>
void measure_action_reaction(const MeteredFlow& flow, MeterBins& bins) {
  constexpr unsigned kTurns = 5;
  std::array<Triad, 2> said{};
  unsigned turns = 0;
  const PayloadPacket* before = nullptr;
  for (const PayloadPacket& packet : flow.packets) {
    if (before == nullptr || before->direction != packet.direction) {
      const unsigned side = direction_index(packet);
      said[side] = Triad::of(packet);
      Triad action = said[1 - side];
      Triad reaction = said[side];
      bins.add(hash_pair(action, reaction));
      for (const unsigned mutation : kMutations[side]) {
        action.shift(mutation, true);
        reaction.shift(mutation, false);
        bins.add(hash_pair(action, reaction));
      }
      if constexpr (kRules == MeterRules::strict) {
        // The original changes what it remembers, not copies.
        said[1 - side] = action;
        said[side] = reaction;
      }
      if (++turns == kTurns) return;
    }
    before = &packet;
  }
}

template void measure_action_reaction<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_action_reaction<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #18: differences of the first 5 bytes between the first and second packet of each direction.
template <MeterRules kRules>
void measure_first5_byte_differences(const MeteredFlow& flow, MeterBins& bins) {
  std::array<const PayloadPacket*, 2> first{};
  std::array<bool, 2> done{};
  for (const PayloadPacket& packet : flow.packets) {
    const unsigned side = direction_index(packet);
    if (first[side] == nullptr) {
      first[side] = &packet;
    } else if (!done[side]) {
      done[side] = true;
      const std::size_t size = comparable_bytes<kRules>(*first[side], packet, 5);
      for (std::size_t i = 0; i < size; ++i) {
        const int difference = std::abs(first[side]->bytes[i] - packet.bytes[i]);
        bins.add(128 * side + static_cast<unsigned>(std::min(127, difference)));
      }
    } else if (done[1 - side]) {
      return;
    }
  }
}

template void measure_first5_byte_differences<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first5_byte_differences<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #26: hash of which of the first 32 bytes equal those of the packet before; packets 1 to 3.
template <MeterRules kRules>
void measure_first32_byte_equality(const MeteredFlow& flow, MeterBins& bins) {
  const PayloadPacket* before = nullptr;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    if (before != nullptr) {
      const std::size_t size = comparable_bytes<kRules>(*before, packet, 32);
      const auto equal_from = [&](std::size_t first) {
        return bits_of(static_cast<ByteLanes>(load_lanes<ByteLanes>(&before->bytes[first]) ==
                                              load_lanes<ByteLanes>(&packet.bytes[first])));
      };
      const std::uint32_t equal = equal_from(0) | equal_from(16) << 16;
      const auto comparable = static_cast<std::uint32_t>((std::uint64_t{1} << size) - 1);
      bins.add(hash8(static_cast<std::int32_t>(equal & comparable)));
    }
    before = &packet;
  }
}

template void measure_first32_byte_equality<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first32_byte_equality<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

}  // namespace spidd
