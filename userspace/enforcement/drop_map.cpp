// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Translation of block targets into map keys and back, and the order in which packets may see a change.
#include "userspace/enforcement/drop_map.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <bitset>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <type_traits>
#include <utility>
#include <variant>

#include "bpf/abi.h"
#include "userspace/capture/record_decoder.h"

namespace spidd {
namespace {

static_assert(BlockList::kMaxSlots == SPIDD_MAX_DROP_SLOTS);

using SlotSet = std::bitset<SPIDD_MAX_DROP_SLOTS>;
using AnyKey = std::variant<spidd_flow_key, spidd_endpoint_key, spidd_prefix_key>;

spidd_addr abi_address(const IpAddress& address) {
  spidd_addr raw;
  std::memcpy(raw.bytes, address.bytes.data(), sizeof raw.bytes);
  return raw;
}

IpAddress address_of(const spidd_addr& raw) {
  IpAddress address;
  std::memcpy(address.bytes.data(), raw.bytes, sizeof raw.bytes);
  return address;
}

bool is_single_host(const HostTarget& host) { return host.prefix.length == 128; }

spidd_prefix_key prefix_key(const IpPrefix& prefix) { return {prefix.length, abi_address(prefix.address)}; }

struct KeyMaker {
  AnyKey operator()(const FlowTarget& flow) const { return abi_key(flow.key); }
  AnyKey operator()(const EndpointTarget& endpoint) const {
    return spidd_endpoint_key{abi_address(endpoint.address), htons(endpoint.port),
                              static_cast<std::uint8_t>(endpoint.transport), 0, 0};
  }
  AnyKey operator()(const HostTarget& host) const {
    if (is_single_host(host)) return spidd_endpoint_key{abi_address(host.prefix.address), 0, 0, 0, 0};
    return prefix_key(host.prefix);
  }
};

int table_of(const DropMapHandles& maps, const AnyKey& key) {
  const std::array<int, 3> tables = {maps.drop_flow, maps.drop_endpoint, maps.drop_prefix};
  return tables[key.index()];
}

const void* bytes_of(const AnyKey& key) {
  return std::visit([](const auto& each) -> const void* { return &each; }, key);
}

BlockTarget target_of(const spidd_flow_key& key) { return FlowTarget{flow_key(key)}; }
BlockTarget target_of(const spidd_prefix_key& key) { return HostTarget{{address_of(key.addr), key.length}}; }
BlockTarget target_of(const spidd_endpoint_key& key) {
  if (key.port == 0 && key.protocol == 0) return HostTarget{IpPrefix::of_host(address_of(key.addr))};
  return EndpointTarget{address_of(key.addr), ntohs(key.port), static_cast<Transport>(key.protocol)};
}

// Every key of a map. An entry that is deleted meanwhile would start it anew: nobody else writes these maps.
template <class Key>
std::vector<Key> all_keys(int map) {
  std::vector<Key> keys;
  Key key;
  for (const void* previous = nullptr; bpf_map_get_next_key(map, previous, &key) == 0; previous = &keys.back()) {
    keys.push_back(key);
  }
  return keys;
}

std::uint64_t expiry_ns(const Block& block, Timestamp now) {
  const Duration left = std::max(block.expires - now, Duration::zero());
  return coarse_now_ns() + static_cast<std::uint64_t>(left.count());
}

template <class Key>
void collect_entries(int map, Timestamp now, std::vector<Block>& blocks) {
  const std::uint64_t coarse_now = coarse_now_ns();
  for (const Key& key : all_keys<Key>(map)) {
    spidd_drop_entry entry;
    if (bpf_map_lookup_elem(map, &key, &entry) != 0) continue;
    Block block;
    block.slot = entry.slot;
    block.target = target_of(key);
    block.since = now;
    block.expires = now + (Duration(entry.expires_ns) - Duration(coarse_now));
    block.rule = "recovered";
    block.rule_number = static_cast<std::uint16_t>(entry.reason);
    blocks.push_back(std::move(block));
  }
}

template <class T>
void store(T& shared, T value) {
  __atomic_store_n(&shared, value, __ATOMIC_RELEASE);
}

}  // namespace

Result<DropMap> DropMap::open(const DropMapHandles& maps, const std::string& state_directory) {
  auto journal = BlockJournal::open(state_directory + "/blocks.jsonl");
  if (!journal) return tl::unexpected(journal.error());
  return DropMap(maps, *std::move(journal));
}

Result<std::vector<Block>> DropMap::load_existing(Timestamp now) {
  auto entries = read_entries(now);
  if (!entries) return entries;

  // The kernel's expiry is the true one while it runs; the journal knows why. Two entries with one slot (of a run that
  // was killed between two changes) cannot both keep it.
  auto taken = std::make_unique<SlotSet>();
  taken->set(0);
  std::vector<Block> active;
  std::vector<Block> without_slot;
  std::set<BlockTarget> in_kernel;
  for (Block& block : *entries) {
    ++count_of(block.target);
    if (block.expires <= now) {
      if (auto erased = erase_entry(block.target); !erased) return tl::unexpected(erased.error());
      continue;
    }
    if (const Block* known = journal_.find(block.target)) {
      block.since = known->since;
      block.rule = known->rule;
      block.label = known->label;
    }
    in_kernel.insert(block.target);
    const bool has_slot = block.slot < taken->size() && !taken->test(block.slot);
    if (has_slot) taken->set(block.slot);
    (has_slot ? active : without_slot).push_back(std::move(block));
  }
  for (Block& block : journal_.blocks()) {
    if (in_kernel.contains(block.target)) continue;
    if (block.expires <= now) {
      note_journal(journal_.remove(block.target));
    } else {
      without_slot.push_back(std::move(block));
    }
  }

  std::uint32_t slot = 0;
  for (Block& block : without_slot) {
    while (slot < taken->size() && taken->test(slot)) ++slot;
    if (slot == taken->size()) break;
    taken->set(slot);
    block.slot = slot;
    if (auto zeroed = zero_hits(slot); !zeroed) return tl::unexpected(zeroed.error());
    // A table that has become too small by a changed setting: what does not fit is no longer blocked.
    if (!write_entry(block, now)) {
      note_journal(journal_.remove(block.target));
      continue;
    }
    active.push_back(std::move(block));
  }
  for (const Block& block : active) note_journal(journal_.add(block));
  publish();
  return active;
}

Result<std::vector<Block>> DropMap::read_entries(Timestamp now) {
  std::vector<Block> blocks;
  collect_entries<spidd_flow_key>(maps_.drop_flow, now, blocks);
  collect_entries<spidd_endpoint_key>(maps_.drop_endpoint, now, blocks);
  collect_entries<spidd_prefix_key>(maps_.drop_prefix, now, blocks);
  return blocks;
}

std::uint32_t& DropMap::count_of(const BlockTarget& target) {
  if (std::holds_alternative<FlowTarget>(target)) return counts_.flows;
  if (std::holds_alternative<EndpointTarget>(target)) return counts_.endpoints;
  return is_single_host(std::get<HostTarget>(target)) ? counts_.hosts : counts_.prefixes;
}

Result<bool> DropMap::write_entry(const Block& block, Timestamp now) {
  const AnyKey key = std::visit(KeyMaker{}, block.target);
  const spidd_drop_entry entry{expiry_ns(block, now), block.slot, block.rule_number};
  spidd_drop_entry old;
  const bool is_new = bpf_map_lookup_elem(table_of(maps_, key), bytes_of(key), &old) != 0;
  if (bpf_map_update_elem(table_of(maps_, key), bytes_of(key), &entry, BPF_ANY) != 0) {
    if (errno == E2BIG || errno == ENOSPC) {
      return fail("{} is not blocked: the kernel's drop table is full", to_string(block.target));
    }
    return fail_errno(errno, "block {}", to_string(block.target));
  }
  if (is_new) ++count_of(block.target);
  return is_new;
}

Result<> DropMap::erase_entry(const BlockTarget& target) {
  const AnyKey key = std::visit(KeyMaker{}, target);
  if (bpf_map_delete_elem(table_of(maps_, key), bytes_of(key)) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "unblock {}", to_string(target));
  }
  --count_of(target);
  return {};
}

