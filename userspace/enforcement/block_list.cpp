// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The list itself. Slots are handed out in order and reused last-freed first.
#include "userspace/enforcement/block_list.h"

#include <algorithm>
#include <cerrno>

namespace spidd {
namespace {

bool touches(const IpPrefix& prefix, const BlockTarget& target) {
  if (const auto* host = std::get_if<HostTarget>(&target))
    return prefix.covers(host->prefix) || host->prefix.covers(prefix);
  if (const auto* endpoint = std::get_if<EndpointTarget>(&target)) return prefix.contains(endpoint->address);
  const FlowKey& key = std::get<FlowTarget>(target).key;
  return prefix.contains(key.low) || prefix.contains(key.high);
}

const IpPrefix* touched(const std::vector<IpPrefix>& never_block, const BlockTarget& target) {
  const auto found = std::ranges::find_if(never_block, [&](const IpPrefix& prefix) { return touches(prefix, target); });
  return found == never_block.end() ? nullptr : &*found;
}

template <class... Args>
tl::unexpected<Error> refuse(int code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), code});
}

}  // namespace

BlockList::BlockList(Settings settings) : settings_(std::move(settings)) {}

Result<Block> BlockList::add(const BlockTarget& target, Timestamp now, Duration duration, std::string rule,
                             std::string label, std::uint16_t rule_number) {
  if (duration <= Duration::zero() || duration > settings_.max_block) {
    return refuse(EINVAL, "{} is not blocked: the time must be above zero and at most max_block = {}",
                  to_string(target), format_duration(settings_.max_block));
  }
  if (const IpPrefix* prefix = touched(settings_.never_block, target))
    return refuse(EPERM, "{} is not blocked: the policy has {} in never_block", to_string(target), prefix->to_string());

  const Timestamp expires = now + duration;
  if (const auto found = blocks_.find(target); found != blocks_.end()) {
    Block& block = found->second;
    if (expires > block.expires) {
      block.expires = expires;
      block.rule = std::move(rule);
      block.label = std::move(label);
      block.rule_number = rule_number;
    }
    return block;
  }

  const std::uint32_t slot = blocks_.size() < settings_.max_blocks ? take_slot() : 0;
  if (slot == 0) return refuse(ENOSPC, "{} is not blocked: there are {} blocks already", to_string(target), size());
  return blocks_.emplace(target, Block{slot, target, now, expires, std::move(rule), std::move(label), rule_number})
      .first->second;
}

std::vector<Block> BlockList::restore(std::vector<Block> blocks) {
  std::vector<Block> refused;
  std::vector<bool> taken(kMaxSlots);
  for (Block& block : blocks) {
    if (block.slot == 0 || block.slot >= kMaxSlots || taken[block.slot] || blocks_.contains(block.target) ||
        blocks_.size() >= settings_.max_blocks || touched(settings_.never_block, block.target) != nullptr) {
      refused.push_back(std::move(block));
      continue;
    }
    taken[block.slot] = true;
    next_slot_ = std::max(next_slot_, block.slot + 1);
    const BlockTarget target = block.target;
    blocks_.emplace(target, std::move(block));
  }
  for (std::uint32_t slot = next_slot_ - 1; slot > 0; --slot)
    if (!taken[slot]) free_slots_.push_back(slot);
  return refused;
}

std::optional<Block> BlockList::remove(const BlockTarget& target) {
  const auto found = blocks_.find(target);
  if (found == blocks_.end()) return {};
  Block block = std::move(found->second);
  blocks_.erase(found);
  free_slots_.push_back(block.slot);
  return block;
}

template <class Condition>
std::vector<Block> BlockList::remove_if(Condition condition) {
  std::vector<Block> removed;
  for (auto it = blocks_.begin(); it != blocks_.end();) {
    if (!condition(it->second)) {
      ++it;
      continue;
    }
    free_slots_.push_back(it->second.slot);
    removed.push_back(std::move(it->second));
    it = blocks_.erase(it);
  }
  return removed;
}

std::vector<Block> BlockList::expire(Timestamp now) {
  return remove_if([now](const Block& block) { return block.expires <= now; });
}

std::vector<Block> BlockList::reconfigure(Settings settings) {
  settings_ = std::move(settings);
  return remove_if([this](const Block& block) { return touched(settings_.never_block, block.target) != nullptr; });
}

std::vector<Block> BlockList::all() const {
  std::vector<Block> blocks;
  blocks.reserve(blocks_.size());
  for (const auto& [target, block] : blocks_) blocks.push_back(block);
  return blocks;
}

std::size_t BlockList::size() const { return blocks_.size(); }

bool BlockList::never_blocked(const IpAddress& address) const {
  return std::ranges::any_of(settings_.never_block, [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

std::uint32_t BlockList::take_slot() {
  if (!free_slots_.empty()) {
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  return next_slot_ < kMaxSlots ? next_slot_++ : 0;
}

}  // namespace spidd
