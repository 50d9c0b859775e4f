// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/unknown_learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "userspace/spid/model_edit.h"

namespace spidd {

namespace {

constexpr std::size_t kMostPromoted = 256;  // not yet taken

std::size_t count_of(const std::deque<Cluster>& clusters, bool confirmed) {
  return static_cast<std::size_t>(std::ranges::count_if(
      clusters, [confirmed](const Cluster& c) { return (c.state == ClusterState::confirmed) == confirmed; }));
}

bool is_called(const Cluster& cluster, std::string_view name) {
  if (!cluster.name.empty() && cluster.name == name) return true;
  return name == fmt::to_string(cluster.id) || name == fmt::format("#{}", cluster.id);
}

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> named_counters(const LearnerCounters& counters) {
  return {{"flows_joined", counters.joined},
          {"flows_opened", counters.opened},
          {"flows_identified", counters.identified},
          {"flows_not_unknown", counters.not_unknown},
          {"flows_one_way", counters.one_way},
          {"flows_too_short", counters.too_short},
          {"flows_touched", counters.touched},
          {"flows_too_fast", counters.too_fast},
          {"flows_client_share", counters.client_share},
          {"flows_pair_share", counters.pair_share},
          {"flows_switched_off", counters.switched_off},
          {"clusters_evicted", counters.evicted},
          {"clusters_merged", counters.merged},
          {"clusters_promoted", counters.promoted}};
}

UnknownLearner::UnknownLearner(LearnerSettings settings, std::shared_ptr<const LogRatioScorer> scorer)
    : settings_(settings), scorer_(std::move(scorer)), allowance_(settings.flows_per_second) {}

void UnknownLearner::learn(const SettledFlow& flow) {
  if (!may_be_learned(flow)) return;
  const Place cluster = best_cluster(flow);
  if (cluster == clusters_.end()) {
    open_cluster(flow);
  } else {
    if (!within_shares(*cluster, flow)) return;
    cluster->add(flow, settings_.occasion_gap, settings_.max_bins);
    ++counters_.joined;
    consider_promotion(*cluster);
  }
  ++version_;
  if (++since_merge_ >= settings_.merge_every) merge_alike();
}

bool UnknownLearner::may_be_learned(const SettledFlow& flow) {
  const auto refuse = [](std::uint64_t& counter) {
    ++counter;
    return false;
  };
  if (settings_.max_clusters == 0) return refuse(counters_.switched_off);
  const bool identified = flow.verdict.state == IdentificationState::identified;
  if (identified && !flow.provisional) return refuse(counters_.identified);
  if (!identified && flow.verdict.verdict_class != VerdictClass::unknown) return refuse(counters_.not_unknown);
  if (flow.touched()) return refuse(counters_.touched);
  if (flow.view != View::both) return refuse(counters_.one_way);
  if (flow.fingerprint.payload_packets < settings_.min_packets) return refuse(counters_.too_short);
  if (!within_rate(flow.time)) return refuse(counters_.too_fast);
  return true;
}

bool UnknownLearner::within_rate(Timestamp now) {
  const double rate = settings_.flows_per_second;
  const double passed = std::chrono::duration<double>(now - allowance_time_).count();
  allowance_ = std::min(rate, allowance_ + std::max(0.0, passed) * rate);
  allowance_time_ = now;
  if (allowance_ < 1) return false;
  allowance_ -= 1;
  return true;
}

// Confirmed ones learn no more. A flow that the model of a provisional one was given to belongs there.
UnknownLearner::Place UnknownLearner::best_cluster(const SettledFlow& flow) {
  const Transport transport = model_transport(flow.key.transport);
  Place best = clusters_.end();
  float best_score = settings_.join_score;
  for (auto cluster = clusters_.begin(); cluster != clusters_.end(); ++cluster) {
    if (cluster->state == ClusterState::confirmed || cluster->transport != transport) continue;
    if (flow.provisional && cluster->name == flow.label) return cluster;
    const float score = scorer_->score(flow.fingerprint, cluster->counters);
    if (score < best_score || (best != clusters_.end() && score == best_score)) continue;
    best = cluster;
    best_score = score;
  }
  return best;
}

// What one client may add, and one client with one server. Where there are so few clients that each must give more than
// its share, the limit holds for each occasion: only a client that comes back later can give more.
bool UnknownLearner::within_shares(const Cluster& cluster, const SettledFlow& flow) {
  const auto* const pair = cluster.pairs.find(pair_hash(flow));
  const auto* const client = cluster.clients.find(flow.client.address);
  const bool new_occasion = flow.time - cluster.occasion_began > settings_.occasion_gap;
  const auto lately = [new_occasion](const auto* entry) {
    return entry == nullptr || new_occasion ? 0U : entry->lately;
  };
  if (lately(pair) >= settings_.pair_flows) {
    ++counters_.pair_share;
    return false;
  }
  const auto share = static_cast<std::uint32_t>(settings_.client_share * (cluster.flows + 1));
  const std::uint32_t limit = std::max(settings_.pair_flows, share);
  const bool enough_clients = static_cast<double>(cluster.clients.size()) * settings_.client_share >= 1;
  const std::uint32_t given = client == nullptr ? 0U : enough_clients ? client->flows : lately(client);
  if (given >= limit) {
    ++counters_.client_share;
    return false;
  }
  return true;
}

void UnknownLearner::open_cluster(const SettledFlow& flow) {
  make_room(flow.time);
  Cluster& cluster = clusters_.emplace_back();
  cluster.id = next_id_++;
  cluster.add(flow, settings_.occasion_gap, settings_.max_bins);
  ++counters_.opened;
}

void UnknownLearner::make_room(Timestamp now) {
  while (count_of(clusters_, false) >= settings_.max_clusters) {
    Place least = clusters_.end();
    for (auto cluster = clusters_.begin(); cluster != clusters_.end(); ++cluster) {
      if (cluster->state == ClusterState::confirmed) continue;
      if (least == clusters_.end() ||
          cluster->weight(now, settings_.half_life) < least->weight(now, settings_.half_life))
        least = cluster;
    }
    if (least->state == ClusterState::provisional) models_changed_ = true;
    clusters_.erase(least);
    ++counters_.evicted;
  }
}

void UnknownLearner::consider_promotion(Cluster& cluster) {
  if (cluster.state == ClusterState::confirmed) return;
  if (cluster.state == ClusterState::provisional) {
    // Each new model costs every worker its tables: not for every flow.
    if (cluster.flows >= 2 * cluster.published_flows) publish(cluster);
    return;
  }
  if (cluster.flows < settings_.promote_flows || cluster.payload_packets < settings_.promote_packets) return;
  if (cluster.clients.size() < settings_.promote_clients && cluster.occasions < settings_.promote_occasions) return;
  cluster.measure_consistency(*scorer_);
  if (cluster.consistency <= settings_.promote_consistency) return;
  cluster.name = cluster.family = free_name(cluster);
  cluster.state = ClusterState::provisional;
  publish(cluster);
  ++counters_.promoted;
  if (promoted_.size() < kMostPromoted) promoted_.push_back(cluster);
}

void UnknownLearner::publish(Cluster& cluster) {
  cluster.measure_consistency(*scorer_);
  cluster.published_flows = cluster.flows;
  models_changed_ = true;
}

// Of two with names neither goes: only an operator may say that they are the same.
void UnknownLearner::merge_alike() {
  since_merge_ = 0;
  const auto alike = [this](const Cluster& a, const Cluster& b) {
    return a.transport == b.transport && (a.state == ClusterState::anonymous || b.state == ClusterState::anonymous) &&
           scorer_->score(a.counters, b.counters) > settings_.merge_score &&
           scorer_->score(b.counters, a.counters) > settings_.merge_score;
  };
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    for (std::size_t j = i + 1; j < clusters_.size();) {
      Cluster& kept = clusters_[i];
      Cluster& other = clusters_[j];
      if (kept.state == ClusterState::confirmed || other.state == ClusterState::confirmed || !alike(kept, other)) {
        ++j;
        continue;
      }
      if (other.state == ClusterState::provisional) std::swap(kept, other);
      kept.merge(other, settings_.occasion_gap, settings_.max_bins);
      clusters_.erase(clusters_.begin() + static_cast<std::ptrdiff_t>(j));
      ++counters_.merged;
      consider_promotion(clusters_[i]);
    }
  }
}

std::string UnknownLearner::free_name(const Cluster& cluster) const {
  for (std::uint64_t hash = cluster.content_hash();; ++hash) {
    std::string name = fmt::format("unknown-{:04x}", (hash ^ (hash >> 16U) ^ (hash >> 32U)) & 0xffffU);
    if (std::ranges::find(clusters_, name, &Cluster::name) == clusters_.end()) return name;
  }
}

ModelDatabase UnknownLearner::models() const {
  ModelDatabase database;
  for (const Cluster& cluster : clusters_)
    if (cluster.state != ClusterState::anonymous) database.models.push_back(cluster.to_model());
  std::ranges::sort(database.models, [](const ProtocolModel& a, const ProtocolModel& b) {
    return std::pair(std::string_view(a.label), a.transport) < std::pair(std::string_view(b.label), b.transport);
  });
  return database;
}

UnknownLearner::Place UnknownLearner::place_of(std::string_view name) {
  return std::ranges::find_if(clusters_, [name](const Cluster& cluster) { return is_called(cluster, name); });
}

const Cluster* UnknownLearner::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(clusters_, [name](const Cluster& cluster) { return is_called(cluster, name); });
  return found == clusters_.end() ? nullptr : &*found;
}