Result<> DropMap::put(const Block& block, Timestamp now) {
  // Before the entry is there: the kernel counts into the slot from then on.
  const Block* const known = journal_.find(block.target);
  if (known == nullptr || known->slot != block.slot) {
    if (auto zeroed = zero_hits(block.slot); !zeroed) return zeroed;
  }
  const auto written = write_entry(block, now);
  if (!written) return tl::unexpected(written.error());
  publish();
  note_journal(journal_.add(block));
  return {};
}

Result<> DropMap::remove(std::span<const Block> blocks) {
  Result<> first;
  for (const Block& block : blocks) {
    if (auto erased = erase_entry(block.target); !erased && first) first = std::move(erased);
    note_journal(journal_.remove(block.target));
  }
  publish();
  return first;
}

Result<> DropMap::set_never_block(std::span<const IpPrefix> prefixes) {
  const std::uint8_t present = 1;
  std::set<IpPrefix> wanted(prefixes.begin(), prefixes.end());
  for (const IpPrefix& prefix : wanted) {
    const spidd_prefix_key key = prefix_key(prefix);
    if (bpf_map_update_elem(maps_.never_block, &key, &present, BPF_ANY) == 0) continue;
    if (errno == ENOSPC) return fail("{} never-block prefixes do not fit into the kernel's table", wanted.size());
    return fail_errno(errno, "protect {}", prefix.to_string());
  }
  for (const spidd_prefix_key& key : all_keys<spidd_prefix_key>(maps_.never_block)) {
    if (wanted.contains({address_of(key.addr), key.length})) continue;
    if (bpf_map_delete_elem(maps_.never_block, &key) != 0) return fail_errno(errno, "remove a never-block prefix");
  }
  publish();
  return {};
}

