// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/flow_events.h"

namespace spidd {

EventFlow event_flow(const Flow& flow, std::string_view interface) {
  return {event_flow_id(flow.key, flow.start), interface, flow.client(), flow.server(), flow.key.transport};
}

std::string_view shown_label(const Verdict& verdict, const ModelSummary* label) {
  if (label == nullptr) return {};
  return verdict.verdict_class == VerdictClass::tunnel ? verdict_class_name(VerdictClass::tunnel) : label->label;
}

EventSpid event_spid(const Verdict& verdict, const ModelSummary* label, bool with_tunnel_scores) {
  EventSpid spid;
  spid.state = verdict.state;
  spid.verdict_class = verdict.verdict_class;
  if (label != nullptr) {
    spid.label = shown_label(verdict, label);
    spid.family = label->family;
    spid.category = label->category;
  }
  spid.score = static_cast<double>(verdict.score);
  spid.margin = static_cast<double>(verdict.margin);
  if (with_tunnel_scores) {
    spid.tunnel_score = static_cast<double>(verdict.tunnel_score);
    spid.tunnel_margin = static_cast<double>(verdict.tunnel_margin);
  }
  spid.divergence = static_cast<double>(verdict.divergence);
  spid.one_way = verdict.one_way;
  spid.fully_encrypted = verdict.fully_encrypted;
  spid.second_look = verdict.second_look;
  spid.basis = verdict.basis;
  spid.payload_packets = verdict.payload_packets;
  return spid;
}

FlowEvent flow_event(const FlowView& view, const FlowTotals& totals, EndReason reason, const Policy& policy,
                     std::string_view interface) {
  FlowEvent event;
  event.time = view.now;
  event.flow = event_flow(view.flow, interface);
  event.counters = totals.counters;
  event.start = view.flow.start;
  event.end = totals.last;
  event.reason = end_reason_name(reason);
  event.spid = event_spid(view.flow.verdict, view.label, false);
  event.action = view.flow.verdict.action;
  event.rule = policy.name_of(view.flow.verdict.rule);
  return event;
}

AlertEvent alert_event(const FlowView& view, const Decision& decision, const Policy& policy,
                       std::string_view interface) {
  AlertEvent event;
  event.time = view.now;
  event.flow = event_flow(view.flow, interface);
  event.spid = event_spid(view.flow.verdict, view.label, true);
  event.rule = policy.name_of(decision.rule);
  event.rule_number = decision.rule;
  event.blocked = decision.action == Action::block;
  event.would_block = decision.would_block;
  event.reason = obstacle_name(decision.obstacle);
  if (const Expectation* const expectation = policy.expectation(decision.rule)) event.expected = expectation->words();
  return event;
}

}  // namespace spidd
