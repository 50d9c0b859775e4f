// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE with what stands behind it: observations in; alerts, adjusted thresholds and incidents out. The same for the
// kernel's observations and for those of a capture file. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/incidents.h"
#include "userspace/spade/packet_clock.h"
#include "userspace/spade/spade.h"
#include "userspace/spade/spade_state.h"

namespace spidd {

// Receives everything, in order, on the thread that observes. An alert comes before the incident that it opens.
class AnomalySink : public SpadeSink, public IncidentSink {};

//
// What it says has the times of the packets, also after their clock was set back (SteadyTime); Spade and Incidents are
// in steady time then. The profile 030125 has a clock that never goes back, as the original.
class AnomalyMonitor final : private AnomalySink {
 public:
  // `seed` keys the hashes of tables that strangers can fill. The sink must outlive the monitor. The profile 030125 is
  // the original: scores without asset_prior, no incidents and no quarantine, whatever the settings say.
  static Result<std::unique_ptr<AnomalyMonitor>> create(SpadeSettings settings, std::uint64_t seed, AnomalySink& sink);
  AnomalyMonitor(const AnomalyMonitor&) = delete;
  AnomalyMonitor& operator=(const AnomalyMonitor&) = delete;

  void observe(const Observation& observation);
  // Time passes without packets. A clock that goes back is ignored.
  void advance(Timestamp now);
  // Of packets and of advance(), outliers aside; nothing before the first.
  std::optional<Timestamp> now() const;
  // The end: open incidents close. Not called if they are to go on after a restart.
  void finish();

  // For the state file (state_file.h): Spade::save() and open incidents. restore(): before the first packet.
  SpadeState save() const;
  Spade::Restored restore(SpadeState state, Downtime downtime);

  // Before the first packet: goes on where `before` is, with other settings (Spade::take_over()). What it knows of
  // incidents goes on as if nothing had happened if nothing about them is changed; else those that are open go on.
  // Without incidents they close. `before` is then good for nothing.
  Spade::Restored take_over(AnomalyMonitor& before);

  // See Spade. What is reported so early is no evidence for incidents.
  void cut_short();

  Spade& spade() { return *spade_; }
  const Spade& spade() const { return *spade_; }
  // Nothing if they are switched off.
  Incidents* incidents() { return incidents_ ? &*incidents_ : nullptr; }
  const Incidents* incidents() const { return incidents_ ? &*incidents_ : nullptr; }
  // Those that are open, in the order of their id.
  std::vector<Incident> open_incidents() const;

 private:
  explicit AnomalyMonitor(AnomalySink& sink) : sink_(sink) {}

  void alert(const SpadeAlert& alert) override;
  void adjusted(const ThresholdAdjusted& adjustment) override;
  void suspected(const Observation& packet) override { sink_.suspected(packet); }
  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override;
  void advised(const ThresholdAdviser& adviser) override;
  void surveyed(const ScoreSurvey& survey, std::size_t new_rows) override;

  void leave_out_what_is_excluded();
  Incident dated(const Incident& incident) const;

  AnomalySink& sink_;
  PacketClock clock_;  // for incidents: as that of Spade
  SteadyTime time_;
  std::optional<Spade> spade_;
  std::optional<Incidents> incidents_;
  bool cutting_short_ = false;
};

}  // namespace spidd
