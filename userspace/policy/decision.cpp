// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Comparisons are written so that a score that is not a number fails them.
#include "userspace/policy/decision.h"

#include <algorithm>
#include <array>

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

bool named(const std::vector<std::string>& labels, const NamedModel& model) {
  return std::ranges::any_of(labels,
                             [&](const std::string& label) { return label == model.label || label == model.family; });
}

bool named(const std::vector<std::string>& labels, const FlowFacts& flow) {
  return named(labels, NamedModel{flow.label, flow.family});
}

// A server of plain traffic at which a few flows were taken for tunnels is no tunnel's.
bool flows_agree(const FlowFacts& flow, const ProofRules& proof) {
  return flow.agreeing_flows >= proof.agreeing_flows &&
         std::uint64_t{flow.agreeing_flows} * 4 >= std::uint64_t{flow.endpoint_flows} * 3;
}

// What to test a flow's margin on: its own, unless many flows speak for a block.
double margin_of(const RuleMatch& match, const FlowFacts& flow, const ProofRules* proof) {
  if (proof == nullptr || !(flow.tunnel_margin >= proof->agreeing_margin) || !flows_agree(flow, *proof))
    return flow.tunnel_margin;
  return flow.tunnel_margin >= match.min_margin ? flow.tunnel_margin : flow.mean_tunnel_margin;
}

// Score and margin. `proof`: given if the margin may be that of all flows to the endpoint.
bool is_clear(const RuleMatch& match, const FlowFacts& flow, bool as_tunnel, const ProofRules* proof) {
  if (!as_tunnel) return flow.score >= match.min_score && flow.margin >= match.min_margin;
  return flow.tunnel_score >= match.min_score && margin_of(match, flow, proof) >= match.min_margin;
}

// What depends on the identification: label, category, score and margin.
bool identity_holds(const RuleMatch& match, const FlowFacts& flow, const ProofRules* proof) {
  if (flow.state != IdentificationState::identified) return match.labels.empty() && match.categories.empty();
  if (!match.labels.empty() && !named(match.labels, flow)) return false;
  if (!holds(match.categories, flow.category)) return false;
  const bool as_tunnel = flow.category == Category::tunnel && !(match.categories.empty() && match.classes.empty());
  return is_clear(match, flow, as_tunnel, proof);
}

bool place_holds(const RuleMatch& match, const FlowFacts& flow) {
  return flow.payload_packets >= match.min_payload_packets && holds(match.states, flow.state) &&
         holds(match.transports, flow.transport) && ports_hold(match, flow) &&
         (match.servers.empty() || within(match.servers, flow.server.address)) &&
         (match.clients.empty() || within(match.clients, flow.client.address));
}

bool fits(const Rule& rule, const FlowFacts& flow, const ProofRules& proof) {
  const RuleMatch& match = rule.match;
  return place_holds(match, flow) && holds(match.classes, flow.verdict_class) &&
         (!match.fully_encrypted || *match.fully_encrypted == flow.fully_encrypted) &&
         identity_holds(match, flow, rule.action == Action::block ? &proof : nullptr);
}

bool matches(const Rule& rule, const FlowFacts& flow, const ProofRules& proof) {
  return rule.match.second_looks.empty() && fits(rule, flow, proof);
}

bool is_expected(const Expectation& expectation, const NamedModel& model) {
  return (expectation.labels.empty() || named(expectation.labels, model)) && !named(expectation.not_labels, model);
}

// Nearer than min_margin to something that belongs there, or to nobody knows what.
bool may_be_expected(const Expectation& expectation, const FlowFacts& flow, const ProofRules& proof) {
  const RuleMatch& where = expectation.where;
  const auto excuses = [&](double margin, const NamedModel& rival) {
    if (margin >= where.min_margin) return false;
    return !(margin < where.min_margin) || rival.label.empty() || is_expected(expectation, rival);
  };
  if (excuses(flow.margin, flow.rival)) return true;
  if (flow.category != Category::tunnel) return excuses(-flow.tunnel_margin, flow.best_tunnel);
  const double lead = margin_of(where, flow, expectation.action == Action::block ? &proof : nullptr);
  return excuses(lead, flow.best_other);
}

