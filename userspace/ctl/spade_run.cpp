// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/spade_run.h"

#include "userspace/report/table.h"

namespace spidd {

Result<std::unique_ptr<SpadeRun>> SpadeRun::create(SpadeSettings settings, AlertFormat format, Output output) {
  const bool adjustments = settings.adjustments != SpadeDestination::none;
  std::unique_ptr<SpadeRun> run(new SpadeRun(format, adjustments, std::move(output)));
  auto spade = Spade::create(std::move(settings), *run);
  if (!spade) return tl::unexpected(spade.error());
  run->spade_ = std::make_unique<Spade>(std::move(*spade));
  return run;
}

void SpadeRun::alert(const SpadeAlert& alert) {
  line_.clear();
  append_alert(line_, format_, alert);
  output_(line_);
}

void SpadeRun::adjusted(const ThresholdAdjusted& adjustment) {
  if (!adjustments_) return;
  line_.clear();
  append_alert(line_, format_, adjustment);
  output_(line_);
}

StatsSection SpadeRun::counters() const {
  const SpadeStatistics statistics = spade_->statistics();
  std::uint64_t reported = 0;
  std::uint64_t cancelled = 0;
  for (const DetectorStatistics& detector : statistics.detectors) {
    reported += detector.reported;
    cancelled += detector.cancelled;
  }
  return {"spade",
          {{"observations", statistics.observations},
           {"updates", statistics.updates},
           {"alerts", reported},
           {"cancelled", cancelled},
           {"waiting", statistics.waiting},
           {"waiting_refused", statistics.waiting_refused},
           {"attempts_forgotten", statistics.attempts_forgotten},
           {"table_entries", statistics.table_entries},
           {"entries_evicted", statistics.entries_evicted},
           {"observations_refused", statistics.observations_refused}}};
}

std::string SpadeRun::summary() const {
  const SpadeStatistics statistics = spade_->statistics();
  Table table({{"DETECTOR"},
               {"ACTIVITY"},
               {"SCOPE"},
               {"THRESHOLD", Align::right},
               {"SCORED", Align::right},
               {"TOO EARLY", Align::right},
               {"OVER", Align::right},
               {"EXCLUDED", Align::right},
               {"WAITED", Align::right},
               {"ANSWERED", Align::right},
               {"ALERTS", Align::right}});
  for (const DetectorStatistics& detector : statistics.detectors)
    table.add({detector.id, detector.activity, detector.scope, fmt::format("{:.4f}", detector.threshold),
               fmt::to_string(detector.evaluated), fmt::to_string(detector.insufficient),
               fmt::to_string(detector.anomalous), fmt::to_string(detector.excluded), fmt::to_string(detector.waited),
               fmt::to_string(detector.cancelled), fmt::to_string(detector.reported)});
  return fmt::format(
      "{}SPADE: {} packets observed, {} remembered counts; {} reports still waited for a response at the end\n",
      table.text(), statistics.observations, statistics.table_entries, statistics.waiting);
}

}  // namespace spidd
