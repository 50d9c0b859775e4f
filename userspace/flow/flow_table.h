// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The flows one worker follows. Three lists bound the memory and decide who goes first: a flood of connection attempts
// (embryonic) can never push out flows that were answered, and undecided flows outlive decided ones.
#pragma once

#include "userspace/base/lru_table.h"
#include "userspace/flow/flow.h"

namespace spidd {

class FlowTable {
  using Table = LruTable<FlowKey, Flow, 3, &Flow::key>;

 public:
  using Slot = Table::Slot;
  static constexpr Slot kNone = Table::kNone;

  // What a flow takes beside its stored packets, links and index included, in a full table.
  static constexpr std::size_t kBytesPerFlow = Table::bytes_per_entry();
  static_assert(kBytesPerFlow <= 128);

  enum List : unsigned {
    embryonic,  // payload of one direction only
    undecided,  // payload of both directions, still storing packets
    decided,    // final verdict
  };
  static constexpr unsigned kLists = 3;

  struct Limits {
    std::uint32_t flows = 131072;
    std::uint32_t embryonic = 32768;
  };

  explicit FlowTable(Limits limits) : limits_(limits), table_(limits.flows) {}

  Slot find(const FlowKey& key) const { return table_.find(key); }

  // The flow that must be erased before create() may be called; kNone if there is room.
  Slot victim() const {
    if (table_.size(embryonic) >= limits_.embryonic) return table_.oldest(embryonic);
    if (!table_.full()) return kNone;
    for (const List list : {embryonic, decided, undecided})
      if (table_.oldest(list) != kNone) return table_.oldest(list);
    return kNone;
  }

  // Requires: victim() == kNone and the key is not in the table.
  Slot create(const FlowKey& key) { return table_.insert(key, embryonic); }
  void erase(Slot slot) { table_.erase(slot); }
  void touch(Slot slot, List list) { table_.touch(slot, list); }

  Flow& operator[](Slot slot) { return table_[slot]; }
  const Flow& operator[](Slot slot) const { return table_[slot]; }
  List list(Slot slot) const { return static_cast<List>(table_.list(slot)); }
  std::uint32_t size() const { return table_.size(); }
  std::uint32_t size(List list) const { return table_.size(list); }
  Slot oldest(List list) const { return table_.oldest(list); }
  Slot newer(Slot slot) const { return table_.newer(slot); }

 private:
  Limits limits_;
  Table table_;
};

}  // namespace spidd
