// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE over capture files: what it says as lines of one format, and its sums. One object for all files of a command,
// so that what the first ones teach counts for the others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "userspace/policy/policy.h"
#include "userspace/report/alert_formats.h"
#include "userspace/report/events.h"
#include "userspace/spade/monitor.h"

namespace spidd {

class SpadeRun final : private AnomalySink {
 public:
  // Receives whole lines, in the order of the packets that made SPADE say them.
  using Output = std::function<void(std::string_view lines)>;

  // `policy` decides what is said of incidents; nothing is blocked.
  static Result<std::unique_ptr<SpadeRun>> create(SpadeSettings settings, AlertFormat format,
                                                  std::shared_ptr<const Policy> policy, Output output);

  // Before the first packet: goes on with what a state file knows, if there is one. Returns what of it was not usable,
  // one sentence each.
  Result<std::vector<std::string>> load_state(const std::string& path);
  // After finish(): for the next run, or for spidd.
  Result<> save_state(const std::string& path) const;
  SpadeState whole_state() const;

  void observe(const Observation& observation);
  // The end: time passes until nothing waits for a response any more, then incidents close.
  void finish();

  StatsSection counters() const;
  StatsSection incident_counters() const;  // empty without incidents
  std::string summary() const;             // a table of detectors, and the incidents
  // The content of the original's log file, with what the surveys have at its end.
  std::string log() const;

 private:
  SpadeRun(AlertFormat format, bool adjustments, std::shared_ptr<const Policy> policy, Output output)
      : format_(format), adjustments_(adjustments), policy_(std::move(policy)), output_(std::move(output)) {}
  void alert(const SpadeAlert& alert) override;
  void adjusted(const ThresholdAdjusted& adjustment) override;
  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override;
  template <class Event>
  void print(const Event& event);

  AlertFormat format_;
  bool adjustments_;
  std::shared_ptr<const Policy> policy_;
  Output output_;
  std::unique_ptr<AnomalyMonitor> monitor_;
  std::map<IncidentKind, std::uint64_t> closed_;  // incidents, by what they were in the end
  std::size_t entries_without_room_ = 0;
  std::string line_;
};

}  // namespace spidd
