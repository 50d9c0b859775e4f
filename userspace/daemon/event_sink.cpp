// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/event_sink.h"

#include <cerrno>

#include "userspace/base/log.h"
#include "userspace/engine/flow_events.h"

namespace spidd {

namespace {

constexpr Duration kWarnEvery = std::chrono::seconds(10);
constexpr std::size_t kFlushEvery = 1000;  // events: well within the log's buffer

}  // namespace

EventSink::EventSink(Enforcer& enforcer, EventOutput& output, Study& study, std::shared_ptr<const Policy> policy,
                     std::vector<std::string> interfaces, std::function<Timestamp()> clock)
    : enforcer_(enforcer),
      output_(output),
      study_(study),
      policy_(std::move(policy)),
      interfaces_(std::move(interfaces)),
      clock_(std::move(clock)) {}

std::string_view EventSink::interface_of(const Flow& flow) const {
  return flow.key.domain < interfaces_.size() ? std::string_view(interfaces_[flow.key.domain]) : std::string_view{};
}

void EventSink::decision(const FlowView& view, const Decision& decision) {
  Block made;
  const bool blocked = decision.action == Action::block && block(view, decision, made);
  AlertEvent alert = alert_event(view, decision, *policy_, interface_of(view.flow));
  alert.blocked = blocked;
  if (decision.action == Action::block && !blocked) {
    alert.would_block = true;
    alert.reason = obstacle_name(Obstacle::refused);
  }
  output_.write(alert);
  if (!blocked) return;

  const std::string target = to_string(made.target);
  DropEvent drop;
  drop.time = view.now;
  drop.change = made.since == made.expires - decision.block_for ? BlockChange::added : BlockChange::extended;
  drop.flow = alert.flow;
  drop.spid = alert.spid;
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
  order.rule = policy_->name_of(decision.rule);
  order.label = shown_label(view.flow.verdict, view.label);
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
  const FlowEvent event = flow_event(view, totals, reason, *policy_, interface_of(view.flow));
  if (reason != EndReason::shutdown) {
    output_.write(event);
    return;
  }
  output_.write_unlimited(event);
  // At the end every flow is reported at once, and there is no traffic any more that a wait could harm.
  if (++ended_at_shutdown_ % kFlushEvery == 0) output_.log().flush();
}

void EventSink::flow_settled(const SettledFlow& flow) {
  if (conversations_ != nullptr && flow.conversation) conversations_->push({flow.client.address, flow.start});
  study_.submit(flow);
}

}  // namespace spidd
