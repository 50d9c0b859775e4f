// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Deciding about incidents.
#include "userspace/policy/incident_rule.h"

#include <algorithm>
#include <array>

#include "userspace/policy/policy.h"

namespace spidd {
namespace {

constexpr std::array kKinds = {IncidentKind::vertical_scan,   IncidentKind::horizontal_scan,  IncidentKind::fan_out,
                               IncidentKind::odd_service,     IncidentKind::dead_destination, IncidentKind::odd_icmp,
                               IncidentKind::unasked_answers, IncidentKind::brute_force,      IncidentKind::flood};

// "odd ICMP" is odd-icmp.
std::string word_of(IncidentKind kind) {
  std::string word(incident_kind_name(kind));
  for (char& c : word) {
    if (c == ' ') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return word;
}

bool contain(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool matches(const IncidentRule& rule, const Incident& incident) {
  return (rule.kinds.empty() || std::ranges::find(rule.kinds, incident.kind) != rule.kinds.end()) &&
         (rule.hosts.empty() || contain(rule.hosts, incident.host)) && (!rule.scans_only || incident.scan) &&
         incident.count >= rule.min_count;
}

IncidentObstacle obstacle_to(const Incident& incident, const IncidentRule& rule, const Policy& policy) {
  if (incident.side == IncidentSide::target) return IncidentObstacle::target;
  if (contain(policy.never_block, incident.host)) return IncidentObstacle::never_block;
  if (!incident.confirmed) return IncidentObstacle::unconfirmed;
  if (rule.handshake && !incident.acknowledged) return IncidentObstacle::handshake;
  return policy.mode == Mode::observe ? IncidentObstacle::observe : IncidentObstacle::none;
}

}  // namespace

Result<IncidentKind> parse_incident_kind(std::string_view text) {
  const auto found = std::ranges::find(kKinds, text, word_of);
  if (found != kKinds.end()) return *found;
  std::vector<std::string> words;
  for (const IncidentKind kind : kKinds) words.push_back(word_of(kind));
  return fail("'{}' is none of {}", text, fmt::join(words, ", "));
}

std::string_view obstacle_name(IncidentObstacle obstacle) {
  switch (obstacle) {
    case IncidentObstacle::none:
      return "";
    case IncidentObstacle::target:
      return "target";
    case IncidentObstacle::never_block:
      return "never_block";
    case IncidentObstacle::unconfirmed:
      return "unconfirmed";
    case IncidentObstacle::handshake:
      return "handshake";
    case IncidentObstacle::observe:
      return "observe";
    case IncidentObstacle::refused:
      return "refused";
  }
  return "";
}

IncidentDecision decide(const Incident& incident, const Policy& policy) {
  IncidentDecision decision;
  const auto rule =
      std::ranges::find_if(policy.incidents, [&](const IncidentRule& each) { return matches(each, incident); });
  if (rule == policy.incidents.end()) return decision;
  decision.rule = static_cast<std::uint16_t>(policy.rules.size() + policy.expectations.size() +
                                             static_cast<std::size_t>(rule - policy.incidents.begin()));
  decision.action = rule->action;
  decision.block_for = rule->block_for;
  if (rule->action != Action::block) return decision;
  decision.obstacle = obstacle_to(incident, *rule, policy);
  if (decision.obstacle != IncidentObstacle::none) decision.action = Action::alert;
  return decision;
}

}  // namespace spidd
