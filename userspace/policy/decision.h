// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The decision: a pure function of what is known about a flow and of the policy. It changes nothing and knows nothing
// of maps, sockets or clocks.
#pragma once

#include <string_view>

#include "userspace/policy/policy.h"

namespace spidd {

// What the decision looks at.
struct FlowFacts {
  Endpoint client;
  Endpoint server;
  Transport transport = Transport::tcp;
  IdentificationState state = IdentificationState::undecided;
  std::string_view label;  // "" unless identified
  std::string_view family;
  Category category = Category::plain;
  unsigned payload_packets = 0;
  double score = 0;          // of the label
  double margin = 0;         // of the label over the best of another family
  double tunnel_score = 0;   // best tunnel model
  double tunnel_margin = 0;  // best tunnel over best other model
};

struct Decision {
  Action action = Action::pass;  // block only if the policy enforces; else a block rule alerts
  bool would_block = false;      // the rule says block, the mode or a never-block prefix says otherwise
  std::uint16_t rule = 0xffff;   // index into Policy::rules; 0xffff = no rule matched
  BlockScope scope = BlockScope::endpoint;
  Duration block_for{};
};

Decision decide(const FlowFacts& flow, const Policy& policy);

}  // namespace spidd
