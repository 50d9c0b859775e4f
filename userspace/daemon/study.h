// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The thread that looks at flows the engines have settled, in its own time: it keeps the last ones for `explain`, and
// all that learns lives on it. Nothing here can delay a packet or a verdict.
//
//   workers ─► SettledQueue ─► study ─► models (learned, of the site) ─► control loop builds a matcher ─► workers
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "userspace/daemon/mailbox.h"
#include "userspace/daemon/settled_queue.h"
#include "userspace/daemon/site_study.h"
#include "userspace/daemon/stream_learning.h"
#include "userspace/learning/recent_flows.h"
#include "userspace/learning/suspects.h"

namespace spidd {

struct StudySettings {
  std::uint32_t recent_flows = 1024;   // kept with their fingerprints, about 4 KiB each; 0 = none
  std::uint32_t waiting_flows = 1024;  // between the workers and the study
  SiteSettings site{};
  LearnerSettings learner{};
};

// What lives on the study's thread.
struct StudyState {
  explicit StudyState(const StudySettings& settings)
      : site(settings.site), recent(settings.recent_flows), stream(settings.learner) {}

  void add(SettledFlow& flow) {
    flow.suspected = suspects.touch(flow);
    flows += flow.looked_at_again ? 0 : 1;
    recent.add(flow);
    if (flow.looked_at_again) return;
    site.learn(flow);
    stream.learn(flow);
  }

  // Nothing is learned from flows of the target until then, and what the site was learned from them is taken back: of
  // those that are still among the recent ones.
  void suspect(const BlockTarget& target, Timestamp until) {
    suspects.add(target, until);
    recent.visit([&](SettledFlow& flow) {
      if (flow.touched() || flow.looked_at_again || !stops(target, flow)) return;
      site.take_back(flow);
      flow.suspected = true;
    });
  }

  // Models to be matched beside those of the files.
  ModelDatabase models() const {
    ModelDatabase all = stream.learner().models();
    site.add_models(all);
    return all;
  }
  // Whether they are others than at the last call.
  bool take_models_changed() {
    const bool learned = stream.learner().take_models_changed();
    return site.take_models_changed() || learned;
  }

  SiteStudy site;
  RecentFlows recent;
  StreamLearning stream;
  Suspects suspects;
  std::uint64_t flows = 0;  // seen
};

class Study {
 public:
  using Task = std::function<void(StudyState&)>;

  explicit Study(const StudySettings& settings) : queue_(std::max(1U, settings.waiting_flows)), state_(settings) {}
  ~Study() { stop(); }
  Study(const Study&) = delete;
  Study& operator=(const Study&) = delete;

  // From a worker's thread.
  void submit(const SettledFlow& flow) { queue_.push(flow); }

  // A block or an incident is about the target. From any thread.
  void suspect(const BlockTarget& target, Timestamp until) {
    post([target, until](StudyState& state) { state.suspect(target, until); });
  }

  // It may be learned from again. From any thread.
  void trust(const BlockTarget& target) {
    post([target](StudyState& state) { state.suspects.remove(target); });
  }

  // Before start() and after stop() only.
  StudyState& state() { return state_; }

  void start();
  // Studies what is waiting, then ends the thread.
  void stop();

  // Has the task run on the study's thread, soon.
  void post(Task task);

  // Asks the study and waits for the answer; nothing if it takes longer than `patience`.
  template <class Question>
  auto ask(Question question, Duration patience) -> std::optional<std::invoke_result_t<Question, StudyState&>> {
    const auto promise = std::make_shared<std::promise<std::invoke_result_t<Question, StudyState&>>>();
    auto answer = promise->get_future();
    post([promise, question](StudyState& state) { promise->set_value(question(state)); });
    if (answer.wait_for(patience) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

  // Settled flows that were not studied, because too many came at once.
  std::uint64_t lost() const { return queue_.lost(); }

  // Enough is known of the site to block by statistics. From any thread.
  bool site_ready() const { return state_.site.ready(); }

  // Whether the models of the study have changed since the last call: the control loop builds a new matcher then.
  bool take_models_changed() { return models_changed_.exchange(false); }
  void set_models_changed() { models_changed_ = true; }

 private:
  void run();

  SettledQueue queue_;
  StudyState state_;
  Mailbox<Task> mailbox_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> models_changed_ = false;
  std::thread thread_;
};

}  // namespace spidd
