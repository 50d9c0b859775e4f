// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The learner of unknown protocols as the study runs it: what was learned is told, and kept in the state directory. On
// the study's thread, except where noted.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "userspace/base/directory_lock.h"
#include "userspace/learning/learner_state.h"

namespace spidd {

class StreamLearning {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kSaveEvery = std::chrono::minutes(5);  // what a kill may cost

  explicit StreamLearning(const LearnerSettings& settings);

  // Before the study starts: continues what is kept in the directory, and keeps what is learned there from now on. The
  // error of a damaged file: learning then begins anew; or of one that cannot be read, or that another process is
  // changing: then nothing is kept either.
  Result<> open(const std::string& state_directory);

  // Called with every cluster that is promoted.
  void on_learned(std::function<void(const Cluster&)> tell) { tell_ = std::move(tell); }

  void learn(const SettledFlow& flow);

  // Saves what was learned if that is due.
  void tend(Clock::time_point now);
  // Saves now if anything has changed.
  void save();

  UnknownLearner& learner() { return learner_; }
  const UnknownLearner& learner() const { return learner_; }

  std::uint64_t saves() const { return saves_; }
  std::uint64_t saves_failed() const { return saves_failed_; }

 private:
  UnknownLearner learner_;
  std::function<void(const Cluster&)> tell_;
  DirectoryLock lock_;
  std::string directory_;  // "" = nothing is kept
  std::uint64_t saved_version_ = 0;
  Clock::time_point save_due_;
  std::uint64_t saves_ = 0;
  std::uint64_t saves_failed_ = 0;
};

// Counters of the section "learning", with what there is now.
std::vector<std::pair<std::string, std::uint64_t>> learning_values(const StreamLearning& learning);

}  // namespace spidd
