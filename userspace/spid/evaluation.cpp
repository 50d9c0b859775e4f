// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>

namespace spidd {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : kNothing; }

// Outcomes as small numbers; equal ones are counted together, for each set of groups that is drawn goes over them
// again.
struct Counted {
  int truth = 0;  // class of the truth
  int named = -1;
  bool known = false;
  std::size_t group = 0;

  auto operator<=>(const Counted&) const = default;
};

Figure with_interval(double value, std::vector<double> drawn) {
  // What a set of groups has nothing of, it says nothing about.
  std::vector<double> sorted;
  std::ranges::copy_if(drawn, std::back_inserter(sorted), [](double one) { return !std::isnan(one); });
  std::ranges::sort(sorted);
  const auto percentile = [&](double share) {
    if (sorted.empty()) return value;
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  return {value, percentile(0.025), percentile(0.975), std::move(drawn)};
}

// Requires: some of them are not 0.
double f1_of(double right, double wrong, double missed) { return 2 * right / (2 * right + wrong + missed); }

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
  for (std::size_t k = 0; k < Count; ++k) figures[k] = with_interval(values[k], std::move(drawn[k]));
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

struct NameSums {
  double right = 0;
  double wrong = 0;
  double flows = 0;
};

const std::string& true_name(const Outcome& outcome, NameLevel level) {
  return level == NameLevel::family ? outcome.family : outcome.trained_as;
}

const std::string& given_name(const Outcome& outcome, NameLevel level) {
  switch (level) {
    case NameLevel::label:
      return outcome.named_label;
    case NameLevel::nearest:
      return outcome.nearest;
    default:
      return outcome.named;
  }
}

// For each class of 0..classes-1: how many flows it has, and from where. Class -1 is not counted.
struct ClassSizes {
  ClassSizes(std::span<const int> class_of_flow, std::span<const Outcome> outcomes, std::size_t classes)
      : flows(classes), groups(classes), captures(classes) {
    for (std::size_t i = 0; i < class_of_flow.size(); ++i) {
      if (class_of_flow[i] < 0) continue;
      const auto index = static_cast<std::size_t>(class_of_flow[i]);
      ++flows[index];
      groups[index].insert(outcomes[i].group);
      captures[index].insert(outcomes[i].capture);
    }
  }
  bool can_be_known(std::size_t index) const {
    return flows[index] >= kLeastFlows && groups[index].size() >= kLeastGroups;
  }

  std::vector<std::uint64_t> flows;
  std::vector<std::set<std::uint32_t>> groups;
  std::vector<std::set<std::uint32_t>> captures;
};

// How well the lead alone would tell tunnels from the rest. `label`: number of the tunnel label of each outcome.
void rank_leads(std::span<const Outcome> outcomes, std::span<const int> label, int excepted, TunnelFigures& figures) {
  struct Ranked {
    float lead;
    double tunnel;  // weight
    double benign;
  };
  std::map<int, double> flows_of;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (label[i] >= 0 && label[i] != excepted) flows_of[label[i]] += 1;
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].is_tunnel) ranked.push_back({outcomes[i].lead, 0, 1 / static_cast<double>(figures.benign)});
    if (label[i] < 0 || label[i] == excepted) continue;
    ranked.push_back({outcomes[i].lead, 1 / (flows_of[label[i]] * static_cast<double>(flows_of.size())), 0});
  }
  if (flows_of.empty() || figures.benign == 0) return;
  std::ranges::sort(ranked, std::greater{}, &Ranked::lead);
  double tunnels = 0, benign = 0, area = 0;
  bool found = false;
  for (auto next = ranked.begin(); next != ranked.end();) {
    double more_tunnels = 0, more_benign = 0;
    const float lead = next->lead;
    for (; next != ranked.end() && next->lead == lead; ++next) {
      more_tunnels += next->tunnel;
      more_benign += next->benign;
    }
    area += more_benign * (tunnels + more_tunnels / 2);  // equal leads count one half
    tunnels += more_tunnels;
    benign += more_benign;
    if (!found && tunnels >= 0.95 - 1e-9) {
      figures.false_at_95 = benign;
      found = true;
    }
  }
  figures.area = area;
}

}  // namespace

