// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An incident of SPADE as a JSON object, like those of events.h. userspace/report/README.md shows one.
#pragma once

#include <string>
#include <string_view>

#include "userspace/spade/incident.h"

namespace spidd {

struct IncidentEvent {
  Timestamp time;  // at which it is said
  const Incident* incident = nullptr;
  IncidentCause cause = IncidentCause::opened;
  std::string_view interface;  // "" if that is not known
  std::string_view rule;       // that decided; "" = none
  bool blocked = false;        // its source is blocked now
  bool would_block = false;    // the rule says block, `reason` says otherwise
  std::string_view reason;     // obstacle_name()
};

// Appends one JSON object, without a line end.
void append_json(std::string& out, const IncidentEvent& event);

}  // namespace spidd
