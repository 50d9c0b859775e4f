// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/strict_tails.h"

#include <algorithm>

namespace spidd {
namespace {

// The original's meters, by their numbers, and the packets that they count in.
enum Meter : unsigned {
  kByteFrequency = 3,
  kByteFrequencyOfFirstPacketBytes = 4,
  kDirectionByteFrequency = 9,
  kFirst4PacketsByteFrequency = 23
};
constexpr std::size_t kFrequencyPackets = 5;
constexpr std::size_t kFirstBytesPackets = 8;
constexpr std::size_t kOrderedPackets = 4;

constexpr std::size_t kFirstBytes = 100;  // of the payload (9), of the frame (4, 23)

std::span<const std::uint8_t> up_to(const PayloadTail& tail, std::size_t end) {
  return std::span(tail).first(end > kSnapLength ? std::min(tail.size(), end - kSnapLength) : 0);
}

}  // namespace

void add_tails(std::span<const PayloadPacket> packets, std::span<const PayloadTail> tails, AllBins& bins) {
  for (std::size_t i = 0; i < tails.size(); ++i) {
    if (i < kFrequencyPackets)
      for (const std::uint8_t byte : tails[i]) bins[kByteFrequency].add(byte);
    if (i >= kFirstBytesPackets) return;
    const unsigned half = packets[i].direction == Direction::to_client ? 128 : 0;
    for (const std::uint8_t byte : up_to(tails[i], kFirstBytes)) bins[kDirectionByteFrequency].add(half + byte % 128);
    const std::size_t frame_end = kFirstBytes - std::min<std::size_t>(kFirstBytes, packets[i].offset);
    for (const std::uint8_t byte : up_to(tails[i], frame_end)) {
      bins[kByteFrequencyOfFirstPacketBytes].add(byte);
      if (i < kOrderedPackets) bins[kFirst4PacketsByteFrequency].add(static_cast<unsigned>(byte % 64 + 64 * i));
    }
  }
}

}  // namespace spidd
