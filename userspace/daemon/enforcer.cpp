// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/enforcer.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace spidd {

namespace {

BlockList::Settings list_settings(const Policy& policy) {
  return {policy.never_block, policy.max_block, policy.max_blocks};
}

// "CLIENT CLIENT_PORT SERVER SERVER_PORT"
std::optional<IpAddress> peer_of(std::string_view ssh_connection) {
  const auto peer = IpAddress::parse(ssh_connection.substr(0, ssh_connection.find(' ')));
  if (!peer || peer->is_loopback()) return {};
  return *peer;
}

// Whether the target would stop a whole server or host at that address.
bool names(const BlockTarget& target, const IpAddress& address) {
  if (const auto* host = std::get_if<HostTarget>(&target)) return host->prefix.contains(address);
  if (const auto* endpoint = std::get_if<EndpointTarget>(&target)) return endpoint->address == address;
  return false;
}

bool touches_flow_of(const BlockTarget& target, const IpAddress& address) {
  const auto* flow = std::get_if<FlowTarget>(&target);
  return flow != nullptr && (flow->key.low == address || flow->key.high == address);
}

std::optional<IpAddress> address_of(const sockaddr* socket_address) {
  if (socket_address == nullptr) return {};
  if (socket_address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, socket_address, sizeof v4);
    return IpAddress::from_ipv4(ntohl(v4.sin_addr.s_addr));
  }
  if (socket_address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, socket_address, sizeof v6);
    IpAddress address;
    std::memcpy(address.bytes.data(), v6.sin6_addr.s6_addr, address.bytes.size());
    return address;
  }
  return {};
}

}  // namespace

Enforcer::Enforcer(const Policy& policy, std::optional<DropMap> drop_map, std::string_view ssh_connection)
    : list_(list_settings(policy)),
      drop_map_(std::move(drop_map)),
      never_block_(policy.never_block),
      enforcing_(policy.mode == Mode::enforce),
      ssh_peer_(peer_of(ssh_connection)) {}

Result<std::size_t> Enforcer::restore(Timestamp now) {
  const std::lock_guard lock(mutex_);
  if (!drop_map_) return std::size_t{0};
  auto existing = drop_map_->load_existing(now);
  if (!existing) return tl::unexpected<Error>(std::move(existing.error()));
  std::vector<Block> refused = list_.restore(std::move(*existing));
  // The SSH session or an address of this host may be newer than the block that stops it.
  for (Block& block : list_.all()) {
    if (check_guarded(block.target)) continue;
    list_.remove(block.target);
    refused.push_back(std::move(block));
  }
  if (auto removed = remove_from_kernel(refused); !removed) return tl::unexpected<Error>(std::move(removed.error()));
  if (auto set = drop_map_->set_never_block(never_block_); !set) return tl::unexpected<Error>(std::move(set.error()));
  drop_map_->set_enforcing(enforcing_);
  drop_map_->heartbeat();
  return list_.size();
}

void Enforcer::on_block(std::function<void(const Block&)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
  for (const Block& block : list_.all()) listener_(block);
}

void Enforcer::on_unblock(std::function<void(const Block&)> listener) {
  const std::lock_guard lock(mutex_);
  unblock_listener_ = std::move(listener);
}

Result<> Enforcer::check_guarded(const BlockTarget& target) const {
  if (ssh_peer_ && (names(target, *ssh_peer_) || touches_flow_of(target, *ssh_peer_)))
    return tl::unexpected<Error>(
        Error{fmt::format("{} is not blocked: the SSH session that spidd was started from comes from {}",
                          to_string(target), ssh_peer_->to_string()),
              EPERM});
  for (const IpAddress& own : own_addresses_)
    if (names(target, own))
      return tl::unexpected<Error>(Error{
          fmt::format("{} is not blocked: {} is an address of this host", to_string(target), own.to_string()), EPERM});
  return {};
}

Result<Block> Enforcer::block(BlockOrder order) {
  const std::lock_guard lock(mutex_);
  if (auto free = check_guarded(order.target); !free) {
    ++counters_.blocks_refused;
    return tl::unexpected<Error>(std::move(free.error()));
  }
  auto block = list_.add(order.target, order.now, order.duration, std::move(order.rule), std::move(order.label),
                         order.rule_number);
  if (!block) {
    ++counters_.blocks_refused;
    return block;
  }
  if (drop_map_) {
    if (auto put = drop_map_->put(*block, order.now); !put) {
      ++counters_.blocks_failed;
      list_.remove(order.target);
      // An extension that failed: the entry of before must not outlive its place in the list.
      static_cast<void>(drop_map_->remove(std::span(&*block, 1)));
      return tl::unexpected<Error>(std::move(put.error()));
    }
  }
  ++counters_.blocks_made;
  if (listener_) listener_(*block);
  return block;
}

