// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Makes incidents of alerts and of the outcomes of first contacts, and says which observations should not be learned.
// Source: spade.md 12.7.2 to 12.7.4.
//
// How it is used, for every observation in order:
//   spade.set_learning_filter([&](const Observation& o) { return !incidents.in_quarantine(o); });  // once
//   incidents.observe(observation);  // then
//   spade.observe(observation);      // whose sink calls incidents.alert() with every alert
// and incidents.advance(now) before Spade::advance().
//
// Not thread-safe. Never asks for the time. Memory is bounded by SpadeExtensions::max_incidents: see most_bytes().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "userspace/capture/observation.h"
#include "userspace/spade/alert.h"
#include "userspace/spade/incident.h"
#include "userspace/spade/incident_case.h"
#include "userspace/spade/packet_class.h"
#include "userspace/spade/settings.h"

namespace spidd {

class Incidents {
 public:
  struct Counters {
    std::uint64_t opened = 0;
    std::uint64_t resumed = 0;  // opened before a restart: go on
    std::uint64_t closed = 0;
    std::uint64_t given_up = 0;            // closed for room: the one with the least evidence of the oldest
    std::uint64_t attempts_forgotten = 0;  // first contacts whose outcome was not waited for, for room
    std::uint64_t sources_forgotten = 0;   // sources whose outcomes were forgotten, unsuspicious ones first
    std::uint64_t quarantined = 0;         // observations that in_quarantine() kept from being learned
    std::uint64_t contacts_failed = 0;
    std::uint64_t contacts_answered = 0;
    std::uint64_t outage = 0;  // failures that were not counted, because nobody outside answered anybody inside
  };

  // `seed` keys the hashes.
  Incidents(const SpadeExtensions& extensions, HomeNetwork home, std::uint64_t seed, IncidentSink& sink);
  ~Incidents();
  Incidents(Incidents&&) noexcept;
  Incidents& operator=(Incidents&&) noexcept;

  // Observations of which this is true are no evidence by their outcome or number; alerts always are. None: all are.
  using Exclusion = std::function<bool(const Observation&)>;
  void set_exclusion(Exclusion exclusion);

  // From now on another one is told.
  void set_sink(IncidentSink& sink);

  // Follows attempts and their outcomes. Every observation, answers and ICMP errors (kind unreachable) included.
  void observe(const Observation& observation);
  void alert(const SpadeAlert& alert);
  // A source outside that is known to receive what is sent to it, from elsewhere: a flow with payload in both
  // directions, begun at `since`. That says nothing of an incident that began later, in its name perhaps. An inside
  // host does its work meanwhile: of it, only what its incident is about says something.
  void confirm(const IpAddress& source, Timestamp since);
  // Time passes: attempts time out, idle incidents close. observe() does it too.
  void advance(Timestamp now);
  // Closes all, for the end of a capture or the daemon's stop.
  void close_all();

  // For the state file: those that are open, max_incidents at most. Restored before the first packet: they go on, and
  // nothing is said of that. Of more than max_incidents the sink hears that some are closed, as when there are too many
  // otherwise.
  OpenIncidents save() const;
  void restore(OpenIncidents saved);

  // Before the first packet: goes on with the open incidents of `before`, made with other settings, and counts on.
  void take_over(const Incidents& before);

  // Belongs to an open incident that is not known to be harmless. Counts what it keeps back.
  bool in_quarantine(const Observation& observation);

  // Open ones as they are now, in the order of their id.
  std::vector<const Incident*> open() const;
  std::size_t bytes() const;
  // What bytes() can never exceed.
  static std::size_t most_bytes(const SpadeExtensions& extensions);
  Counters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spidd
