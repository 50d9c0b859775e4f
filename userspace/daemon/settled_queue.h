// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Settled flows on their way from the workers to the study. Bounded; a worker never waits for a slow study: what finds
// no room is lost and counted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "userspace/learning/settled_flow.h"

namespace spidd {

class SettledQueue {
 public:
  // `places`: flows that may wait, about 4 KiB each once used. Requires: places > 0.
  explicit SettledQueue(std::size_t places) : places_(places) {}

  // From any thread. Allocates only until every place has been used once.
  void push(const SettledFlow& flow) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_ == places_.size()) {
        ++lost_;
        return;
      }
      places_[(first_ + waiting_++) % places_.size()] = flow;
    }
    arrived_.notify_one();
  }

  // From the study: swaps the oldest flow into `flow`. False if there is none.
  bool pop(SettledFlow& flow) {
    const std::lock_guard lock(mutex_);
    if (waiting_ == 0) return false;
    std::swap(flow, places_[first_]);
    first_ = (first_ + 1) % places_.size();
    --waiting_;
    return true;
  }

  // From the study: until there is a flow, wake() was called, or `patience` is over.
  void wait(Duration patience) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, patience, [this] { return waiting_ != 0 || woken_; });
    woken_ = false;
  }

  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    arrived_.notify_one();
  }

  std::uint64_t lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<SettledFlow> places_;
  std::size_t first_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t lost_ = 0;
  bool woken_ = false;
};

}  // namespace spidd
