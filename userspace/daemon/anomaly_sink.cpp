// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_sink.h"

#include <cerrno>

#include "userspace/base/log.h"

namespace spidd {

namespace {

constexpr Duration kWarnEvery = std::chrono::seconds(10);

}  // namespace

DaemonAnomalySink::DaemonAnomalySink(Enforcer& enforcer, EventOutput& output, std::shared_ptr<const Policy> policy,
                                     std::vector<std::string> interfaces, std::function<Timestamp()> clock)
    : enforcer_(enforcer),
      output_(output),
      policy_(std::move(policy)),
      interfaces_(std::move(interfaces)),
      clock_(std::move(clock)) {}

std::string_view DaemonAnomalySink::interface_of(std::uint16_t domain) const {
  return domain < interfaces_.size() ? std::string_view(interfaces_[domain]) : std::string_view{};
}

void DaemonAnomalySink::alert(const SpadeAlert& alert) {
  output_.write(alert, interface_of(alert.packet.domain), policy_->spade.destination);
}

void DaemonAnomalySink::suspected(const Observation& packet) {
  if (listener_) listener_(packet);
}

void DaemonAnomalySink::adjusted(const ThresholdAdjusted& adjustment) {
  output_.write(adjustment, policy_->spade.adjustments);
}

void DaemonAnomalySink::advised(const ThresholdAdviser& /*adviser*/) {
  if (files_ != nullptr) files_->advised();
}

void DaemonAnomalySink::surveyed(const ScoreSurvey& survey, std::size_t new_rows) {
  if (files_ != nullptr) files_->surveyed(survey, new_rows);
}

void DaemonAnomalySink::incident(const Incident& incident, IncidentCause cause, Timestamp now) {
  const IncidentDecision decision = decide(incident, *policy_);
  if (decision.action == Action::pass) return;
  tell_of_hosts(incident, now);
  const bool block_wanted = decision.action == Action::block && cause != IncidentCause::closed;
  IncidentEvent event;
  event.time = now;
  event.incident = &incident;
  event.cause = cause;
  event.interface = interface_of(incident.domain);
  event.rule = policy_->name_of(decision.rule);
  event.blocked = block_wanted && block(incident, decision);
  IncidentObstacle obstacle = decision.obstacle;
  if (block_wanted && !event.blocked) obstacle = IncidentObstacle::refused;
  event.would_block = obstacle != IncidentObstacle::none;
  event.reason = obstacle_name(obstacle);
  output_.write(event, policy_->spade.destination);
}

// Of a target the sources are to blame.
void DaemonAnomalySink::tell_of_hosts(const Incident& incident, Timestamp now) {
  if (!incident_listener_) return;
  if (incident.side == IncidentSide::source) incident_listener_(incident.host, now);
  if (incident.side == IncidentSide::target)
    for (const IncidentExample& example : incident.examples) incident_listener_(example.source, now);
}

bool DaemonAnomalySink::block(const Incident& incident, const IncidentDecision& decision) {
  BlockOrder order;
  order.target = HostTarget{IpPrefix::of_host(incident.host)};
  order.now = clock_();
  order.duration = decision.block_for;
  order.rule = policy_->name_of(decision.rule);
  order.label = incident_kind_name(incident.kind);
  order.rule_number = decision.rule;
  const auto made = enforcer_.block(std::move(order));
  if (made) return true;
  const bool expected = made.error().code == EPERM || made.error().code == EINVAL;
  if (!expected && order.now - last_warning_ >= kWarnEvery) {
    last_warning_ = order.now;
    log_warning("{}", made.error().message);
  } else {
    log_debug("{}", made.error().message);
  }
  return false;
}

}  // namespace spidd
