// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A flow about which the engine has its last word, with what was measured of it: what everything learns from, and what
// `spidctl explain` and `spidctl train --from-flow` look at. A copy, free of the engine and of the matcher it came
// from.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "userspace/flow/flow.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

inline constexpr unsigned kSamplePackets = 4;  // kept with their bytes, for people to look at

struct SettledFlow {
  FlowKey key;
  Endpoint client;
  Endpoint server;
  Timestamp start;
  Timestamp time;  // when it settled
  Verdict verdict;
  View view = View::both;    // of the models it was compared with
  std::string label;         // "" unless identified
  std::string shown;         // what reports call it: besides, the name that its server's other flows gave it
  bool structured = false;   // its bytes say that it is no random tunnel (spid/randomness.h)
  bool joined_late = false;  // TCP whose beginning was not seen
  std::string family;
  Category category = Category::plain;
  Origin origin = Origin::shipped;  // of the label's model
  bool provisional = false;         // the label's model is
  bool conversation = false;        // TCP, seen from its SYN on, payload of both directions
  Fingerprint fingerprint;          // of every packet the verdict is based on
  std::array<PayloadPacket, kSamplePackets> sample;
  unsigned samples = 0;
  bool looked_at_again = false;  // a second look is under way: an alert may follow. It settles once more after that
  bool suspected = false;        // a block or an incident of its client or server touches it (learning/suspects.h)

  // An alert or a block touched it: nothing may be learned from it.
  bool touched() const { return verdict.action != Action::pass || suspected; }
};

}  // namespace spidd
