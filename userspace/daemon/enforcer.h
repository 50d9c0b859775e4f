// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Block list and drop tables behind one lock, so that a worker's decision reaches the kernel at once, without a detour
// through the control thread. The lock is held for a list operation and a few system calls (microseconds).
//
// Besides the policy's never_block, the administrator's own access is guarded: no block, by a rule or by hand, may name
// an address of this host as server or host (a flow of it may still be blocked), nor touch the peer of the SSH session
// that spidd was started from.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "userspace/daemon/latency_histogram.h"
#include "userspace/enforcement/block_list.h"
#include "userspace/enforcement/drop_map.h"
#include "userspace/policy/policy.h"

namespace spidd {

struct BlockOrder {
  BlockTarget target;
  Timestamp now;
  Duration duration{};
  std::string rule;
  std::string label;
  std::uint16_t rule_number = 0;
};

struct ActiveBlock {
  Block block;
  BlockHits hits;
};

struct EnforcerCounters {
  std::uint64_t blocks_made = 0;     // new ones and extensions
  std::uint64_t blocks_refused = 0;  // never_block, guarded addresses, full list
  std::uint64_t blocks_failed = 0;   // the kernel did not take the entry
  std::uint64_t blocks_expired = 0;
  std::uint64_t blocks_removed = 0;    // by hand, or by a new policy
  std::uint64_t journal_failures = 0;  // not remembered across a restart
};

class Enforcer {
 public:
  // Without a drop map (tests) nothing reaches a kernel. `ssh_connection`: the variable of that name, or "".
  Enforcer(const Policy& policy, std::optional<DropMap> drop_map, std::string_view ssh_connection);

  // Takes over what an earlier run left, and sets never-block prefixes and mode in the kernel. Call once, first.
  // Returns the number of blocks that go on.
  Result<std::size_t> restore(Timestamp now);

  // Is told of every block there is, then of each that begins or is extended: on the thread that blocks, so it must not
  // wait for anything.
  void on_block(std::function<void(const Block&)> listener);
  // Is told of every block that ends before its time, by hand or by a new policy. The same holds.
  void on_unblock(std::function<void(const Block&)> listener);

  // From any thread. The drop entry is in the kernel when this returns.
  Result<Block> block(BlockOrder order);
  // The block that ended; nothing if there was none.
  Result<std::optional<ActiveBlock>> unblock(const BlockTarget& target);
  // Time from the packet that decided to the entry in the kernel.
  void note_latency(Duration latency);
  std::size_t size() const;
  bool enforcing() const;
  LatencyHistogram latencies() const;
  EnforcerCounters counters() const;

  // From the control thread only. Returns the blocks that the new policy does not allow any more.
  Result<std::vector<ActiveBlock>> set_policy(const Policy& policy);
  void set_own_addresses(std::vector<IpAddress> addresses);
  // Heartbeat and expiry, every second or so. Returns the blocks that ended.
  Result<std::vector<ActiveBlock>> tick(Timestamp now);
  // The newest `limit` blocks with what they have dropped.
  Result<std::vector<ActiveBlock>> blocks(std::size_t limit) const;

 private:
  Result<> check_guarded(const BlockTarget& target) const;
  Result<std::vector<ActiveBlock>> remove_from_kernel(std::span<const Block> blocks);
  Result<std::vector<ActiveBlock>> with_hits(std::span<const Block> blocks) const;

  mutable std::mutex mutex_;
  BlockList list_;
  std::function<void(const Block&)> listener_;
  std::function<void(const Block&)> unblock_listener_;
  std::optional<DropMap> drop_map_;
  std::vector<IpPrefix> never_block_;
  bool enforcing_;
  std::optional<IpAddress> ssh_peer_;
  std::vector<IpAddress> own_addresses_;
  LatencyHistogram latencies_;
  EnforcerCounters counters_;
};

// Addresses of every interface of this network namespace, loopback excepted.
Result<std::vector<IpAddress>> addresses_of_this_host();

}  // namespace spidd
