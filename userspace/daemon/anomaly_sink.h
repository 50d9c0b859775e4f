// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the daemon does with what SPADE says: blocks where a rule about incidents asks for it, then reports.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "userspace/daemon/anomaly_files.h"
#include "userspace/daemon/enforcer.h"
#include "userspace/daemon/event_output.h"
#include "userspace/policy/policy.h"
#include "userspace/spade/monitor.h"

namespace spidd {

// Used on the anomaly thread. `enforcer` and `output` are shared and must outlive the sink.
class DaemonAnomalySink final : public AnomalySink {
 public:
  // `interfaces`: names by observation domain. `clock`: now, on the clock of the observations.
  DaemonAnomalySink(Enforcer& enforcer, EventOutput& output, std::shared_ptr<const Policy> policy,
                    std::vector<std::string> interfaces, std::function<Timestamp()> clock);

  void alert(const SpadeAlert& alert) override;
  void adjusted(const ThresholdAdjusted& adjustment) override;
  void suspected(const Observation& packet) override;
  void advised(const ThresholdAdviser& adviser) override;
  void surveyed(const ScoreSurvey& survey, std::size_t new_rows) override;
  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override;

  void set_policy(std::shared_ptr<const Policy> policy) { policy_ = std::move(policy); }
  // For what surveys and advisers say; must outlive what is observed.
  void set_files(AnomalyFiles* files) { files_ = files; }
  // Is told of the hosts that incidents are about which the policy reports, each time one is.
  void on_incident(std::function<void(const IpAddress&, Timestamp)> listener) {
    incident_listener_ = std::move(listener);
  }
  // Is told of everything suspicious, before it is reported.
  void on_suspicion(std::function<void(const Observation&)> listener) { listener_ = std::move(listener); }

 private:
  void tell_of_hosts(const Incident& incident, Timestamp now);
  bool block(const Incident& incident, const IncidentDecision& decision);
  std::string_view interface_of(std::uint16_t domain) const;

  Enforcer& enforcer_;
  EventOutput& output_;
  std::shared_ptr<const Policy> policy_;
  std::vector<std::string> interfaces_;
  std::function<Timestamp()> clock_;
  std::function<void(const Observation&)> listener_;
  std::function<void(const IpAddress&, Timestamp)> incident_listener_;
  AnomalyFiles* files_ = nullptr;
  Timestamp last_warning_{};
};

}  // namespace spidd
