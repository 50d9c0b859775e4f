// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which detectors share a table, and what of a packet is looked up and recorded in it.
#include "userspace/spade/table_set.h"

#include <algorithm>
#include <array>
#include <random>

namespace spidd {

namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

bool is_prefix(const std::vector<Feature>& shorter, const std::vector<Feature>& longer) {
  return shorter.size() <= longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
}

bool can_share(const TableNeed& a, const TableNeed& b) {
  return a.recorded == b.recorded && a.decay == b.decay &&
         (is_prefix(a.features, b.features) || is_prefix(b.features, a.features));
}

// The first values of a packet, as the table has them.
class Values {
 public:
  Values(const std::vector<Feature>& features, std::size_t depth, const Observation& packet) : depth_(depth) {
    for (std::size_t i = 0; i < depth; i++) values_[i] = value_of(features[i], packet);
  }
  operator std::span<const FeatureValue>() const { return {values_.data(), depth_}; }

 private:
  std::array<FeatureValue, ProbabilityTable::kMaxDepth> values_;
  std::size_t depth_;
};

constexpr std::uint64_t kLeastBytes =
    ProbabilityTable::kFixedBytes + ProbabilityTable::kMinEntries * ProbabilityTable::kBytesPerEntry;

// A table, and whose needs it serves.
struct Plan {
  TableNeed need;
  std::vector<std::size_t> entropy_depths;
};

// `plan_of_need`: which of them serves each need, in their order.
std::vector<Plan> plan(std::span<const TableNeed> needs, std::vector<std::size_t>* plan_of_need) {
  std::vector<Plan> plans;
  for (const TableNeed& need : needs) {
    auto plan = std::find_if(plans.begin(), plans.end(), [&](const Plan& p) { return can_share(p.need, need); });
    if (plan == plans.end()) plan = plans.insert(plans.end(), {need, {}});
    if (need.features.size() > plan->need.features.size()) plan->need.features = need.features;
    if (need.entropy_depth > 0) plan->entropy_depths.push_back(need.entropy_depth);
    if (plan_of_need != nullptr) plan_of_need->push_back(static_cast<std::size_t>(plan - plans.begin()));
  }
  return plans;
}

}  // namespace

Result<std::uint64_t> least_table_bytes(const SpadeSettings& settings) {
  const Compatibility compatibility = Compatibility::of(settings.profile);
  const bool asset_prior = settings.extensions.asset_prior && settings.profile != SpadeProfile::v030125;
  std::vector<TableNeed> needs;
  for (const DetectorSettings& wanted : settings.detectors) {
    auto detector = Detector::create(wanted, compatibility, asset_prior);
    if (!detector) return tl::unexpected<Error>(std::move(detector.error()));
    needs.insert(needs.end(), detector->tables().begin(), detector->tables().end());
  }
  return plan(needs, nullptr).size() * kLeastBytes;
}

Result<TableSet> TableSet::create(std::span<const TableNeed> needs, std::uint64_t max_bytes) {
  TableSet set;
  const std::vector<Plan> plans = plan(needs, &set.table_of_need_);
  const std::uint64_t least = plans.size() * kLeastBytes;
  if (least > max_bytes) {
    return fail("the detectors need {} tables of at least {} bytes together, max_table_bytes is {}", plans.size(),
                least, max_bytes);
  }
  std::size_t levels = 0;
  for (const Plan& plan : plans) levels += plan.need.features.size();
  for (const Plan& plan : plans) {
    const std::uint64_t bytes = (max_bytes - least) / levels * plan.need.features.size();
    const std::size_t entries = bytes / ProbabilityTable::kBytesPerEntry + ProbabilityTable::kMinEntries;
    Kinds kind = (plan.need.recorded & condition::kRepresentative) != 0 ? kLiveSources : kMessages;
    if ((plan.need.recorded & (condition::kSyn | condition::kUdp)) != 0) kind = kAttempts;
    std::vector<std::size_t> depths = plan.entropy_depths;
    std::ranges::sort(depths);
    depths.erase(std::unique(depths.begin(), depths.end()), depths.end());
    set.tables_.push_back({plan.need.recorded,
                           kind,
                           0,
                           0,
                           {},
                           std::move(depths),
                           entries,
                           ProbabilityTable(plan.need.features, plan.need.decay, entries, random_seed())});
    track_entropies(set.tables_.back());
  }
  return set;
}

void TableSet::track_entropies(Table& table) {
  for (const std::size_t depth : table.entropy_depths) table.table.track_entropy(depth);
}

void TableSet::clear(Index index) {
  Table& table = tables_[index];
  table.table = ProbabilityTable(table.table.features(), table.table.decay(), table.max_entries, random_seed());
  track_entropies(table);
}

void TableSet::advance(std::int64_t second) {
  for (Table& table : tables_) table.table.advance(second);
}

const ProbabilityTable::Counts& TableSet::counts(Index index, const Observation& packet) {
  Table& table = tables_[index];
  if (table.looked_up == packet_) return table.counts;
  table.looked_up = packet_;
  const std::vector<Feature>& features = table.table.features();
  if (table.kind == kLiveSources) {
    const FeatureValue destination = value_of(packet.destination);
    table.counts = table.table.counts({&destination, 1});
  } else {
    table.counts = table.table.counts(Values(features, features.size(), packet));
  }
  return table.counts;
}

double TableSet::entropy(Index index, const Observation& packet, std::size_t depth) const {
  const ProbabilityTable& table = tables_[index].table;
  return table.entropy(Values(table.features(), depth, packet));
}

bool TableSet::is_live(Index index, const IpAddress& host) const {
  const FeatureValue value = value_of(host);
  return tables_[index].table.counts({&value, 1}).at[1] > 0;
}

unsigned TableSet::record(const Observation& packet, Conditions conditions, Kinds kinds) {
  unsigned recorded = 0;
  for (Table& table : tables_) {
    if ((table.kind & kinds) == 0 || (conditions & table.recorded) != table.recorded) continue;
    const std::vector<Feature>& features = table.table.features();
    table.table.record(Values(features, features.size(), packet), packet.count);
    table.observations += packet.count;
    recorded++;
  }
  return recorded;
}

bool TableSet::is_recorded(Conditions conditions, Kinds kinds) const {
  return std::any_of(tables_.begin(), tables_.end(), [&](const Table& table) {
    return (table.kind & kinds) != 0 && (conditions & table.recorded) == table.recorded;
  });
}

}  // namespace spidd
