// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters that hash the first bytes of the first two packets.
#include <fmt/format.h>

#include <string_view>

#include "userspace/spid/meters.h"

namespace spidd {
namespace {

class Fnv1a {
 public:
  void add(std::uint8_t byte) { value_ = (value_ ^ byte) * 16777619U; }
  void add(std::string_view text) {
    for (const char c : text) add(static_cast<std::uint8_t>(c));
  }
  unsigned bin() const { return hash8(static_cast<std::int32_t>(value_)); }

 private:
  std::uint32_t value_ = 2166136261U;
};

// How many of the bytes fall in each of the 16 cells of hash4().
std::array<unsigned, 16> count_cells(Payload bytes) {
  std::array<unsigned, 16> cells{};
  for (const std::uint8_t byte : bytes) ++cells[hash4(byte)];
  return cells;
}

}  // namespace

// SPID 1.8 #12: hash of the first word of the first two packets and the direction. The original hashes the decimal text
// of as many bytes as make four characters; its string hash is not portable, FNV-1a stands for it under both rules.
template <MeterRules kRules>
void measure_first_words(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    Fnv1a hash;
    if constexpr (kRules == MeterRules::strict) {
      std::size_t characters = 0;
      for (const std::uint8_t byte : payload_of(packet)) {
        const fmt::format_int text(byte);
        hash.add(std::string_view(text.data(), text.size()));
        characters += text.size();
        if (characters >= 4) break;
      }
      hash.add(from_server(packet) ? "ServerToClient" : "ClientToServer");
    } else {
      for (const std::uint8_t byte : payload_of(packet, 4)) hash.add(byte);
      hash.add(static_cast<std::uint8_t>(direction_index(packet)));
    }
    bins.add(hash.bin());
  }
}

template void measure_first_words<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first_words<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #15: how many of the first 16 bytes of the first two packets fall in each of 16 hash cells.
template <MeterRules kRules>
void measure_first16_byte_hash_counts(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    const auto cells = count_cells(payload_of(packet, 16));
    for (unsigned cell = 0; cell < cells.size(); ++cell) {
      // In the original a count of 16 runs over into the cell beside.
      const unsigned count = kRules == MeterRules::strict ? cells[cell] : std::min(cells[cell], 15U);
      bins.add((cell << 4) ^ count);
    }
  }
}

template void measure_first16_byte_hash_counts<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_first16_byte_hash_counts<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #16: hashes of the first 3 bytes of the first two packets, with the packet's length.
void measure_first3_byte_hash_and_length(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    const unsigned length_class = length_class_16(packet.length);
    for (const std::uint8_t byte : payload_of(packet, 3)) bins.add(16 * hash4(byte) + length_class);
  }
}

// SPID 1.8 #17: how many of the first 8 bytes of the first two packets fall in each of 16 hash cells, by direction.
template <MeterRules kRules>
void measure_first8_byte_hash_direction_counts(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    const auto cells = count_cells(payload_of(packet, 8));
    const unsigned direction = from_server(packet) ? 0 : 8;
    for (unsigned cell = 0; cell < cells.size(); ++cell) {
      // In the original a count of 8 reads as the other direction.
      const unsigned count = kRules == MeterRules::strict ? cells[cell] : std::min(cells[cell], 7U);
      bins.add((cell << 4) ^ direction ^ count);
    }
  }
}

template void measure_first8_byte_hash_direction_counts<MeterRules::corrected>(const MeteredFlow&, MeterBins&);
template void measure_first8_byte_hash_direction_counts<MeterRules::strict>(const MeteredFlow&, MeterBins&);

}  // namespace spidd
