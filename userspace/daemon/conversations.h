// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Clients that had an answer with payload to payload of theirs, on their way from the workers to the anomaly thread:
// they receive what is sent to them, so nobody forges their address. Bounded; a worker never waits for a slow anomaly
// thread: what finds no room is lost and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/time.h"

namespace spidd {

struct Conversation {
  IpAddress client;
  Timestamp start;  // of the flow
};

class Conversations {
 public:
  // `places`: that may wait, 24 bytes each. Requires: places > 0.
  explicit Conversations(std::size_t places) : places_(places) {
    waiting_.reserve(places);
    taken_.reserve(places);
  }

  // From any thread. Never allocates.
  void push(const Conversation& conversation) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() == places_) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    waiting_.push_back(conversation);
    any_.store(true, std::memory_order_release);
  }

  // From the anomaly thread: hands on every one, oldest first. When somebody is just putting one in, next time. Costs
  // one load when there is nothing.
  template <class Handle>
  void take(Handle&& handle) {
    if (!any_.load(std::memory_order_acquire)) return;
    {
      const std::unique_lock lock(mutex_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      std::swap(waiting_, taken_);
      any_.store(false, std::memory_order_relaxed);
    }
    for (const Conversation& conversation : taken_) handle(conversation);
    taken_.clear();
  }

  // From any thread.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  const std::size_t places_;
  std::mutex mutex_;
  std::vector<Conversation> waiting_;
  std::vector<Conversation> taken_;
  std::atomic<bool> any_ = false;
  std::atomic<std::uint64_t> lost_ = 0;
};

}  // namespace spidd
