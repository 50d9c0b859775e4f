// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Learning the site: record what its services look like, let an operator review and accept them, and say when enough is
// known to block. Everything an operator does can be taken back: models are sums of accepted services, and a service
// that is taken back leaves the sum exactly. Survives restarts. Not thread-safe; time is passed in.
//
//   settled flows ─► recorded by service ─► accept ─► models of origin "site", false-verdict rate, ready or not
//                                  ▲          │
//                                  └── undo ──┘
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "userspace/base/directory_lock.h"
#include "userspace/learning/site_rates.h"
#include "userspace/learning/site_recorder.h"
#include "userspace/learning/site_review.h"
#include "userspace/learning/site_store.h"

namespace spidd {

struct SiteSettings {
  std::string directory;
  Duration lock_patience = std::chrono::seconds(3);  // with others who change it; then EWOULDBLOCK
  bool read_only = false;             // to look at it, while others may change it: nothing can be recorded or decided
  SiteLimits limits;                  // what is in the directory already stays even if it is more
  std::uint32_t few_flows = 5;        // a service with fewer is doubtful, and need not be reviewed
  std::uint32_t enforce_flows = 300;  // accepted ones; one service counts for at most a third
  double family_share = 0.4;          // of enforce_flows that flows of one family of protocols count for at most
  double enforce_limit = 0.01;        // of the rate of false blocks: its upper limit
  Duration save_every = std::chrono::minutes(5);
};

// Is enough known of the site to block by statistics alone? If not, what is missing.
struct SiteProgress {
  std::uint64_t accepted_services = 0;
  std::uint64_t accepted_flows = 0;  // learned
  std::uint64_t counted_flows = 0;   // no service for more than its third, no family for more than its share
  std::map<std::string, std::uint64_t> families;  // accepted flows by family of protocols
  std::uint64_t unreviewed = 0;                   // services with few_flows or more that nobody decided on
  std::optional<SiteRates> rates;                 // none: not measured since the last decision
  std::vector<std::string> missing;               // for the administrator; empty: ready

  bool ready() const { return missing.empty(); }
};

// Which services an operator means.
struct SiteSelection {
  std::vector<SiteSelector> services;
  bool all_clear = false;  // whatever has no doubts
  std::string label;       // what was named so and does not look like a tunnel; "" = none
};

// What the services are, if not what they were named.
struct SiteNaming {
  std::string label;                 // "" = as named
  std::optional<Category> category;  // of a label that no model has; plain if not given
};

struct SiteOutcome {
  std::vector<SiteKey> services;     // done
  std::uint64_t flows = 0;           // of these
  std::vector<std::string> refused;  // and why, one each
};

class SiteLearning {
 public:
  // Loads what is there, and keeps others from changing it for as long as this lives. `warnings` gets a line for every
  // file that was refused.
  static Result<SiteLearning> open(SiteSettings settings, MeterRules rules, std::vector<std::string>& warnings);

  // ---- recording
  Result<> record(Timestamp now, Duration length);
  Result<> stop(Timestamp now);
  // Gathers the flow while recording.
  void add(const SettledFlow& flow) { changed_ = recorder_.add(flow) || changed_; }
  // Not to be learned from any more, if it was gathered and nobody has accepted its service since.
  void take_back(const SettledFlow& flow) { changed_ = recorder_.take_back(flow) || changed_; }
  // Saves what was gathered when it is time. Call every now and then.
  Result<> tick(Timestamp now);
  Result<> save();

  // ---- decisions; each is saved before it holds
  std::vector<SiteReviewRow> review() const;
  SiteOutcome accept(const SiteSelection& selection, const SiteNaming& naming, std::span<const ModelSummary> shipped,
                     Timestamp now);
  SiteOutcome reject(std::span<const SiteSelector> services, Timestamp now);
  // Takes decisions back: an accepted service is recorded again, a rejected one may be.
  SiteOutcome undo(std::span<const SiteSelector> services);
  // Drops services as if they had never been seen.
  SiteOutcome forget(std::span<const SiteSelector> services);

  // ---- what came of it
  ModelDatabase models() const { return site_models(decided_, rules_); }
  Result<> measure(SiteJudge& judge);
  SiteProgress progress() const;
  bool ready() const { return progress().ready(); }

  // Recorded services that are part of accepted ones already are dropped: flows that are added again, of a capture, or
  // after a crash between two files. Returns their flows.
  std::uint64_t drop_accepted();

  const SiteRecorder& recorder() const { return recorder_; }
  const std::map<SiteKey, SiteRecord>& decided() const { return decided_; }
  const SiteSettings& settings() const { return settings_; }
  std::uint64_t failed_saves() const { return failed_saves_; }

 private:
  SiteLearning(SiteSettings settings, MeterRules rules)
      : settings_(std::move(settings)),
        rules_(rules),
        recorder_(settings_.limits),
        store_(settings_.directory, settings_.read_only) {}

  // What counts against the limits.
  struct Taken {
    std::size_t bytes = 0;
    std::size_t decisions = 0;
  };
  Taken taken() const;
  // What becomes of the service if it is accepted; `taken` grows by it.
  Result<SiteRecord> accepted_record(const SiteKey& key, const SiteNaming& naming,
                                     std::span<const ModelSummary> shipped, Timestamp now, Taken& taken) const;
  Result<> room_for(std::size_t decisions) const;
  void count_flows(SiteProgress& progress) const;
  // All or none.
  Result<> accept_all(std::vector<SiteRecord> records);
  Result<> reject_all(std::span<const SiteKey> keys, Timestamp now);
  Result<> undo_all(std::span<const SiteKey> keys);
  Result<> forget_all(std::span<const SiteKey> keys);
  // What is done to all services selected, at once.
  template <class Find, class Act>
  SiteOutcome act_on(std::span<const SiteSelector> services, Find find, Act act);
  std::vector<SiteKey> keys_of(const SiteSelector& selector, bool recorded, bool decided) const;
  bool was_reviewed(const SiteKey& key) const;

  DirectoryLock lock_;
  SiteSettings settings_;
  MeterRules rules_;
  SiteRecorder recorder_;
  SiteStore store_;
  std::map<SiteKey, SiteRecord> decided_;
  std::optional<SiteRates> rates_;
  bool changed_ = false;  // what is recorded, since it was saved
  Timestamp next_save_{};
  std::uint64_t failed_saves_ = 0;
};

}  // namespace spidd