Result<const Cluster*> UnknownLearner::name(std::string_view cluster, const Naming& naming) {
  const Place place = place_of(cluster);
  if (place == clusters_.end()) return fail("nothing learned is called '{}'", cluster);
  if (!is_valid_label(naming.label))
    return fail("'{}' is not a label: a-z, 0-9, '_', '.', '-', at most 48", naming.label);
  if (naming.label.starts_with("unknown")) return fail("'{}' would be taken for what nobody has named", naming.label);
  if (std::ranges::all_of(naming.label, [](char c) { return c >= '0' && c <= '9'; }))
    return fail("'{}' would be taken for the number of a cluster", naming.label);
  const std::string& family = naming.family.empty() ? naming.label : naming.family;
  for (const std::string& given : {naming.label, family})
    if (const auto good = check_given_name(given); !good) return tl::unexpected(good.error());
  const auto known = std::ranges::find_if(clusters_, [&](const Cluster& other) {
    return &other != &*place && other.name == naming.label && other.transport == place->transport;
  });
  if (known != clusters_.end()) {
    if (known->state != ClusterState::confirmed) return fail("'{}' is another cluster: merge them", naming.label);
    return merge(cluster, naming.label);
  }
  if (place->state != ClusterState::confirmed && count_of(clusters_, true) >= settings_.max_confirmed)
    return fail("{} protocols are confirmed already: forget one, or export it to the models", settings_.max_confirmed);
  if (place->state != ClusterState::confirmed) place->measure_consistency(*scorer_);
  place->members.clear();
  place->state = ClusterState::confirmed;
  place->name = naming.label;
  place->family = family;
  place->category = naming.category;
  place->published_flows = place->flows;
  models_changed_ = true;
  ++version_;
  return &*place;
}

