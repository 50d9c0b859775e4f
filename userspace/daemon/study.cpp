// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/study.h"

#include <pthread.h>

namespace spidd {

namespace {

constexpr Duration kLongestWait = std::chrono::milliseconds(200);  // a task may have been overlooked by the mailbox

}  // namespace

void Study::start() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "study");
}

void Study::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  queue_.wake();
  if (thread_.joinable()) thread_.join();
}

void Study::post(Task task) {
  mailbox_.post(std::move(task));
  queue_.wake();
}

void Study::run() {
  SettledFlow flow;
  for (;;) {
    mailbox_.take([this](const Task& task) { task(state_); });
    state_.site.tick(wall_clock_now());
    state_.stream.tend(StreamLearning::Clock::now());
    if (state_.take_models_changed()) set_models_changed();
    if (queue_.pop(flow)) {
      state_.add(flow);
      continue;
    }
    if (stopping_.load(std::memory_order_relaxed)) {
      state_.stream.save();
      state_.site.close();
      return;
    }
    queue_.wait(kLongestWait);
  }
}

}  // namespace spidd
