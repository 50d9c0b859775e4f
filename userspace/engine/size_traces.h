// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sizes of flows that are getting a second look: a small table of its own, so that no other flow pays for it. Where
// it is full, the flow that was silent for longest makes room. Not thread-safe.
#pragma once

#include <array>
#include <span>

#include "userspace/base/lru_table.h"
#include "userspace/spid/tunnel_sizes.h"

namespace spidd {

// The first payload packets of one flow.
class SizeTrace {
 public:
  void add(const PayloadPacket& packet) {
    if (count_ < sizes_.size()) sizes_[count_++] = packet_size(packet);
  }
  std::span<const PacketSize> sizes() const { return {sizes_.data(), count_}; }

 private:
  std::array<PacketSize, kSizesLimit> sizes_{};
  std::uint32_t count_ = 0;
};

class SizeTraces {
 public:
  // What a flow takes, index included, in a full table.
  static constexpr std::size_t kBytesPerFlow = LruTable<FlowKey, SizeTrace>::bytes_per_entry();
  static_assert(kBytesPerFlow <= 1024);

  // 0: none.
  explicit SizeTraces(std::uint32_t limit) : limit_(limit), table_(limit == 0 ? 1 : limit) {}

  std::uint32_t limit() const { return limit_; }
  std::uint32_t size() const { return table_.size(); }
  bool full() const { return table_.full(); }

  // The flow that was silent for longest. Requires: size() > 0.
  const FlowKey& oldest() const { return table_.key(table_.oldest(0)); }

  // Requires: there is none of this flow, and the table is not full.
  SizeTrace& begin(const FlowKey& key) { return table_[table_.insert(key)]; }

  // nullptr if there is none. Counts as a sign of life.
  SizeTrace* find(const FlowKey& key) {
    const auto slot = table_.find(key);
    if (slot == table_.kNone) return nullptr;
    table_.touch(slot, 0);
    return &table_[slot];
  }

  void forget(const FlowKey& key) {
    const auto slot = table_.find(key);
    if (slot != table_.kNone) table_.erase(slot);
  }

 private:
  std::uint32_t limit_;
  LruTable<FlowKey, SizeTrace> table_;
};

}  // namespace spidd
