// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/worker.h"

#include <pthread.h>

#include <algorithm>

namespace spidd {

namespace {

constexpr std::size_t kBatch = 256;                // records between two looks at clock and mailbox
constexpr std::size_t kMostLeftovers = 1U << 20U;  // records still taken at the end: more traffic keeps coming
constexpr Duration kAdvanceEvery = std::chrono::seconds(1);

}  // namespace

Worker::Worker(unsigned number, std::unique_ptr<BpfSource> source, const EngineSettings& settings,
               std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy, EngineSink& sink)
    : number_(number),
      source_(std::move(source)),
      engine_(settings, std::move(matcher), std::move(policy), *source_, sink) {}

Worker::~Worker() { join(); }

void Worker::start() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), fmt::format("worker-{}", number_).c_str());
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  const std::function<void(const PacketRecord&)> handle = [this](const PacketRecord& record) {
    engine_.on_record(record);
  };
  Timestamp next_advance = source_->now() + kAdvanceEvery;
  Duration nap = kShortestNap;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::size_t taken = source_->drain(handle, kBatch);
    mailbox_.take([this](const Task& task) { task(engine_, *source_); });
    if (const Timestamp now = source_->now(); now >= next_advance) {
      engine_.advance(now);
      next_advance = now + kAdvanceEvery;
    }
    rounds_.fetch_add(1, std::memory_order_relaxed);
    if (taken == kBatch) continue;
    nap = taken > 0 ? kShortestNap : std::min(nap * 2, kLongestNap);
    std::this_thread::sleep_for(nap);
  }
  drain_rest();
  engine_.finish(EndReason::shutdown);
  finished_.store(true, std::memory_order_release);
}

void Worker::drain_rest() {
  for (std::size_t total = 0; total < kMostLeftovers;) {
    const std::size_t taken = source_->drain([this](const PacketRecord& record) { engine_.on_record(record); }, kBatch);
    if (taken == 0) return;
    total += taken;
  }
}

}  // namespace spidd
