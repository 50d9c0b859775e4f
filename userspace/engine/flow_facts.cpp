// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/flow_facts.h"

#include <algorithm>

namespace spidd {

View model_view(const Flow& flow) {
  constexpr unsigned kToServer = 1U << static_cast<unsigned>(Direction::to_server);
  if (flow.answered || flow.directions_seen == 3) return View::both;
  return flow.directions_seen == kToServer ? View::to_server : View::to_client;
}

std::uint16_t find_model(std::span<const ModelSummary> models, std::string_view label, Transport transport, View view) {
  for (std::size_t i = 0; i < models.size(); ++i)
    if (models[i].label == label && models[i].transport == transport && models[i].view == view)
      return static_cast<std::uint16_t>(i);
  return kNoModel;
}

namespace {

NamedModel name_of(std::uint16_t model, std::span<const ModelSummary> models) {
  if (model == kNoModel) return {};
  return {models[model].label, models[model].family};
}

}  // namespace

FlowFacts facts_of(const Flow& flow, std::span<const ModelSummary> models) {
  const Verdict& verdict = flow.verdict;
  FlowFacts facts;
  facts.client = flow.client();
  facts.server = flow.server();
  facts.transport = flow.key.transport;
  facts.state = verdict.state;
  if (verdict.state == IdentificationState::identified) {
    const ModelSummary& model = models[verdict.model];
    facts.label = model.label;
    facts.family = model.family;
    facts.category = model.category;
    facts.provisional = model.provisional;
    facts.model_may_block = model.may_block && verdict.basis == LabelBasis::scores;
    facts.rival = name_of(verdict.rival, models);
    facts.best_tunnel = name_of(verdict.tunnel_model, models);
    facts.best_other = name_of(verdict.other_model, models);
  }
  facts.verdict_class = verdict.verdict_class;
  facts.fully_encrypted = verdict.fully_encrypted;
  facts.one_way = verdict.one_way;
  facts.second_look = verdict.second_look;
  facts.duration = std::max(Duration{}, flow.last - flow.start);
  facts.payload_packets = verdict.payload_packets;
  facts.score = static_cast<double>(verdict.score);
  facts.margin = static_cast<double>(verdict.margin);
  facts.tunnel_score = static_cast<double>(verdict.tunnel_score);
  facts.tunnel_margin = static_cast<double>(verdict.tunnel_margin);
  return facts;
}

EndpointObservation observation_of(const Flow& flow, std::span<const ModelSummary> models, Timestamp now) {
  const Verdict& verdict = flow.verdict;
  EndpointObservation observation;
  observation.server = server_key(flow);
  observation.client = flow.client().address;
  observation.time = now;
  observation.flow = std::hash<FlowKey>{}(flow.key) ^ static_cast<std::uint64_t>(flow.start.time_since_epoch().count());
  if (verdict.state == IdentificationState::identified) {
    const ModelSummary& model = models[verdict.model];
    observation.label = label_id(model.label);
    observation.family = label_id(model.family);
    observation.tunnel = model.category == Category::tunnel;
  }
  observation.fully_encrypted = verdict.verdict_class == VerdictClass::fully_encrypted;
  observation.tunnel_margin = verdict.tunnel_margin;
  return observation;
}

void add_endpoint(FlowFacts& facts, EndpointRecord record, const EndpointObservation& flow, bool observed) {
  if (!observed) record.add(flow);
  facts.endpoint_flows = record.flows;
  facts.agreeing_flows = record.agreeing(flow);
  facts.mean_tunnel_margin = static_cast<double>(record.mean_tunnel_margin);
}

}  // namespace spidd
