// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Learning the site inside the daemon: belongs to the study's thread, but for ready().
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "userspace/daemon/site_requests.h"

namespace spidd {

class SiteStudy {
 public:
  explicit SiteStudy(SiteSettings settings) : settings_(std::move(settings)) {}

  // Loads what was learned; returns a warning for every file that was refused. Before the thread starts. `load` is
  // called on the study's thread. While another process changes the directory its models are used as they are, and
  // nothing is recorded or decided; tick() takes the directory over when that is done.
  Result<std::vector<std::string>> open(MeterRules rules, LoadSiteJudge load);

  void learn(const SettledFlow& flow);
  void take_back(const SettledFlow& flow);
  // Saves, and measures what has not been measured. Call several times a second.
  void tick(Timestamp now);
  // Saves what was gathered.
  void close();
  Result<nlohmann::ordered_json> answer(const SiteRequest& request, Timestamp now);

  // Puts the models of the site beside others.
  void add_models(ModelDatabase& models) const;
  // Whether these models or ready() are others than at the last call.
  bool take_models_changed() { return std::exchange(changed_, false); }

  // Enough is known of the site to block by statistics. From any thread.
  bool ready() const { return ready_.load(std::memory_order_relaxed); }

  struct Counters {
    SiteRecorderCounters recorder;
    std::uint64_t failed_saves = 0;
    std::uint64_t services = 0;  // recorded now
    std::uint64_t bytes = 0;     // of these
    std::uint64_t accepted = 0;  // services
  };
  Counters counters() const;

 private:
  void refresh();
  void take_over(Timestamp now);

  SiteSettings settings_;
  MeterRules rules_ = MeterRules::corrected;
  std::optional<Timestamp> next_try_;  // to take the directory over; none: it is ours, or cannot be read
  LoadSiteJudge load_;
  std::optional<SiteLearning> site_;
  bool changed_ = false;
  bool measured_ = false;  // tried since the start
  std::atomic<bool> ready_ = false;
};

}  // namespace spidd
