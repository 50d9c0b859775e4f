// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of bit values. Bits are numbered from the least significant of each byte, as in the original.
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

// Counts of one byte's bits over several packets: zero and set, bit by bit, eight at a time.
struct BitCounts {
  std::uint64_t set = 0;
  unsigned packets = 0;
};

constexpr unsigned kPositions = 16;  // bytes of #27 and #29: 128 bits, set in bins 0..127, clear in 128..255

void count_bits(Payload bytes, std::array<BitCounts, kPositions>& counts) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    counts[i].set += spread_bits(bytes[i]);
    ++counts[i].packets;
  }
}

void add_bits(const std::array<BitCounts, kPositions>& counts, MeterBins& bins) {
  for (unsigned i = 0; i < kPositions; ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const unsigned set = spread_count(counts[i].set, bit);
      bins.add(8 * i + bit, set);
      bins.add(128 + 8 * i + bit, counts[i].packets - set);
    }
  }
}

}  // namespace

// SPID 1.8 #2: share of zeros at each bit of the first 32 bytes, in sixteenths, by direction; first eight packets.
void measure_byte_bit_value(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    const Payload bytes = payload_of(packet, 32);
    if (bytes.empty()) continue;
    std::uint64_t set = 0;
    for (const std::uint8_t byte : bytes) set += spread_bits(byte);
    const auto size = static_cast<unsigned>(bytes.size());
    for (unsigned bit = 0; bit < 8; ++bit) {
      const unsigned zeros = size - spread_count(set, bit);
      bins.add(16 * (8 * direction_index(packet) + bit) + zeros * 15 / size);
    }
  }
}

// SPID 1.8 #13: every bit of the first 8 bytes of the first two packets, by order.
void measure_first2_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  unsigned base = 0;
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    unsigned position = base;
    for (const std::uint8_t byte : payload_of(packet, 8)) {
      for (unsigned bit = 0; bit < 8; ++bit) bins.add(position++ + ((byte >> bit & 1) != 0 ? 0 : 64));
    }
    base += 128;
  }
}

// SPID 1.8 #27: every bit of the first 16 bytes of the first eight packets.
void measure_first_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  std::array<BitCounts, kPositions> counts{};
  for (const PayloadPacket& packet : first_packets(flow, 8)) count_bits(payload_of(packet, kPositions), counts);
  add_bits(counts, bins);
}

// SPID 1.8 #29: the same of the server's first packet only.
void measure_first_server_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  const auto first = std::find_if(flow.packets.begin(), flow.packets.end(), from_server);
  if (first == flow.packets.end()) return;
  std::array<BitCounts, kPositions> counts{};
  count_bits(payload_of(*first, kPositions), counts);
  add_bits(counts, bins);
}

}  // namespace spidd