Result<const Cluster*> UnknownLearner::merge(std::string_view from, std::string_view into) {
  const Place source = place_of(from);
  if (source == clusters_.end()) return fail("nothing learned is called '{}'", from);
  const Place target = place_of(into);
  if (target == clusters_.end()) return fail("nothing learned is called '{}'", into);
  if (source == target) return fail("'{}' and '{}' are the same", from, into);
  if (source->transport != target->transport)
    return fail("'{}' is of {}, '{}' of {}", from, transport_name(source->transport), into,
                transport_name(target->transport));
  if (source->state == ClusterState::confirmed && target->state != ClusterState::confirmed)
    return fail("'{}' is confirmed and '{}' is not: merge the other way round", from, into);
  const std::uint32_t kept = target->id;
  target->merge(*source, settings_.occasion_gap, settings_.max_bins);
  if (target->state == ClusterState::provisional) target->measure_consistency(*scorer_);
  target->published_flows = target->flows;
  clusters_.erase(source);
  ++counters_.merged;
  ++version_;
  models_changed_ = true;
  const auto result = std::ranges::find(clusters_, kept, &Cluster::id);
  if (result->state == ClusterState::anonymous) consider_promotion(*result);
  return &*result;
}

Result<> UnknownLearner::forget(std::string_view cluster) {
  const Place place = place_of(cluster);
  if (place == clusters_.end()) return fail("nothing learned is called '{}'", cluster);
  if (place->state != ClusterState::anonymous) models_changed_ = true;
  clusters_.erase(place);
  ++version_;
  return {};
}

void UnknownLearner::restore(std::deque<Cluster> clusters, std::uint32_t next_id) {
  clusters_ = std::move(clusters);
  next_id_ = std::max(next_id_, next_id);
  const auto at_least = [](std::uint32_t& limit, std::size_t count) {
    limit = std::max(limit, static_cast<std::uint32_t>(count));
  };
  if (settings_.max_clusters != 0) at_least(settings_.max_clusters, count_of(clusters_, false));
  at_least(settings_.max_confirmed, count_of(clusters_, true));
  for (const Cluster& cluster : clusters_) at_least(settings_.max_bins, cluster.counters.rows().size());
  models_changed_ = true;
}

}  // namespace spidd
