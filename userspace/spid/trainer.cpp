// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/trainer.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace spidd {

std::vector<bool> select_flows(const TrainingSet& set, const TrainingRules& rules) {
  using Label = std::pair<std::string, Transport>;
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

std::vector<Fingerprint> measure_flows(const TrainingSet& set, const std::vector<bool>& use, unsigned payload_packets) {
  std::vector<Fingerprint> fingerprints(set.flows.size());
  AttributeMeters meters;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    if (!use[i]) continue;
    const std::span<const PayloadPacket> packets = set.flows[i].packets;
    meters.measure(packets.first(std::min<std::size_t>(packets.size(), payload_packets)), fingerprints[i]);
  }
  return fingerprints;
}

ModelDatabase train_models(const TrainingSet& set, std::span<const Fingerprint> fingerprints,
                           const std::vector<bool>& use) {
  ModelDatabase database;
  std::set<std::tuple<std::string, Transport, std::uint32_t>> captures;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    if (!use[i]) continue;
    const LabelledFlow& flow = set.flows[i];
    ProtocolModel& model = database.find_or_add(flow.label, flow.transport, flow.category, flow.family);
    model.add(fingerprints[i]);
    if (captures.emplace(flow.label, flow.transport, flow.capture).second) ++model.captures;
  }
  return database;
}

}  // namespace spidd
