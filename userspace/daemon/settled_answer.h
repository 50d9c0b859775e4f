// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The answer to "settled_flow": what was measured of a flow that settled, as both ends of the control socket write and
// read it. Counts come as numbers "row, count, row, count, ..." (userspace/spid/attribute_meter.h); both ends must have
// the same meters.
#pragma once

#include <nlohmann/json.hpp>

#include "userspace/learning/settled_flow.h"

namespace spidd {

// `rules`: that the flow was measured with.
nlohmann::ordered_json settled_flow_json(const SettledFlow& flow, MeterRules rules);

struct MeasuredFlow {
  Transport transport = Transport::tcp;
  View view = View::both;
  MeterRules rules = MeterRules::corrected;
  std::string client;  // "192.0.2.1:40000"
  std::string server;
  std::string label;         // "" unless identified
  bool structured = false;   // its bytes say that it is no random tunnel
  bool joined_late = false;  // TCP whose beginning was not seen
  Fingerprint fingerprint;
};

// An answer of a daemon of another version, or of something else, is an error.
Result<MeasuredFlow> parse_settled_flow(const nlohmann::ordered_json& answer);

}  // namespace spidd
