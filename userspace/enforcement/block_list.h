// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The blocks that are active: the daemon's truth, of which the BPF drop tables are a mirror. Every block expires; a
// never-block prefix wins over any block; the number of blocks is bounded.
//
// Invariants: (1) no target is in the list twice; (2) no active block covers a never-block prefix; (3) each block owns
// one hit-counter slot in 1..kMaxSlots-1, which no other active block owns. Not thread-safe: owned by the control
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/capture/packet_record.h"
#include "userspace/policy/policy.h"

namespace spidd {

struct HostTarget {
  IpPrefix prefix;  // a single host has length 128
  auto operator<=>(const HostTarget&) const = default;
};
struct EndpointTarget {
  IpAddress address;
  std::uint16_t port = 0;  // 0 for ICMP and ICMPv6, whose echo identifier names a run of a program, not a service
  Transport transport = Transport::tcp;
  auto operator<=>(const EndpointTarget&) const = default;
};
struct FlowTarget {
  FlowKey key;
  auto operator<=>(const FlowTarget&) const = default;
};
using BlockTarget = std::variant<HostTarget, EndpointTarget, FlowTarget>;

// What a rule with this scope blocks when it meets the flow `key`.
BlockTarget block_target(BlockScope scope, const FlowKey& key, const Endpoint& server);

// "198.51.100.7", "198.51.100.0/24", "tcp 198.51.100.7:443", "icmp 198.51.100.7",
// "udp 10.0.0.2:5555 <-> 198.51.100.7:53" with " domain 2" behind it unless the observation domain is 0.
std::string to_string(const BlockTarget& target);
// Reads all of these forms. For a shell, the space behind the transport may be a '/': "tcp/198.51.100.7:443". A prefix
// that holds every IPv4 address is an error.
Result<BlockTarget> parse_block_target(std::string_view text);

struct Block {
  std::uint32_t slot = 0;
  BlockTarget target;
  Timestamp since;
  Timestamp expires;
  std::string rule;   // name of the policy rule, "manual" for spidctl block
  std::string label;  // what the flow was identified as, "" if by hand
  std::uint16_t rule_number = 0;
};

class BlockList {
 public:
  struct Settings {
    std::vector<IpPrefix> never_block;
    Duration max_block = std::chrono::hours(24 * 7);
    std::uint32_t max_blocks = 10000;
  };
  static constexpr std::uint32_t kMaxSlots = 65536;

  explicit BlockList(Settings settings);

  // Adds the block or, if the target is blocked already, extends it when the new one expires later: then rule and label
  // are those of the new one; slot and beginning stay. Returns the block as it is then. Refused with an error for the
  // administrator when a never-block prefix touches the target (code EPERM), the list is full (ENOSPC), or the time is
  // not within (0, max_block] (EINVAL).
  Result<Block> add(const BlockTarget& target, Timestamp now, Duration duration, std::string rule, std::string label,
                    std::uint16_t rule_number);
  // Takes over blocks that an earlier run left in the kernel, with the slots they have there (DropMap::load_existing).
  // Only for an empty list. Returns those that the settings or an invariant refuse now, which are to be taken out of
  // the kernel.
  std::vector<Block> restore(std::vector<Block> blocks);
  // The block that was removed, nothing if there was none.
  std::optional<Block> remove(const BlockTarget& target);
  // Removes and returns what has expired at `now`.
  std::vector<Block> expire(Timestamp now);
  // New settings (after a reload): returns the blocks that the new never-block list ended.
  std::vector<Block> reconfigure(Settings settings);

  std::vector<Block> all() const;
  std::size_t size() const;
  bool never_blocked(const IpAddress& address) const;

 private:
  std::uint32_t take_slot();  // 0 = none left
  template <class Condition>
  std::vector<Block> remove_if(Condition condition);

  Settings settings_;
  std::map<BlockTarget, Block> blocks_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 1;
};

}  // namespace spidd
