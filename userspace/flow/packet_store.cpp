// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/flow/packet_store.h"

#include <algorithm>

namespace spidd {

std::uint32_t PacketStore::take() {
  if (free_ != kNone) {
    const std::uint32_t slot = free_;
    free_ = block(slot).next;
    block(slot).next = kNone;
    ++in_use_;
    return slot;
  }
  if (next_unused_ >= limit_) return kNone;
  if (next_unused_ / kChunk >= chunks_.size()) chunks_.push_back(std::make_unique<Block[]>(kChunk));
  ++in_use_;
  return next_unused_++;
}

bool PacketStore::append(std::uint32_t& head, unsigned stored, const PayloadPacket& packet) {
  if (stored % kBlockPackets != 0) {
    std::uint32_t last = head;
    while (block(last).next != kNone) last = block(last).next;
    block(last).packets[stored % kBlockPackets] = packet;
    return true;
  }
  const std::uint32_t fresh = take();
  if (fresh == kNone) return false;
  block(fresh).packets[0] = packet;
  if (head == kNone) {
    head = fresh;
    return true;
  }
  std::uint32_t last = head;
  while (block(last).next != kNone) last = block(last).next;
  block(last).next = fresh;
  return true;
}

std::span<const PayloadPacket> PacketStore::collect(std::uint32_t head, unsigned stored,
                                                    std::array<PayloadPacket, kRecordLimit>& out) const {
  unsigned copied = 0;
  for (std::uint32_t slot = head; slot != kNone && copied < stored; slot = block(slot).next) {
    const unsigned count = std::min(kBlockPackets, stored - copied);
    std::copy_n(block(slot).packets.begin(), count, out.begin() + copied);
    copied += count;
  }
  return {out.data(), copied};
}

void PacketStore::release(std::uint32_t& head) {
  while (head != kNone) {
    const std::uint32_t next = block(head).next;
    block(head).next = free_;
    free_ = head;
    head = next;
    --in_use_;
  }
}

}  // namespace spidd
