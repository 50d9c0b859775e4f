// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/trainer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "userspace/spid/fold_models.h"

namespace spidd {
namespace {

using Label = std::pair<std::string, Transport>;

constexpr std::array kViews = {View::both, View::to_server, View::to_client};
constexpr unsigned kCalibrationFolds = 10;
constexpr double kMissedShare = 0.02;  // of a label's own flows that the threshold may cost
constexpr float kHighestThreshold = 0.6F;

std::string model_name(const LabelledFlow& flow) {
  return fmt::format("{}.{}", flow.label, transport_name(flow.transport));
}

}  // namespace

std::vector<bool> select_flows(const TrainingSet& set, const TrainingRules& rules) {
  std::map<std::pair<Label, std::uint32_t>, unsigned> of_capture;
  std::map<Label, unsigned> of_label;
  std::vector<bool> use(set.flows.size());
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    const LabelledFlow& flow = set.flows[i];
    const Label label{flow.label, flow.transport};
    if (flow.packets.empty() || ++of_capture[{label, flow.capture}] > rules.flows_per_capture) continue;
    use[i] = true;
    ++of_label[label];
  }
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    if (of_label[{set.flows[i].label, set.flows[i].transport}] < rules.min_flows) use[i] = false;
  }
  return use;
}

std::vector<bool> spread_flows(const TrainingSet& set, const std::vector<bool>& use, const TrainingRules& rules) {
  std::map<std::pair<Label, std::uint32_t>, std::vector<std::size_t>> of_group;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    const LabelledFlow& flow = set.flows[i];
    if (use[i]) of_group[{{flow.label, flow.transport}, flow.group}].push_back(i);
  }
  std::vector<bool> spread(set.flows.size());
  for (const auto& [key, flows] : of_group) {
    const std::size_t count = std::min<std::size_t>(flows.size(), rules.flows_per_group);
    for (std::size_t i = 0; i < count; ++i) spread[flows[i * flows.size() / count]] = true;
  }
  return spread;
}

View view_of(std::span<const PayloadPacket> packets, bool answered) {
  if (answered) return View::both;
  const auto sent = std::ranges::count(packets, Direction::to_server, &PayloadPacket::direction);
  if (sent == 0) return View::to_client;
  return static_cast<std::size_t>(sent) == packets.size() ? View::to_server : View::both;
}

FlowFingerprints measure_flows(const TrainingSet& set, const std::vector<bool>& use, unsigned payload_packets,
                               MeterRules rules) {
  FlowFingerprints fingerprints;
  for (auto& view : fingerprints.views) view.resize(set.flows.size());
  AttributeMeters meters(rules);
  std::vector<PayloadPacket> one_way;
  std::vector<PayloadTail> one_way_tails;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    if (!use[i]) continue;
    const std::span<const PayloadPacket> all = set.flows[i].packets;
    const auto packets = all.first(std::min<std::size_t>(all.size(), payload_packets));
    const auto& tails = set.flows[i].tails;
    if (view_of(packets, set.flows[i].answered) == View::both) meters.measure(packets, fingerprints.views[0][i], tails);
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      one_way.clear();
      one_way_tails.clear();
      for (std::size_t k = 0; k < packets.size(); ++k) {
        if (packets[k].direction != direction) continue;
        one_way.push_back(packets[k]);
        if (k < tails.size()) one_way_tails.push_back(tails[k]);
      }
      const View view = direction == Direction::to_server ? View::to_server : View::to_client;
      if (!one_way.empty())
        meters.measure(one_way, fingerprints.views[static_cast<std::size_t>(view)][i], one_way_tails);
    }
  }
  return fingerprints;
}