Result<std::optional<ActiveBlock>> Enforcer::unblock(const BlockTarget& target) {
  const std::lock_guard lock(mutex_);
  const std::optional<Block> block = list_.remove(target);
  if (!block) return std::optional<ActiveBlock>{};
  ++counters_.blocks_removed;
  if (unblock_listener_) unblock_listener_(*block);
  auto removed = remove_from_kernel(std::span(&*block, 1));
  if (!removed) return tl::unexpected<Error>(std::move(removed.error()));
  return std::optional<ActiveBlock>(std::move(removed->front()));
}

Result<std::vector<ActiveBlock>> Enforcer::set_policy(const Policy& policy) {
  const std::lock_guard lock(mutex_);
  const std::vector<Block> ended = list_.reconfigure(list_settings(policy));
  counters_.blocks_removed += ended.size();
  if (unblock_listener_) std::ranges::for_each(ended, unblock_listener_);
  never_block_ = policy.never_block;
  enforcing_ = policy.mode == Mode::enforce;
  // What is to pass passes before anything new is dropped, and even if the kernel refuses a prefix.
  auto removed = remove_from_kernel(ended);
  if (drop_map_) {
    if (!enforcing_) drop_map_->set_enforcing(false);
    if (auto set = drop_map_->set_never_block(never_block_); !set) return tl::unexpected<Error>(std::move(set.error()));
    drop_map_->set_enforcing(enforcing_);
  }
  return removed;
}

void Enforcer::set_own_addresses(std::vector<IpAddress> addresses) {
  const std::lock_guard lock(mutex_);
  own_addresses_ = std::move(addresses);
}

Result<std::vector<ActiveBlock>> Enforcer::tick(Timestamp now) {
  const std::lock_guard lock(mutex_);
  if (drop_map_) drop_map_->heartbeat();
  const std::vector<Block> expired = list_.expire(now);
  counters_.blocks_expired += expired.size();
  return remove_from_kernel(expired);
}

// The hits are read while the blocks still own their slots.
Result<std::vector<ActiveBlock>> Enforcer::remove_from_kernel(std::span<const Block> blocks) {
  auto ended = with_hits(blocks);
  if (!drop_map_ || blocks.empty()) return ended;
  if (auto removed = drop_map_->remove(blocks); !removed) return tl::unexpected<Error>(std::move(removed.error()));
  return ended;
}

Result<std::vector<ActiveBlock>> Enforcer::with_hits(std::span<const Block> blocks) const {
  std::vector<ActiveBlock> result;
  result.reserve(blocks.size());
  for (const Block& block : blocks) {
    result.push_back({block, {}});
    if (!drop_map_) continue;
    auto hits = drop_map_->hits(block.slot);
    if (!hits) return tl::unexpected<Error>(std::move(hits.error()));
    result.back().hits = *hits;
  }
  return result;
}

// The counters are read outside of the lock: they are a system call each. Nothing but the control thread changes what
// DropMap::hits() uses besides the maps.
Result<std::vector<ActiveBlock>> Enforcer::blocks(std::size_t limit) const {
  std::vector<Block> blocks;
  {
    const std::lock_guard lock(mutex_);
    blocks = list_.all();
  }
  const std::size_t shown = std::min(limit, blocks.size());
  std::partial_sort(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(shown), blocks.end(),
                    [](const Block& a, const Block& b) { return a.since > b.since; });
  return with_hits(std::span(blocks).first(shown));
}

void Enforcer::note_latency(Duration latency) {
  const std::lock_guard lock(mutex_);
  latencies_.add(latency);
}

std::size_t Enforcer::size() const {
  const std::lock_guard lock(mutex_);
  return list_.size();
}

bool Enforcer::enforcing() const {
  const std::lock_guard lock(mutex_);
  return enforcing_;
}

LatencyHistogram Enforcer::latencies() const {
  const std::lock_guard lock(mutex_);
  return latencies_;
}

EnforcerCounters Enforcer::counters() const {
  const std::lock_guard lock(mutex_);
  EnforcerCounters counters = counters_;
  if (drop_map_) counters.journal_failures = drop_map_->journal_failures();
  return counters;
}

Result<std::vector<IpAddress>> addresses_of_this_host() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return fail_errno(errno, "read the addresses of this host");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
    if (const auto address = address_of(entry->ifa_addr); address && !address->is_loopback())
      addresses.push_back(*address);
  return addresses;
}

}  // namespace spidd
