// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The thread on which SPADE works: it reads observations from the kernel, tells the kernel which attempts it need only
// count, and keeps what was learned on the disk. Nothing here can delay a packet or a verdict.
//
//   kernel ─► ObservationSource ─► AnomalyMonitor ─► DaemonAnomalySink ─► blocks, events
//                     ▲                  │
//                     └ known attempts ◄─┘
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "userspace/capture/observation_source.h"
#include "userspace/daemon/anomaly_files.h"
#include "userspace/daemon/anomaly_sink.h"
#include "userspace/daemon/conversations.h"
#include "userspace/daemon/mailbox.h"
#include "userspace/spade/familiar_attempts.h"
#include "userspace/spade/monitor.h"
#include "userspace/spade/state_file.h"

namespace spidd {

struct AnomalyCounters {
  std::uint64_t observations = 0;   // read from the kernel
  std::uint64_t counted = 0;        // packets that the kernel counted instead
  std::uint64_t undecodable = 0;    // observations of another version: not used
  std::uint64_t conversations = 0;  // TCP clients that workers saw exchange payload
  std::uint64_t conversations_lost = 0;
  std::uint64_t known_attempts = 0;  // counted by the kernel now
  std::uint64_t attempts_without_room = 0;
  std::uint64_t entries_without_room = 0;  // of the state file, or of tables that became smaller
  std::uint64_t checkpoints = 0;
  std::uint64_t checkpoints_failed = 0;
  std::uint64_t files_written = 0;  // log and surveys
  std::uint64_t files_lost = 0;     // could not be written, or too many waited to be
};

class AnomalyWatch {
 public:
  struct Settings {
    std::string state_path;  // "": nothing is kept
    std::string directory;   // of log and surveys whose names have no slash
    std::uint64_t checkpoint_updates = 50000;
    Duration checkpoint_at_most = std::chrono::minutes(15);  // even if there were fewer updates
    std::uint64_t seed = 0;                                  // of hashes
    Conversations* conversations = nullptr;                  // what confirms sources; must outlive the watch
  };
  using Task = std::function<void(AnomalyWatch&)>;

  // What cannot be: the settings of SPADE. `source` is owned, `sink` must outlive the watch.
  static Result<std::unique_ptr<AnomalyWatch>> create(const SpadeSettings& spade, const Settings& settings,
                                                      std::unique_ptr<ObservationSource> source,
                                                      DaemonAnomalySink& sink);
  ~AnomalyWatch() { stop(); }
  AnomalyWatch(const AnomalyWatch&) = delete;
  AnomalyWatch& operator=(const AnomalyWatch&) = delete;

  // What the start found in the state file that the administrator should know, one sentence each.
  const std::vector<std::string>& warnings() const { return warnings_; }

  void start();
  // Writes state and log, ends the thread. Open incidents go on after a restart; they are reported as closed if no
  // state is kept.
  void stop();

  // Has the task run on the watch's thread, soon.
  void post(Task task) { mailbox_.post(std::move(task)); }
  // Asks and waits for the answer; nothing if it takes longer than `patience`.
  template <class Question>
  auto ask(Question question, Duration patience) -> std::optional<std::invoke_result_t<Question, AnomalyWatch&>> {
    const auto promise = std::make_shared<std::promise<std::invoke_result_t<Question, AnomalyWatch&>>>();
    auto answer = promise->get_future();
    post([promise, question](AnomalyWatch& watch) { promise->set_value(question(watch)); });
    if (answer.wait_for(patience) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

  // What the detectors did and what the tables hold, in words. Packets do not wait for it.
  Result<std::string> statistics(Duration patience);

  // On the watch's thread (tasks), or while it does not run.
  const AnomalyMonitor& monitor() const { return *monitor_; }
  DaemonAnomalySink& sink() { return sink_; }
  AnomalyCounters counters() const;
  // Goes on with new settings: what they leave as it was goes on as if nothing had happened
  // (AnomalyMonitor::take_over()). Where it is to be kept stays as it is.
  Result<> change_settings(const SpadeSettings& spade);
  // What the original does at SIGUSR1: the log is written, and the state file soon.
  void write_files();

 private:
  AnomalyWatch(const SpadeSettings& spade, const Settings& settings, std::unique_ptr<ObservationSource> source,
               DaemonAnomalySink& sink)
      : settings_(settings),
        source_(std::move(source)),
        sink_(sink),
        familiar_({}, spade),
        files_(settings.directory) {}

  void run();
  void observe(const Observation& observation);
  void observe_count(const Observation& observation);
  void suspect(const Observation& packet);
  void see_suspects_again();
  void take_conversations();
  void every_second();
  void tend_checkpoint();
  void finish_checkpoint();

  Settings settings_;
  std::unique_ptr<ObservationSource> source_;
  DaemonAnomalySink& sink_;
  FamiliarAttempts familiar_;
  std::vector<ConnectionAttempt> suspects_;  // that the kernel only counts, until it is told
  AnomalyFiles files_;
  std::unique_ptr<AnomalyMonitor> monitor_;
  std::vector<std::string> warnings_;
  AnomalyCounters counters_;

  std::optional<SpadeSnapshot> snapshot_;  // a checkpoint that is being copied
  std::future<Result<>> writing_;          // one that is being written
  std::uint64_t checkpoint_updates_ = 0;   // of the tables, at the last one
  Timestamp checkpoint_time_{};
  bool checkpoint_wanted_ = false;  // whatever has changed since

  Mailbox<Task> mailbox_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace spidd
