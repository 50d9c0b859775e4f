// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/flow_events.h"

namespace spidd {

namespace {

std::string_view rule_name(const Policy& policy, std::uint16_t rule) {
  return rule < policy.rules.size() ? std::string_view(policy.rules[rule].name) : std::string_view();
}

}  // namespace

EventFlow event_flow(const FlowView& view) {
  const Flow& flow = view.flow;
  return {.id = event_flow_id(flow.key, flow.start),
          .interface = {},
          .client = flow.client(),
          .server = flow.server(),
          .transport = flow.key.transport};
}

EventSpid event_spid(const FlowView& view, bool with_tunnel_scores) {
  const Verdict& verdict = view.flow.verdict;
  EventSpid spid;
  spid.state = verdict.state;
  if (view.label != nullptr) {
    spid.label = view.label->label;
    spid.family = view.label->family;
    spid.category = view.label->category;
  }
  spid.score = static_cast<double>(verdict.score);
  spid.margin = static_cast<double>(verdict.margin);
  if (with_tunnel_scores) {
    spid.tunnel_score = static_cast<double>(verdict.tunnel_score);
    spid.tunnel_margin = static_cast<double>(verdict.tunnel_margin);
  }
  spid.payload_packets = verdict.payload_packets;
  return spid;
}

FlowEvent flow_event(const FlowView& view, const FlowTotals& totals, EndReason reason, const Policy& policy) {
  return {.time = view.now,
          .flow = event_flow(view),
          .counters = totals.counters,
          .start = view.flow.start,
          .end = totals.last,
          .reason = end_reason_name(reason),
          .spid = event_spid(view, false),
          .action = view.flow.verdict.action,
          .rule = rule_name(policy, view.flow.verdict.rule)};
}

AlertEvent alert_event(const FlowView& view, const Decision& decision, const Policy& policy) {
  return {.time = view.now,
          .flow = event_flow(view),
          .spid = event_spid(view, true),
          .rule = rule_name(policy, decision.rule),
          .rule_number = decision.rule,
          .would_block = decision.would_block};
}

}  // namespace spidd
