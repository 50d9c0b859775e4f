// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What to do about an incident of SPADE: rules, and the decision, a pure function of the incident and the policy.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/result.h"
#include "userspace/flow/flow.h"
#include "userspace/spade/incident.h"

namespace spidd {

struct Policy;

// The first rule that matches decides. Without a match an incident is reported and nothing else.
struct IncidentRule {
  std::string name;                 // unique among rules, expectations and these
  std::vector<IncidentKind> kinds;  // empty: any
  std::vector<IpPrefix> hosts;      // the source or the target that the incident is about; empty: any
  bool scans_only = false;          // only if its first contacts failed again and again
  std::uint64_t min_count = 1;      // pieces of evidence
  // Block only who made a connection in the course of it (Incident::acknowledged). False is the administrator's word
  // that addresses inside cannot be forged: any answers to them then suffice.
  bool handshake = true;
  Action action = Action::alert;  // pass: not even an event. block: the source, never a target
  Duration block_for = std::chrono::hours(1);
  unsigned line = 0;  // in the policy file
};

// Why a block that a rule asks for is not made; the first that applies.
enum class IncidentObstacle : std::uint8_t {
  none,
  target,       // the incident is about who is sought, not about who seeks
  never_block,  // the source is within such a prefix
  unconfirmed,  // the source may be forged: nothing shows that it receives what is sent to it
  handshake,    // the rule wants a connection that the source made in the course of the incident, and there is none
  observe,      // the mode
  refused,      // by the enforcement: the address is guarded, or the list of blocks is full
};
std::string_view obstacle_name(IncidentObstacle obstacle);  // "never_block", ...; "" for none

struct IncidentDecision {
  Action action = Action::alert;  // block only if nothing is in the way
  IncidentObstacle obstacle = IncidentObstacle::none;
  std::uint16_t rule = 0xffff;  // number (Policy::name_of); 0xffff = none matched
  Duration block_for{};
};

IncidentDecision decide(const Incident& incident, const Policy& policy);

// "vertical-scan": the name of the kind with hyphens.
Result<IncidentKind> parse_incident_kind(std::string_view text);

}  // namespace spidd
