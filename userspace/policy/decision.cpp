// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// First matching rule decides. Comparisons are written so that a score that is not a number fails them.
#include "userspace/policy/decision.h"

#include <algorithm>

namespace spidd {
namespace {

template <class T>
bool holds(const std::vector<T>& list, const T& value) {
  return list.empty() || std::ranges::find(list, value) != list.end();
}

bool within(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool has_ports(Transport transport) { return transport == Transport::tcp || transport == Transport::udp; }

bool ports_hold(const RuleMatch& match, const FlowFacts& flow) {
  if (match.server_ports.empty()) return true;
  if (!has_ports(flow.transport)) return false;
  return std::ranges::any_of(match.server_ports, [&](const PortRange& range) {
    return flow.server.port >= range.first && flow.server.port <= range.last;
  });
}

// What depends on the identification: label, category, score and margin.
bool identity_holds(const RuleMatch& match, const FlowFacts& flow) {
  if (flow.state != IdentificationState::identified) return match.labels.empty() && match.categories.empty();
  if (!match.labels.empty() && std::ranges::none_of(match.labels, [&](const std::string& label) {
        return label == flow.label || label == flow.family;
      }))
    return false;
  if (!holds(match.categories, flow.category)) return false;
  const bool as_tunnel = flow.category == Category::tunnel && !match.categories.empty();
  const double score = as_tunnel ? flow.tunnel_score : flow.score;
  const double margin = as_tunnel ? flow.tunnel_margin : flow.margin;
  return score >= match.min_score && margin >= match.min_margin;
}

bool matches(const RuleMatch& match, const FlowFacts& flow) {
  return flow.payload_packets >= match.min_payload_packets && holds(match.states, flow.state) &&
         holds(match.transports, flow.transport) && ports_hold(match, flow) && identity_holds(match, flow) &&
         (match.servers.empty() || within(match.servers, flow.server.address)) &&
         (match.clients.empty() || within(match.clients, flow.client.address));
}

}  // namespace

Decision decide(const FlowFacts& flow, const Policy& policy) {
  const auto rule = std::ranges::find_if(policy.rules, [&](const Rule& r) { return matches(r.match, flow); });
  Decision decision;
  if (rule == policy.rules.end()) return decision;
  decision.rule = static_cast<std::uint16_t>(rule - policy.rules.begin());
  decision.action = rule->action;
  if (rule->action != Action::block) return decision;

  decision.scope = rule->scope;
  decision.block_for = rule->block_for;
  if (policy.mode != Mode::enforce || within(policy.never_block, flow.server.address) ||
      within(policy.never_block, flow.client.address)) {
    decision.action = Action::alert;
    decision.would_block = true;
  }
  return decision;
}

}  // namespace spidd
