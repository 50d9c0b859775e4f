// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Learns protocols that no model knows from the flows the engines settle: unknown flows are gathered into clusters, a
// cluster of which enough was seen becomes a provisional protocol with a name, and an operator confirms it, merges it
// or has it forgotten. Specification: spid.md 3.5; choices: userspace/learning/README.md.
//
// Follows from the flows, their times and the calls alone: the same in the same order gives the same. Not thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/learning/cluster.h"

namespace spidd {

struct LearnerSettings {
  std::uint32_t max_clusters = 64;   // not confirmed; 0 learns nothing
  std::uint32_t max_confirmed = 64;  // named by an operator
  std::uint32_t max_bins = 4000;     // counters of a cluster that are not zero
  std::uint32_t min_packets = 3;     // payload packets of a flow
  float join_score = 0.2F;           // of a flow against a cluster, bits per measurement
  float merge_score = 0.6F;          // of two clusters against one another
  std::uint32_t merge_every = 256;   // flows learned
  Duration half_life = std::chrono::hours(24);

  std::uint32_t promote_flows = 5;
  std::uint64_t promote_packets = 100;
  std::uint32_t promote_clients = 2;                 // distinct ones, or ...
  std::uint32_t promote_occasions = 3;               // ... so many times, each more than ...
  Duration occasion_gap = std::chrono::seconds(60);  // ... this after the one before
  float promote_consistency = 0.4F;                  // median score of flows against the others of the cluster

  double client_share = 0.3;     // of a cluster's flows that one client may give
  std::uint32_t pair_flows = 3;  // of one client and server endpoint, on one occasion
  std::uint32_t flows_per_second = 20;
};

// What became of the flows offered: each is in one of these.
struct LearnerCounters {
  std::uint64_t joined = 0;       // a cluster that was there
  std::uint64_t opened = 0;       // a new cluster
  std::uint64_t identified = 0;   // nothing to learn: by a model that is not provisional
  std::uint64_t not_unknown = 0;  // undecided, or of a class of its own: a tunnel, fully encrypted
  std::uint64_t one_way = 0;
  std::uint64_t too_short = 0;     // fewer payload packets than min_packets
  std::uint64_t touched = 0;       // by an alert or a block
  std::uint64_t too_fast = 0;      // over flows_per_second
  std::uint64_t client_share = 0;  // one client gave too many of a cluster's flows
  std::uint64_t pair_share = 0;    // one client and server did
  std::uint64_t switched_off = 0;  // max_clusters is 0

  // What became of clusters.
  std::uint64_t evicted = 0;
  std::uint64_t merged = 0;
  std::uint64_t promoted = 0;
};

// Each counter with its name in status and metrics.
std::vector<std::pair<std::string, std::uint64_t>> named_counters(const LearnerCounters& counters);

class UnknownLearner {
 public:
  // `scorer`: against the background of all models that are confirmed; never null.
  UnknownLearner(LearnerSettings settings, std::shared_ptr<const LogRatioScorer> scorer);

  void set_scorer(std::shared_ptr<const LogRatioScorer> scorer) { scorer_ = std::move(scorer); }

  void learn(const SettledFlow& flow);

  // Those promoted since the last call, oldest first; some may be gone or merged by now.
  std::vector<Cluster> take_promoted() { return std::exchange(promoted_, {}); }

  // Whether models() would give others than at the last call.
  bool take_models_changed() { return std::exchange(models_changed_, false); }
  // Of the promoted and the confirmed clusters.
  ModelDatabase models() const;

  // Grows with every change.
  std::uint64_t version() const { return version_; }

  const std::deque<Cluster>& clusters() const { return clusters_; }
  // By name, or by number as "12" or "#12". Null if there is none.
  const Cluster* find(std::string_view name) const;

  struct Naming {
    std::string label;
    std::string family;  // "" = the label
    Category category = Category::plain;
  };
  // The operator's word: the cluster is confirmed under this label. If the label is there already for the transport,
  // it is added to that. Gives the confirmed cluster.
  Result<const Cluster*> name(std::string_view cluster, const Naming& naming);
  // `from` becomes part of `into`, which keeps its name and state.
  Result<const Cluster*> merge(std::string_view from, std::string_view into);
  Result<> forget(std::string_view cluster);

  const LearnerCounters& counters() const { return counters_; }
  const LearnerSettings& settings() const { return settings_; }

  // For the state file (learner_state.h).
  std::uint32_t next_id() const { return next_id_; }
  // Limits that are lower than what is in it rise: nothing that was kept is given up.
  void restore(std::deque<Cluster> clusters, std::uint32_t next_id);

 private:
  using Place = std::deque<Cluster>::iterator;

  bool may_be_learned(const SettledFlow& flow);
  bool within_rate(Timestamp now);
  Place best_cluster(const SettledFlow& flow);
  bool within_shares(const Cluster& cluster, const SettledFlow& flow);
  void open_cluster(const SettledFlow& flow);
  void make_room(Timestamp now);
  void consider_promotion(Cluster& cluster);
  void merge_alike();
  void publish(Cluster& cluster);
  std::string free_name(const Cluster& cluster) const;
  Place place_of(std::string_view name);

  LearnerSettings settings_;
  std::shared_ptr<const LogRatioScorer> scorer_;
  std::deque<Cluster> clusters_;
  std::vector<Cluster> promoted_;
  LearnerCounters counters_;
  std::uint32_t next_id_ = 1;
  std::uint32_t since_merge_ = 0;
  std::uint64_t version_ = 0;
  bool models_changed_ = false;
  double allowance_ = 0;  // flows that may be learned now
  Timestamp allowance_time_;
};

}  // namespace spidd
