// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One thread that follows the flows of one ring: drains it, lets the engine conclude, and naps when there is nothing to
// do. Nothing waits for anything here: what the control thread wants of the engine comes through a mailbox.
//
// The nap is the price of a kernel that never wakes us: kShortestNap after a round that found records, doubling up to
// kLongestNap while there are none. From packet to decision it is therefore about 2 ms at most; idle it costs about 1 %
// of a CPU.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "userspace/capture/bpf_source.h"
#include "userspace/daemon/mailbox.h"
#include "userspace/engine/engine.h"

namespace spidd {

class Worker {
 public:
  using Task = std::function<void(Engine&, const BpfSource&)>;
  static constexpr Duration kShortestNap = std::chrono::microseconds(200);
  static constexpr Duration kLongestNap = std::chrono::milliseconds(2);

  // `sink` must outlive the worker; it is called on the worker's thread.
  Worker(unsigned number, std::unique_ptr<BpfSource> source, const EngineSettings& settings,
         std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy, EngineSink& sink);
  // Requires: finished, or never started.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // Asks the thread to drain what is left, to end every flow and to finish; does not wait for it.
  void request_stop() { stopping_.store(true, std::memory_order_relaxed); }
  bool finished() const { return finished_.load(std::memory_order_acquire); }
  void join();

  // Has the task run on the worker's thread, soon.
  void post(Task task) { mailbox_.post(std::move(task)); }

  // Asks the worker and waits for the answer; nothing if it takes longer than `patience`.
  template <class Question>
  auto ask(Question question, Duration patience)
      -> std::optional<std::invoke_result_t<Question, Engine&, const BpfSource&>> {
    using Answer = std::invoke_result_t<Question, Engine&, const BpfSource&>;
    const auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> answer = promise->get_future();
    post(
        [promise, question](Engine& engine, const BpfSource& source) { promise->set_value(question(engine, source)); });
    if (answer.wait_for(patience) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

  // Raised with every round: a worker whose number stands still for seconds hangs.
  std::uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }
  unsigned number() const { return number_; }

 private:
  void run();
  void drain_rest();

  unsigned number_;
  std::unique_ptr<BpfSource> source_;
  Engine engine_;
  Mailbox<Task> mailbox_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> finished_ = false;
  std::atomic<std::uint64_t> rounds_ = 0;
  std::thread thread_;
};

}  // namespace spidd