Figure difference(const Figure& changed, const Figure& figure) {
  std::vector<double> drawn;
  for (std::size_t i = 0; i < std::min(changed.drawn.size(), figure.drawn.size()); ++i)
    drawn.push_back(changed.drawn[i] - figure.drawn[i]);
  return with_interval(changed.value - figure.value, std::move(drawn));
}

NameFigures evaluate_names(std::span<const Outcome> outcomes, NameLevel level, unsigned resamples) {
  NameFigures figures;
  Index names;
  std::size_t groups = 0;
  const auto group = group_numbers(outcomes, groups);
  std::map<Counted, double> flows_of;
  std::vector<int> name_of_known;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    const std::string& given = given_name(outcome, level);
    const int truth = names.of(true_name(outcome, level));
    ++flows_of[{truth, given.empty() ? -1 : names.of(given), outcome.known, group[i]}];
    name_of_known.push_back(outcome.known ? truth : -1);
    ++(outcome.known ? figures.known : figures.novel);
  }
  const ClassSizes sizes(name_of_known, outcomes, names.size());

  std::vector<NameSums> sums(names.size());
  const auto sum_up = [&](const std::vector<double>& weights) {
    std::fill(sums.begin(), sums.end(), NameSums{});
    double named = 0, right = 0, known = 0, named_all = 0, right_all = 0, novel = 0, novel_named = 0;
    for (const auto& [flow, flows] : flows_of) {
      const double weight = weights[flow.group] * flows;
      if (weight == 0) continue;
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
      const NameSums& name = sums[k];
      if (name.flows == 0) continue;
      const double own = f1_of(name.right, name.wrong, name.flows - name.right);
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
  figures.accuracy = with[2];
  figures.macro_f1 = with[3];
  figures.macro_f1_all = with[4];
  figures.novel_named = with[5];

  sum_up(std::vector<double>(groups, 1.0));
  for (const auto& [name, number] : names.names()) {
    const auto k = static_cast<std::size_t>(number);
    const NameSums& sum = sums[k];
    if (sum.flows == 0) continue;
    ClassFigures row;
    row.name = name;
    row.flows = static_cast<std::uint64_t>(sum.flows);
    row.groups = sizes.groups[k].size();
    row.captures = sizes.captures[k].size();
    row.right = static_cast<std::uint64_t>(sum.right);
    row.wrong = static_cast<std::uint64_t>(sum.wrong);
    row.precision = ratio(sum.right, sum.right + sum.wrong);
    row.recall = ratio(sum.right, sum.flows);
    row.f1 = f1_of(sum.right, sum.wrong, sum.flows - sum.right);
    figures.classes.push_back(row);
  }
  return figures;
}

TunnelFigures evaluate_tunnels(std::span<const Outcome> outcomes, const std::string& excepted, unsigned resamples) {
  TunnelFigures figures;
  struct Sums {
    double flows = 0;
    double alerts = 0;
    double blocks = 0;

    void add(const Sums& other, double weight) {
      flows += weight * other.flows;
      alerts += weight * other.alerts;
      blocks += weight * other.blocks;
    }
  };
  Index labels;
  std::size_t groups = 0;
  const auto group = group_numbers(outcomes, groups);
  std::vector<int> label(outcomes.size(), -1);
  std::map<std::pair<int, std::size_t>, Sums> sums_of;  // by tunnel label (benign: -1) and group
  std::map<std::string, FalseFigures> false_of;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    if (outcome.is_tunnel && !outcome.known) continue;
    if (outcome.is_tunnel) label[i] = labels.of(outcome.label);
    sums_of[{label[i], group[i]}].add({1, outcome.alert ? 1.0 : 0, outcome.block ? 1.0 : 0}, 1);
    if (outcome.is_tunnel) {
      figures.tunnels += outcome.label == excepted ? 0 : 1;
      continue;
    }
    ++figures.benign;
    FalseFigures& row = false_of[outcome.label];
    row.label = outcome.label;
    row.flows += 1;
    row.alerts += outcome.alert ? 1 : 0;
    row.blocks += outcome.block ? 1 : 0;
    figures.false_alerts += outcome.alert ? 1 : 0;
    figures.false_blocks += outcome.block ? 1 : 0;
  }
  const ClassSizes sizes(label, outcomes, labels.size());
  const int no_mean = labels.names().contains(excepted) ? labels.of(excepted) : -1;

  std::vector<Sums> sums(labels.size());
  const auto sum_up = [&](const std::vector<double>& weights) {
    std::fill(sums.begin(), sums.end(), Sums{});
    Sums benign;
    Sums tunnels;
    for (const auto& [key, counted] : sums_of) {
      const auto& [name, of_group] = key;
      (name < 0 ? benign : sums[static_cast<std::size_t>(name)]).add(counted, weights[of_group]);
      if (name >= 0 && name != no_mean) tunnels.add(counted, weights[of_group]);
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
    return std::array<double, 7>{ratio(alert, present),
                                 ratio(alert_all, present_all),
                                 ratio(tunnels.alerts, tunnels.flows),
                                 ratio(benign.alerts, benign.flows),
                                 ratio(block, present),
                                 ratio(tunnels.blocks, tunnels.flows),
                                 ratio(benign.blocks, benign.flows)};
  };
  const auto with = with_intervals<7>(groups, resamples, sum_up);
  figures.alert_recall = with[0];
  figures.alert_recall_all = with[1];
  figures.alert_flows = with[2];
  figures.alert_false = with[3];
  figures.block_recall = with[4];
  figures.block_flows = with[5];
  figures.block_false = with[6];

  sum_up(std::vector<double>(groups, 1.0));
  for (const auto& [name, number] : labels.names()) {
    const auto k = static_cast<std::size_t>(number);
    ClassFigures row;
    row.name = name;
    row.flows = static_cast<std::uint64_t>(sums[k].flows);
    row.groups = sizes.groups[k].size();
    row.captures = sizes.captures[k].size();
    row.right = static_cast<std::uint64_t>(sums[k].alerts);
    row.wrong = static_cast<std::uint64_t>(sums[k].blocks);
    row.recall = ratio(sums[k].alerts, sums[k].flows);
    figures.labels.push_back(row);
  }
  for (const auto& [name, row] : false_of)
    if (row.alerts + row.blocks > 0) figures.false_ones.push_back(row);
  std::ranges::stable_sort(figures.false_ones, std::greater{}, &FalseFigures::alerts);
  rank_leads(outcomes, label, no_mean, figures);
  return figures;
}

std::vector<ConfusionCell> confusion_of(std::span<const Outcome> outcomes, NameLevel level) {
  std::map<std::pair<std::string, std::string>, ConfusionCell> cells;
  std::map<std::pair<std::string, std::string>, std::set<std::uint32_t>> captures;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.known) continue;
    const std::pair key(true_name(outcome, level), given_name(outcome, level));
    ConfusionCell& cell = cells[key];
    cell.truth = key.first;
    cell.named = key.second;
    ++cell.flows;
    captures[key].insert(outcome.capture);
  }
  std::vector<ConfusionCell> result;
  for (auto& [key, cell] : cells) {
    cell.captures = captures[key].size();
    result.push_back(std::move(cell));
  }
  return result;
}

std::vector<ConfusionCell> worst_confusions(std::vector<ConfusionCell> cells, std::size_t most) {
  std::erase_if(cells, [](const ConfusionCell& cell) { return cell.right(); });
  std::ranges::stable_sort(cells, std::greater{}, &ConfusionCell::flows);
  if (cells.size() > most) cells.resize(most);
  return cells;
}

double upper_limit(std::uint64_t hits, std::uint64_t trials) {
  if (hits >= trials) return 1;
  const auto n = static_cast<double>(trials);
  // Probability of at most `hits` where the share is p, term by term in logarithms.
  const auto so_few = [&](double p) {
    double sum = 0;
    for (std::uint64_t k = 0; k <= hits; ++k) {
      const auto x = static_cast<double>(k);
      sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + x * std::log(p) +
                      (n - x) * std::log1p(-p));
    }
    return sum;
  };
  double low = static_cast<double>(hits) / n;
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (so_few(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

}  // namespace spidd