void DropMap::set_enforcing(bool enforcing) {
  store<__u32>(maps_.config->mode, enforcing ? SPIDD_MODE_ENFORCE : SPIDD_MODE_OBSERVE);
  publish();
}

bool DropMap::enforcing() const { return maps_.config->mode == SPIDD_MODE_ENFORCE; }

void DropMap::heartbeat() {
  store<__u64>(maps_.config->heartbeat_ns, coarse_now_ns());
  clock_.refresh();
}

void DropMap::publish() {
  spidd_config& config = *maps_.config;
  store<__u32>(config.flow_drops, counts_.flows);
  store<__u32>(config.endpoint_drops, counts_.endpoints);
  store<__u32>(config.host_drops, counts_.hosts);
  store<__u32>(config.prefix_drops, counts_.prefixes);
  const __u32 next = config.drop_generation + 1;
  store<__u32>(config.drop_generation, next == 0 ? 1 : next);
}

Result<BlockHits> DropMap::hits(std::uint32_t slot) const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail_errno(cpus, "count the CPUs");
  std::vector<spidd_drop_hits> copies(static_cast<std::size_t>(cpus));
  if (bpf_map_lookup_elem(maps_.drop_hits, &slot, copies.data()) != 0)
    return fail_errno(errno, "read the drop counters");
  BlockHits hits;
  std::uint64_t last_ns = 0;
  for (const spidd_drop_hits& copy : copies) {
    hits.packets += copy.packets;
    hits.bytes += copy.bytes;
    last_ns = std::max<std::uint64_t>(last_ns, copy.last_ns);
  }
  if (last_ns != 0) hits.last = clock_.to_wall(last_ns);
  return hits;
}

Result<> DropMap::zero_hits(std::uint32_t slot) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail_errno(cpus, "count the CPUs");
  const std::vector<spidd_drop_hits> zeros(static_cast<std::size_t>(cpus));
  if (bpf_map_update_elem(maps_.drop_hits, &slot, zeros.data(), BPF_ANY) != 0) {
    return fail_errno(errno, "reset the drop counters");
  }
  return {};
}

}  // namespace spidd
