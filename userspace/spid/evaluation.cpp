// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/evaluation.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>

namespace spidd {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Outcomes as small numbers, in the order of their groups, so that drawing a group again is adding its counters.
struct Counted {
  int truth = 0;  // class of the truth
  int named = -1;
  bool known = false;
};

double f1_of(double right, double wrong, double missed) { return ratio(2 * right, 2 * right + wrong + missed); }

// Draws groups with replacement `resamples` times and gives the 2.5 and 97.5 percentile of each statistic.
// `statistics(weight)` computes all of them for one weight per group.
template <std::size_t Count, class Statistics>
std::array<Figure, Count> with_intervals(std::size_t groups, unsigned resamples, Statistics statistics) {
  std::vector<double> weights(groups, 1.0);
  const std::array<double, Count> values = statistics(weights);
  std::array<std::vector<double>, Count> drawn;
  std::mt19937_64 random(groups * 1009 + 17);  // the same data give the same interval
  std::uniform_int_distribution<std::size_t> pick(0, groups == 0 ? 0 : groups - 1);
  for (unsigned i = 0; groups > 0 && i < resamples; ++i) {
    std::fill(weights.begin(), weights.end(), 0.0);
    for (std::size_t draw = 0; draw < groups; ++draw) weights[pick(random)] += 1;
    const auto sample = statistics(weights);
    for (std::size_t k = 0; k < Count; ++k) drawn[k].push_back(sample[k]);
  }
  std::array<Figure, Count> figures;
  for (std::size_t k = 0; k < Count; ++k) {
    std::sort(drawn[k].begin(), drawn[k].end());
    const auto percentile = [&](double share) {
      if (drawn[k].empty()) return values[k];
      return drawn[k][static_cast<std::size_t>(share * static_cast<double>(drawn[k].size() - 1))];
    };
    figures[k] = {values[k], percentile(0.025), percentile(0.975)};
  }
  return figures;
}

// Numbers for names.
class Index {
 public:
  int of(const std::string& name) { return index_.try_emplace(name, static_cast<int>(index_.size())).first->second; }
  std::size_t size() const { return index_.size(); }
  const std::map<std::string, int>& names() const { return index_; }

 private:
  std::map<std::string, int> index_;
};

// Numbers of groups, from 0.
std::vector<std::size_t> group_numbers(std::span<const Outcome> outcomes, std::size_t& count) {
  std::map<std::uint32_t, std::size_t> numbers;
  std::vector<std::size_t> result;
  for (const Outcome& outcome : outcomes) {
    result.push_back(numbers.try_emplace(outcome.group, numbers.size()).first->second);
  }
  count = numbers.size();
  return result;
}

struct FamilySums {
  double right = 0;
  double wrong = 0;
  double flows = 0;
};

// For each class of 0..classes-1: how many groups its flows come from, and how many flows. Class -1 is not counted.
struct ClassSizes {
  ClassSizes(std::span<const int> class_of_flow, std::span<const std::size_t> group, std::size_t classes)
      : flows(classes), groups(classes) {
    for (std::size_t i = 0; i < class_of_flow.size(); ++i) {
      if (class_of_flow[i] < 0) continue;
      const auto index = static_cast<std::size_t>(class_of_flow[i]);
      ++flows[index];
      groups[index].insert(group[i]);
    }
  }
  bool can_be_known(std::size_t index) const {
    return flows[index] >= kLeastFlows && groups[index].size() >= kLeastGroups;
  }

  std::vector<std::uint64_t> flows;
  std::vector<std::set<std::size_t>> groups;
};

}  // namespace

