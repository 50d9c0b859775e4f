// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/event_sink.h"

#include <cerrno>

#include "userspace/base/log.h"

namespace spidd {

namespace {

constexpr Duration kWarnEvery = std::chrono::seconds(10);
constexpr std::size_t kFlushEvery = 1000;  // events: well within the log's buffer

}  // namespace

EventFlow event_flow(const Flow& flow, std::string_view interface) {
  return {event_flow_id(flow.key, flow.start), interface, flow.client(), flow.server(), flow.key.transport};
}

EventSpid event_spid(const Verdict& verdict, const ModelSummary* label, bool with_tunnel) {
  EventSpid spid;
  spid.state = verdict.state;
  if (label != nullptr) {
    spid.label = label->label;
    spid.family = label->family;
    spid.category = label->category;
  }
  spid.score = static_cast<double>(verdict.score);
  spid.margin = static_cast<double>(verdict.margin);
  if (with_tunnel) {
    spid.tunnel_score = static_cast<double>(verdict.tunnel_score);
    spid.tunnel_margin = static_cast<double>(verdict.tunnel_margin);
  }
  spid.payload_packets = verdict.payload_packets;
  return spid;
}

EventSink::EventSink(Enforcer& enforcer, EventOutput& output, std::shared_ptr<const Policy> policy,
                     std::vector<std::string> interfaces, std::function<Timestamp()> clock)
    : enforcer_(enforcer),
      output_(output),
      policy_(std::move(policy)),
      interfaces_(std::move(interfaces)),
      clock_(std::move(clock)) {}

std::string_view EventSink::rule_name(std::uint16_t rule) const {
  return rule < policy_->rules.size() ? std::string_view(policy_->rules[rule].name) : std::string_view{};
}

std::string_view EventSink::interface_of(const Flow& flow) const {
  return flow.key.domain < interfaces_.size() ? std::string_view(interfaces_[flow.key.domain]) : std::string_view{};
}

void EventSink::decision(const FlowView& view, const Decision& decision) {
  Block made;
  const bool blocked = decision.action == Action::block && block(view, decision, made);
  const EventFlow flow = event_flow(view.flow, interface_of(view.flow));
  const EventSpid spid = event_spid(view.flow.verdict, view.label, true);

  AlertEvent alert;
  alert.time = view.now;
  alert.flow = flow;
  alert.spid = spid;
  alert.rule = rule_name(decision.rule);
  alert.rule_number = decision.rule;
  alert.blocked = blocked;
  alert.would_block = decision.would_block || (decision.action == Action::block && !blocked);
  output_.write(alert);
  if (!blocked) return;

  const std::string target = to_string(made.target);
  DropEvent drop;
  drop.time = view.now;
  drop.change = made.since == made.expires - decision.block_for ? BlockChange::added : BlockChange::extended;
  drop.flow = flow;
  drop.spid = spid;
  drop.scope = decision.scope;
  drop.target = target;
  drop.rule = alert.rule;
  drop.expires = made.expires;
  output_.write(drop);
}

// A verdict that did not come from a packet (a pause, the end of a flow) says nothing about the way's speed.
bool EventSink::block(const FlowView& view, const Decision& decision, Block& made) {
  const bool from_packet = view.flow.last == view.now;
  BlockOrder order;
  order.target = block_target(decision.scope, view.flow.key, view.flow.server());
  order.now = clock_();
  order.duration = decision.block_for;
  order.rule = rule_name(decision.rule);
  order.label = view.label == nullptr ? "" : view.label->label;
  order.rule_number = decision.rule;
  auto block = enforcer_.block(std::move(order));
  const Timestamp now = clock_();
  if (block) {
    if (from_packet) enforcer_.note_latency(now - view.now);
    made = std::move(*block);
    return true;
  }
  const bool expected = block.error().code == EPERM || block.error().code == EINVAL;
  if (!expected && now - last_warning_ >= kWarnEvery) {
    last_warning_ = now;
    log_warning("{}", block.error().message);
  } else {
    log_debug("{}", block.error().message);
  }
  return false;
}

void EventSink::flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason) {
  FlowEvent event;
  event.time = view.now;
  event.flow = event_flow(view.flow, interface_of(view.flow));
  event.counters = totals.counters;
  event.start = view.flow.start;
  event.end = totals.last;
  event.reason = end_reason_name(reason);
  event.spid = event_spid(view.flow.verdict, view.label, false);
  event.action = view.flow.verdict.action;
  event.rule = rule_name(view.flow.verdict.rule);
  output_.write(event);
  // At the end every flow is reported at once, and there is no traffic any more that a wait could harm.
  if (reason == EndReason::shutdown && ++ended_at_shutdown_ % kFlushEvery == 0) output_.log().flush();
}

}  // namespace spidd
