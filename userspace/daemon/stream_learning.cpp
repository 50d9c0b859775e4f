// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/stream_learning.h"

#include "userspace/base/log.h"

namespace spidd {

namespace {

constexpr Duration kLockPatience = std::chrono::seconds(3);

}  // namespace

// Until the models are there, nothing is average traffic; no flow comes before them.
StreamLearning::StreamLearning(const LearnerSettings& settings)
    : learner_(settings, std::make_shared<LogRatioScorer>(std::span<const ProtocolModel>{})),
      save_due_(Clock::now() + kSaveEvery) {}

Result<> StreamLearning::open(const std::string& state_directory) {
  auto lock = DirectoryLock::take(learned_folder(state_directory), kLockPatience);
  if (!lock) {
    // What there is can be used all the same; what is wrong with it is said by whoever may change it.
    static_cast<void>(load_learned(learner_, state_directory, LearnedUse::read));
    saved_version_ = learner_.version();
    return std::move(lock.error()).within("what is learned is not kept until spidd is started again");
  }
  lock_ = std::move(*lock);
  auto loaded = load_learned(learner_, state_directory);
  saved_version_ = learner_.version();
  if (!loaded && loaded.error().code != 0) return std::move(loaded.error()).within("what is learned is not kept");
  directory_ = state_directory;
  return loaded;
}

void StreamLearning::learn(const SettledFlow& flow) {
  learner_.learn(flow);
  const std::vector<Cluster> promoted = learner_.take_promoted();
  for (const Cluster& cluster : promoted)
    if (tell_) tell_(cluster);
  if (!promoted.empty()) save();
}

void StreamLearning::tend(Clock::time_point now) {
  if (now >= save_due_) save();
}

void StreamLearning::save() {
  save_due_ = Clock::now() + kSaveEvery;
  if (directory_.empty() || saved_version_ == learner_.version()) return;
  const auto saved = save_learned(learner_, directory_);
  if (saved) {
    saved_version_ = learner_.version();
    ++saves_;
    return;
  }
  if (saves_failed_++ == 0) log_error("what was learned cannot be kept: {}", saved.error().message);
}

std::vector<std::pair<std::string, std::uint64_t>> learning_values(const StreamLearning& learning) {
  auto values = named_counters(learning.learner().counters());
  values.emplace_back("learned_saved", learning.saves());
  values.emplace_back("learned_save_failed", learning.saves_failed());
  return values;
}

}  // namespace spidd