NameFigures evaluate_names(std::span<const Outcome> outcomes, unsigned resamples) {
  NameFigures figures;
  Index families;
  std::vector<Counted> counted;
  for (const Outcome& outcome : outcomes) {
    counted.push_back(
        {families.of(outcome.family), outcome.named.empty() ? -1 : families.of(outcome.named), outcome.known});
    ++(outcome.known ? figures.known : figures.novel);
  }
  std::size_t groups = 0;
  const auto group = group_numbers(outcomes, groups);

  std::vector<int> family_of_known;
  for (const Counted& flow : counted) family_of_known.push_back(flow.known ? flow.truth : -1);
  const ClassSizes sizes(family_of_known, group, families.size());

  std::vector<FamilySums> sums(families.size());
  const auto sum_up = [&](const std::vector<double>& weights) {
    std::fill(sums.begin(), sums.end(), FamilySums{});
    double named = 0, right = 0, known = 0, named_all = 0, right_all = 0, novel = 0, novel_named = 0;
    for (std::size_t i = 0; i < counted.size(); ++i) {
      const double weight = weights[group[i]];
      if (weight == 0) continue;
      const Counted& flow = counted[i];
      const bool is_right = flow.named == flow.truth;
      named_all += flow.named >= 0 ? weight : 0;
      right_all += is_right ? weight : 0;
      if (!flow.known) {
        novel += weight;
        novel_named += flow.named >= 0 ? weight : 0;
        continue;
      }
      known += weight;
      named += flow.named >= 0 ? weight : 0;
      right += is_right ? weight : 0;
      sums[static_cast<std::size_t>(flow.truth)].flows += weight;
      if (is_right) sums[static_cast<std::size_t>(flow.truth)].right += weight;
      if (!is_right && flow.named >= 0) sums[static_cast<std::size_t>(flow.named)].wrong += weight;
    }
    double f1 = 0, present = 0, f1_all = 0, present_all = 0;
    for (std::size_t k = 0; k < sums.size(); ++k) {
      const FamilySums& family = sums[k];
      if (family.flows == 0) continue;
      const double own = f1_of(family.right, family.wrong, family.flows - family.right);
      present_all += 1;
      f1_all += own;
      if (!sizes.can_be_known(k)) continue;
      present += 1;
      f1 += own;
    }
    return std::array<double, 6>{ratio(right, named), ratio(right_all, named_all), ratio(right, known),
                                 ratio(f1, present),  ratio(f1_all, present_all),  ratio(novel_named, novel)};
  };
  const auto with = with_intervals<6>(groups, resamples, sum_up);
  figures.precision = with[0];
  figures.precision_all = with[1];
  figures.recall = with[2];
  figures.macro_f1 = with[3];
  figures.macro_f1_all = with[4];
  figures.novel_named = with[5];

  sum_up(std::vector<double>(groups, 1.0));
  for (const auto& [name, number] : families.names()) {
    const FamilySums& family = sums[static_cast<std::size_t>(number)];
    if (family.flows == 0) continue;
    ClassFigures row;
    row.name = name;
    row.flows = static_cast<std::uint64_t>(family.flows);
    row.groups = sizes.groups[static_cast<std::size_t>(number)].size();
    row.right = static_cast<std::uint64_t>(family.right);
    row.wrong = static_cast<std::uint64_t>(family.wrong);
    row.precision = ratio(family.right, family.right + family.wrong);
    row.recall = ratio(family.right, family.flows);
    row.f1 = f1_of(family.right, family.wrong, family.flows - family.right);
    figures.families.push_back(row);
  }
  return figures;
}

TunnelFigures evaluate_tunnels(std::span<const Outcome> outcomes, const std::string& excepted, unsigned resamples) {
  TunnelFigures figures;
  struct Sums {
    double flows = 0;
    double alerts = 0;
    double blocks = 0;
  };
  Index labels;
  std::vector<int> label(outcomes.size(), -1);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    if (outcome.is_tunnel && outcome.known) label[i] = labels.of(outcome.label);
    figures.tunnels += outcome.is_tunnel && outcome.known ? 1 : 0;
    figures.benign += outcome.is_tunnel ? 0 : 1;
  }
  std::size_t groups = 0;
  const auto group = group_numbers(outcomes, groups);
  const ClassSizes sizes(label, group, labels.size());
  const int no_mean = labels.names().contains(excepted) ? labels.of(excepted) : -1;

  std::vector<Sums> sums(labels.size());
  const auto sum_up = [&](const std::vector<double>& weights) {
    std::fill(sums.begin(), sums.end(), Sums{});
    Sums benign;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].is_tunnel && label[i] < 0) continue;
      Sums& sum = outcomes[i].is_tunnel ? sums[static_cast<std::size_t>(label[i])] : benign;
      const double weight = weights[group[i]];
      sum.flows += weight;
      sum.alerts += outcomes[i].alert ? weight : 0;
      sum.blocks += outcomes[i].block ? weight : 0;
    }
    double alert = 0, block = 0, present = 0, alert_all = 0, present_all = 0;
    for (std::size_t k = 0; k < sums.size(); ++k) {
      if (sums[k].flows == 0 || static_cast<int>(k) == no_mean) continue;
      const double recall = ratio(sums[k].alerts, sums[k].flows);
      present_all += 1;
      alert_all += recall;
      if (!sizes.can_be_known(k)) continue;
      present += 1;
      alert += recall;
      block += ratio(sums[k].blocks, sums[k].flows);
    }
    return std::array<double, 5>{ratio(alert, present), ratio(alert_all, present_all),
                                 ratio(benign.alerts, benign.flows), ratio(block, present),
                                 ratio(benign.blocks, benign.flows)};
  };
  const auto with = with_intervals<5>(groups, resamples, sum_up);
  figures.alert_recall = with[0];
  figures.alert_recall_all = with[1];
  figures.alert_false = with[2];
  figures.block_recall = with[3];
  figures.block_false = with[4];

  sum_up(std::vector<double>(groups, 1.0));
  for (const auto& [name, number] : labels.names()) {
    const Sums& sum = sums[static_cast<std::size_t>(number)];
    ClassFigures row;
    row.name = name;
    row.flows = static_cast<std::uint64_t>(sum.flows);
    row.groups = sizes.groups[static_cast<std::size_t>(number)].size();
    row.right = static_cast<std::uint64_t>(sum.alerts);
    row.wrong = static_cast<std::uint64_t>(sum.blocks);
    row.recall = ratio(sum.alerts, sum.flows);
    figures.labels.push_back(row);
  }
  return figures;
}

}  // namespace spidd
