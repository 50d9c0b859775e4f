// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel's map `flows`, for capture files: entries of struct spidd_flow under struct spidd_flow_key, bounded, with
// an order that says which flow is idle and which has to go when the table is full. What the entries mean is
// bpf/flow.h's affair.
#pragma once

#include <cstdint>

#include "bpf/flow.h"
#include "userspace/base/lru_table.h"
#include "userspace/capture/flow_hash.h"

namespace spidd {

struct PcapFlowKey {
  spidd_flow_key key{};

  bool operator==(const PcapFlowKey& other) const { return std::memcmp(&key, &other.key, sizeof key) == 0; }
};

}  // namespace spidd

template <>
struct std::hash<spidd::PcapFlowKey> {
  std::size_t operator()(const spidd::PcapFlowKey& key) const noexcept {
    std::uint64_t rest;
    std::memcpy(&rest, &key.key.port_lo, sizeof rest);
    static_assert(offsetof(spidd_flow_key, port_lo) + sizeof rest == sizeof(spidd_flow_key));
    return spidd::flow_hash(key.key.lo.bytes, key.key.hi.bytes, rest);
  }
};

namespace spidd {

struct IdleLimits {
  std::uint64_t udp_ns;  // UDP and ICMP
  std::uint64_t tcp_ns;
};

// Distance in either direction: the clock of a capture may jump back, and a flow far in the future is idle too.
inline std::uint64_t distance_ns(std::uint64_t a, std::uint64_t b) { return a < b ? b - a : a - b; }

// Not thread-safe. Invariant: every flow stands in the list that its flags and protocol say, as of its last seen(), at
// most kRelistAfter behind its last packet.
class PcapFlowTable {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot kNone = LruTable<PcapFlowKey, spidd_flow>::kNone;

  // Requires: 0 < limit < kNone.
  explicit PcapFlowTable(std::uint32_t limit) : limit_(limit), table_(limit) {}

  std::uint32_t size() const { return table_.size(); }
  bool full() const { return table_.full(); }

  Slot find(const spidd_flow_key& key) const { return table_.find({key}); }
  spidd_flow& operator[](Slot slot) { return table_[slot].flow; }
  const spidd_flow& operator[](Slot slot) const { return table_[slot].flow; }
  const spidd_flow_key& key(Slot slot) const { return table_.key(slot).key; }

  // Adds a zeroed entry. Requires: !full() and the key is not in the table. seen() must follow.
  Slot insert(const spidd_flow_key& key, std::uint64_t now_ns);
  void erase(Slot slot) { table_.erase(slot); }

  // Keeps the order: call after every change of the entry. Cheap unless the flow changed its list or was silent.
  void seen(Slot slot, std::uint64_t now_ns) {
    Entry& entry = table_[slot];
    const List list = list_of(entry.flow, table_.key(slot).key);
    if (list == table_.list(slot) && distance_ns(now_ns, entry.listed_ns) < kRelistAfter) return;
    table_.touch(slot, list);
    entry.listed_ns = now_ns;
  }

  // The flow to give up for a new one: closed flows first; then one that was never answered, as long as these fill a
  // quarter of the table, so that a flood of attempts evicts itself and not the established; then the longest silent.
  // Requires: size() > 0.
  Slot victim() const;

  // A flow that has been silent for longer than its limit, or none.
  Slot idle(std::uint64_t now_ns, const IdleLimits& limits) const;

  // Any flow whose end was not reported, longest silent first; or none.
  Slot open() const;

 private:
  enum List : unsigned { closed, attempts, tcp_attempts, answered, tcp_answered, kLists };
  static constexpr std::uint64_t kRelistAfter = 1'000'000'000;

  struct Entry {
    spidd_flow flow{};
    std::uint64_t listed_ns = 0;
  };

  static List list_of(const spidd_flow& flow, const spidd_flow_key& key) {
    if ((flow.flags & SPIDD_FLOW_END_SENT) != 0) return closed;
    const unsigned tcp = key.protocol == SPIDD_PROTOCOL_TCP ? 1 : 0;
    return static_cast<List>(((flow.flags & SPIDD_FLOW_ANSWERED) != 0 ? answered : attempts) + tcp);
  }
  Slot older_of(List a, List b) const;

  std::uint32_t limit_;
  LruTable<PcapFlowKey, Entry, kLists> table_;
};

}  // namespace spidd