ModelDatabase train_models(const TrainingSet& set, const FlowFingerprints& fingerprints, const std::vector<bool>& use) {
  ModelDatabase database;
  std::set<std::tuple<std::string, Transport, View, std::uint64_t>> captures;
  for (const View view : kViews) {
    for (std::size_t i = 0; i < set.flows.size(); ++i) {
      if (!use[i] || fingerprints[view][i].rows.empty()) continue;
      const LabelledFlow& flow = set.flows[i];
      ProtocolModel& model = database.find_or_add(flow.label, flow.transport, flow.category, flow.family, view);
      model.add(fingerprints[view][i]);
      const std::uint64_t capture = set.capture_identity(flow);
      if (!captures.emplace(flow.label, flow.transport, view, capture).second) continue;
      ++model.captures;
      if (set.hash_known(flow.capture)) model.remember_capture(capture);
    }
  }
  return database;
}

std::vector<unsigned> folds_of_groups(const TrainingSet& set, const std::vector<bool>& use, unsigned folds) {
  std::map<std::uint32_t, std::map<std::string, unsigned>> labels_of_group;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    if (use[i]) ++labels_of_group[set.flows[i].group][model_name(set.flows[i])];
  }
  std::map<std::string, unsigned> groups_of_label;
  for (const auto& [group, labels] : labels_of_group) {
    for (const auto& [label, flows] : labels) ++groups_of_label[label];
  }
  const auto rarest = [&](std::uint32_t group) {
    unsigned least = ~0U;
    for (const auto& [label, flows] : labels_of_group[group]) least = std::min(least, groups_of_label[label]);
    return least;
  };
  std::vector<std::uint32_t> order;
  for (const auto& entry : labels_of_group) order.push_back(entry.first);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rarest(a) < rarest(b); });

  std::vector<unsigned> fold_of_group(set.groups.size(), 0);
  std::vector<std::map<std::string, unsigned>> load(folds);
  std::vector<unsigned> flows_of_fold(folds, 0);
  for (const std::uint32_t group : order) {
    unsigned best = 0;
    std::pair<double, unsigned> least{1e9, 0};
    for (unsigned fold = 0; fold < folds; ++fold) {
      double crowding = 0;
      for (const auto& [label, flows] : labels_of_group[group]) {
        crowding += static_cast<double>(load[fold][label]) / groups_of_label[label];
      }
      if (std::pair(crowding, flows_of_fold[fold]) < least) {
        least = {crowding, flows_of_fold[fold]};
        best = fold;
      }
    }
    fold_of_group[group] = best;
    for (const auto& [label, flows] : labels_of_group[group]) {
      ++load[best][label];
      flows_of_fold[best] += flows;
    }
  }
  return fold_of_group;
}

void calibrate_thresholds(const TrainingSet& set, const FlowFingerprints& fingerprints, const std::vector<bool>& use,
                          const TrainingRules& rules, ModelDatabase& database, Profile profile) {
  const std::vector<unsigned> folds = folds_of_groups(set, use, kCalibrationFolds);
  const std::vector<bool> spread = spread_flows(set, use, rules);
  FoldModels models(set, fingerprints, spread);
  std::vector<std::vector<float>> scores_of(models.database().models.size());
  std::vector<bool> out(set.flows.size());
  std::vector<bool> tested(set.flows.size());
  for (unsigned fold = 0; fold < kCalibrationFolds; ++fold) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool in_fold = folds[set.flows[i].group] == fold;
      out[i] = spread[i] && in_fold;
      tested[i] = use[i] && in_fold && set.flows[i].category != Category::tunnel;
    }
    models.take_out(out);
    models.score_own(tested, scores_of, profile);
    models.put_back(out);
  }
  for (ProtocolModel& model : database.models) {
    const std::size_t index = models.index_of(model.label, model.transport, model.view);
    if (index == FoldModels::kNone || scores_of[index].empty()) continue;
    std::vector<float>& own = scores_of[index];
    std::sort(own.begin(), own.end());
    const auto at = static_cast<std::size_t>(kMissedShare * static_cast<double>(own.size() - 1));
    model.threshold = std::clamp(own[at], 0.0F, kHighestThreshold);
  }
}

}  // namespace spidd
