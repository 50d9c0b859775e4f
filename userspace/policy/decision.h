// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The decision: a pure function of what is known about a flow and of the policy. It changes nothing and knows nothing
// of maps, sockets or clocks.
#pragma once

#include <cstdint>
#include <string_view>

#include "userspace/policy/policy.h"

namespace spidd {

// "" where there is none, or it is not known.
struct NamedModel {
  std::string_view label;
  std::string_view family;
};

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
  NamedModel rival;          // that margin is over
  NamedModel best_tunnel;    // those that tunnel_margin is between
  NamedModel best_other;
  VerdictClass verdict_class = VerdictClass::undecided;
  bool fully_encrypted = false;
  SecondLook second_look = SecondLook::none;
  bool one_way = false;           // payload of one direction only
  bool provisional = false;       // the label is of a model that was learned from the stream and not confirmed
  bool model_may_block = false;   // the label's model has the evidence for it (ModelSummary::may_block)
  bool site_learned = false;      // the models know what is normal here
  unsigned endpoint_flows = 0;    // flows to the same server endpoint with a verdict, this one included
  unsigned agreeing_flows = 0;    // those whose verdict agrees with this one's
  double mean_tunnel_margin = 0;  // over endpoint_flows
  Duration duration{};            // of the flow so far
};

// Why a block that a rule asks for is not made. The first that applies is named: what stays in the way when the mode
// changes comes before the mode.
enum class Obstacle : std::uint8_t {
  none,
  never_block,      // client or server is within such a prefix
  little_evidence,  // the model has seen too little, or was learned from the stream and not confirmed
  one_way,          // half of the exchange is missing
  no_proof,         // one verdict, and nothing else that speaks for it: may come with time
  observe,          // the mode
  refused,          // by the enforcement: the address is guarded, or the list of blocks is full
};
std::string_view obstacle_name(Obstacle obstacle);  // "never_block", ...; "" for none

struct Decision {
  Action action = Action::pass;  // block only if nothing is in the way; else a block rule alerts
  bool would_block = false;      // the rule says block, `obstacle` says otherwise
  Obstacle obstacle = Obstacle::none;
  std::uint16_t rule = 0xffff;  // number of the rule or expectation (Policy::name_of); 0xffff = none matched
  BlockScope scope = BlockScope::endpoint;
  Duration block_for{};
};

// The first rule that matches, if it allows (rules on second looks never do); else the severer of that rule and of the
// expectations that the flow is an exception to, the rule and then the earlier expectation before others as severe.
Decision decide(const FlowFacts& flow, const Policy& policy);

// After a second look: alert or pass, never a block. Only rules on second looks and those that allow are looked at; the
// first of them that matches decides.
Decision decide_second_look(const FlowFacts& flow, const Policy& policy);

}  // namespace spidd
