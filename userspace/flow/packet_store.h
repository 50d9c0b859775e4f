// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Payload packets of undecided flows, in chains of small blocks, so that a two-packet flow does not pay for twenty.
// Bounded; blocks of decided flows are used again. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "userspace/capture/packet_record.h"

namespace spidd {

class PacketStore {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr unsigned kBlockPackets = 4;
  static constexpr std::size_t kBlockBytes = kBlockPackets * sizeof(PayloadPacket) + 8;  // the link included

  // `limit`: blocks of kBlockPackets packets, kBlockBytes each.
  explicit PacketStore(std::uint32_t limit) : limit_(limit) {}

  // Appends to the chain that starts at `head` and has `stored` packets; `head` becomes the first block of a new chain
  // if it is kNone. False if the store is full: then nothing has changed.
  bool append(std::uint32_t& head, unsigned stored, const PayloadPacket& packet);

  // Copies the first `stored` packets of the chain into `out`; returns the part of `out` that was filled.
  std::span<const PayloadPacket> collect(std::uint32_t head, unsigned stored,
                                         std::array<PayloadPacket, kRecordLimit>& out) const;

  // Gives the chain back and sets `head` to kNone.
  void release(std::uint32_t& head);

  std::uint32_t blocks_in_use() const { return in_use_; }

 private:
  static constexpr std::uint32_t kChunk = 256;
  struct Block {
    std::array<PayloadPacket, kBlockPackets> packets;
    std::uint32_t next = kNone;
  };
  static_assert(sizeof(Block) == kBlockBytes);
  Block& block(std::uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  const Block& block(std::uint32_t slot) const { return chunks_[slot / kChunk][slot % kChunk]; }
  std::uint32_t take();

  std::uint32_t limit_;
  std::uint32_t in_use_ = 0;
  std::uint32_t next_unused_ = 0;
  std::uint32_t free_ = kNone;
  std::vector<std::unique_ptr<Block[]>> chunks_;
};

}  // namespace spidd