bool is_exception(const Expectation& expectation, const FlowFacts& flow, const ProofRules& proof) {
  if (!place_holds(expectation.where, flow)) return false;
  if (flow.state != IdentificationState::identified) return true;
  if (is_expected(expectation, {flow.label, flow.family})) return false;
  const double score = flow.category == Category::tunnel ? flow.tunnel_score : flow.score;
  return score >= expectation.where.min_score && !may_be_expected(expectation, flow, proof);
}

Obstacle obstacle_to(const FlowFacts& flow, bool on_verdict, Proof wanted, const Policy& policy) {
  if (within(policy.never_block, flow.server.address) || within(policy.never_block, flow.client.address))
    return Obstacle::never_block;
  if (on_verdict) {
    if (flow.state == IdentificationState::identified && !flow.model_may_block) return Obstacle::little_evidence;
    if (wanted == Proof::second) {
      if (flow.one_way) return Obstacle::one_way;
      if (!flow.site_learned && !flows_agree(flow, policy.proof) && flow.duration < policy.proof.duration)
        return Obstacle::no_proof;
    }
  }
  return policy.mode == Mode::enforce ? Obstacle::none : Obstacle::observe;
}

// What a rule or an expectation that applies leads to.
template <class Demand>
Decision outcome(const Demand& demand, std::size_t number, bool on_verdict, const FlowFacts& flow,
                 const Policy& policy) {
  Decision decision;
  decision.rule = static_cast<std::uint16_t>(number);
  decision.action = demand.action;
  if (demand.action != Action::block) return decision;
  decision.scope = demand.scope;
  decision.block_for = demand.block_for;
  decision.obstacle = obstacle_to(flow, on_verdict, demand.proof, policy);
  if (decision.obstacle != Obstacle::none) {
    decision.action = Action::alert;
    decision.would_block = true;
  }
  return decision;
}

// The flow as it was before somebody's traffic taught the sensor its name: what a policy says of unknown flows goes on
// holding for it.
FlowFacts without_name(const FlowFacts& flow) {
  FlowFacts unnamed = flow;
  unnamed.state = IdentificationState::unknown;
  unnamed.verdict_class = VerdictClass::unknown;
  unnamed.label = unnamed.family = {};
  unnamed.category = Category::plain;
  unnamed.provisional = unnamed.model_may_block = false;
  return unnamed;
}

bool is_severer(const Decision& a, const Decision& b) {
  return a.action != b.action ? a.action > b.action : a.would_block && !b.would_block;
}

}  // namespace

std::string_view obstacle_name(Obstacle obstacle) {
  constexpr std::array<std::string_view, 7> kNames = {"",         "never_block", "little_evidence", "one_way",
                                                      "no_proof", "observe",     "refused"};
  return kNames[static_cast<std::size_t>(obstacle)];
}

Decision decide(const FlowFacts& flow, const Policy& policy) {
  const FlowFacts unnamed = without_name(flow);
  // As what a rule applies to the flow: by its name, or by its having none that anybody confirmed.
  const auto as_what = [&](auto applies) -> const FlowFacts* {
    if (applies(flow)) return &flow;
    return flow.provisional && applies(unnamed) ? &unnamed : nullptr;
  };
  Decision decision;
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    const FlowFacts* const facts = as_what([&](const FlowFacts& f) { return matches(rule, f, policy.proof); });
    if (facts == nullptr) continue;
    decision = outcome(rule, i, rule.match.names_verdict(), *facts, policy);
    if (rule.action == Action::pass) return decision;
    break;
  }
  for (std::size_t i = 0; i < policy.expectations.size(); ++i) {
    const Expectation& expectation = policy.expectations[i];
    const auto excepted = [&](const FlowFacts& f) { return is_exception(expectation, f, policy.proof); };
    const FlowFacts* const facts = as_what(excepted);
    if (facts == nullptr) continue;
    const Decision other = outcome(expectation, policy.rules.size() + i, true, *facts, policy);
    if (is_severer(other, decision)) decision = other;
  }
  return decision;
}

Decision decide_second_look(const FlowFacts& flow, const Policy& policy) {
  Decision decision;
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    const bool allows = rule.action == Action::pass;
    if (!(allows || !rule.match.second_looks.empty()) || !holds(rule.match.second_looks, flow.second_look) ||
        !fits(rule, flow, policy.proof))
      continue;
    decision.rule = static_cast<std::uint16_t>(i);
    decision.action = allows ? Action::pass : Action::alert;
    break;
  }
  return decision;
}

}  // namespace spidd
