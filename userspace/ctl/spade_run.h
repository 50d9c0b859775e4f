// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE over capture files: what it says as lines of one format, and its sums. One object for all files of a command,
// so that what the first ones teach counts for the others; state files are neither read nor written.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "userspace/report/alert_formats.h"
#include "userspace/report/events.h"
#include "userspace/spade/spade.h"

namespace spidd {

class SpadeRun final : private SpadeSink {
 public:
  // Receives whole lines, in the order of the packets that made SPADE say them.
  using Output = std::function<void(std::string_view lines)>;

  static Result<std::unique_ptr<SpadeRun>> create(SpadeSettings settings, AlertFormat format, Output output);

  void observe(const Observation& observation) { spade_->observe(observation); }

  StatsSection counters() const;
  std::string summary() const;  // a table of detectors, and what is still waiting

 private:
  SpadeRun(AlertFormat format, bool adjustments, Output output)
      : format_(format), adjustments_(adjustments), output_(std::move(output)) {}
  void alert(const SpadeAlert& alert) override;
  void adjusted(const ThresholdAdjusted& adjustment) override;

  AlertFormat format_;
  bool adjustments_;
  Output output_;
  std::unique_ptr<Spade> spade_;
  std::string line_;
};

}  // namespace spidd
