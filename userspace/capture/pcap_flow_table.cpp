// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Who is idle and who has to go.
#include "userspace/capture/pcap_flow_table.h"

namespace spidd {

PcapFlowTable::Slot PcapFlowTable::insert(const spidd_flow_key& key, std::uint64_t now_ns) {
  const Slot slot = table_.insert({key}, attempts);
  table_[slot].listed_ns = now_ns;
  return slot;
}

PcapFlowTable::Slot PcapFlowTable::older_of(List a, List b) const {
  const Slot first = table_.oldest(a);
  const Slot second = table_.oldest(b);
  if (first == kNone || second == kNone) return first == kNone ? second : first;
  return table_[second].listed_ns < table_[first].listed_ns ? second : first;
}

PcapFlowTable::Slot PcapFlowTable::victim() const {
  if (table_.size(closed) != 0) return table_.oldest(closed);
  const std::uint32_t unanswered = table_.size(attempts) + table_.size(tcp_attempts);
  const bool flooded = unanswered >= limit_ / 4 && unanswered != 0;
  const Slot slot = flooded ? older_of(attempts, tcp_attempts) : older_of(answered, tcp_answered);
  return slot != kNone ? slot : older_of(attempts, tcp_attempts);
}

PcapFlowTable::Slot PcapFlowTable::idle(std::uint64_t now_ns, const IdleLimits& limits) const {
  for (const List list : {closed, attempts, tcp_attempts, answered, tcp_answered}) {
    const Slot slot = table_.oldest(list);
    if (slot == kNone) continue;
    const std::uint64_t limit = list == attempts || list == answered ? limits.udp_ns : limits.tcp_ns;
    if (distance_ns(now_ns, table_[slot].flow.last_ns) > limit) return slot;
  }
  return kNone;
}

PcapFlowTable::Slot PcapFlowTable::open() const {
  const Slot slot = older_of(attempts, tcp_attempts);
  return slot != kNone ? slot : older_of(answered, tcp_answered);
}

}  // namespace spidd
