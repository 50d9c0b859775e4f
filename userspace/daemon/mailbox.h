// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tasks from the control thread to a worker. The worker never waits: when the box is just being filled it comes back on
// its next round.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace spidd {

template <class Task>
class Mailbox {
 public:
  // From any thread.
  void post(Task task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    waiting_.store(true, std::memory_order_release);
  }

  // From the worker: hands every task to `run`, in the order of posting. Costs one load when there is nothing.
  template <class Run>
  void take(Run&& run) {
    if (!waiting_.load(std::memory_order_acquire)) return;
    std::vector<Task> tasks;
    {
      const std::unique_lock lock(mutex_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      tasks.swap(tasks_);
      waiting_.store(false, std::memory_order_relaxed);
    }
    for (Task& task : tasks) run(task);
  }

 private:
  std::mutex mutex_;
  std::vector<Task> tasks_;
  std::atomic<bool> waiting_ = false;
};

}  // namespace spidd
