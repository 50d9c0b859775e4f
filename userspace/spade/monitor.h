// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE with what stands behind it: observations in; alerts, adjusted thresholds and incidents out. The same for the
// kernel's observations and for those of a capture file. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/spade/incidents.h"
#include "userspace/spade/packet_clock.h"
#include "userspace/spade/spade.h"
#include "userspace/spade/spade_state.h"

namespace spidd {

// Receives everything, in order, on the thread that observes. An alert comes before the incident that it opens.
class AnomalySink : public SpadeSink, public IncidentSink {};

class AnomalyMonitor final : private SpadeSink {
 public:
  // `seed` keys the hashes of tables that strangers can fill. The sink must outlive the monitor. The profile 030125 is
  // the original: scores without asset_prior, and no quarantine, whatever the settings say.
  static Result<std::unique_ptr<AnomalyMonitor>> create(SpadeSettings settings, std::uint64_t seed, AnomalySink& sink);
  AnomalyMonitor(const AnomalyMonitor&) = delete;
  AnomalyMonitor& operator=(const AnomalyMonitor&) = delete;

  void observe(const Observation& observation);
  // Time passes without packets. A clock that goes back is ignored.
  void advance(Timestamp now);
  // The end: open incidents close. Not called if they are to go on after a restart.
  void finish();

  // For the state file (state_file.h): Spade::save() and open incidents. restore(): before the first packet.
  SpadeState save() const;
  Spade::Restored restore(SpadeState state, Downtime downtime);

  Spade& spade() { return *spade_; }
  const Spade& spade() const { return *spade_; }
  // Nothing if they are switched off.
  Incidents* incidents() { return incidents_ ? &*incidents_ : nullptr; }
  const Incidents* incidents() const { return incidents_ ? &*incidents_ : nullptr; }

 private:
  explicit AnomalyMonitor(AnomalySink& sink) : sink_(sink) {}

  void alert(const SpadeAlert& alert) override;
  void adjusted(const ThresholdAdjusted& adjustment) override;
  void suspected(const Observation& packet) override { sink_.suspected(packet); }
  void advised(const ThresholdAdviser& adviser) override;
  void surveyed(const ScoreSurvey& survey, std::size_t new_rows) override;

  AnomalySink& sink_;
  PacketClock clock_;  // for incidents: as that of Spade
  std::optional<Spade> spade_;
  std::optional<Incidents> incidents_;
};

}  // namespace spidd
