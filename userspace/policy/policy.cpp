// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a policy is made of, without the file it comes from.
#include "userspace/policy/policy.h"

#include <algorithm>
#include <limits>

#include "userspace/policy/word_hint.h"

namespace spidd {

std::string_view mode_name(Mode mode) { return mode == Mode::enforce ? "enforce" : "observe"; }

std::string_view scope_name(BlockScope scope) {
  switch (scope) {
    case BlockScope::flow:
      return "flow";
    case BlockScope::endpoint:
      return "endpoint";
    case BlockScope::host:
      return "host";
  }
  return "endpoint";
}

std::string_view proof_name(Proof proof) { return proof == Proof::verdict ? "verdict" : "second"; }

bool RuleMatch::names_verdict() const {
  const bool sorts_out_the_identified =
      !states.empty() && std::ranges::find(states, IdentificationState::identified) == states.end();
  return !labels.empty() || !categories.empty() || !classes.empty() || fully_encrypted || !second_looks.empty() ||
         sorts_out_the_identified;
}

std::string Expectation::words() const {
  std::string text = fmt::format("{}", fmt::join(labels, ", "));
  if (not_labels.empty()) return text;
  return fmt::format("{}{}not {}", text, text.empty() ? "" : ", ", fmt::join(not_labels, ", "));
}

std::string_view Policy::name_of(std::uint16_t number) const {
  if (number < rules.size()) return rules[number].name;
  if (const Expectation* const found = expectation(number)) return found->name;
  return number < numbered() ? std::string_view(incidents[number - rules.size() - expectations.size()].name)
                             : std::string_view();
}

std::uint16_t Policy::number_of(std::string_view name) const {
  for (std::size_t number = 0; number < numbered(); ++number)
    if (name_of(static_cast<std::uint16_t>(number)) == name) return static_cast<std::uint16_t>(number);
  return kNoRule;
}

bool Policy::looks_twice() const {
  return second_look.enabled &&
         std::ranges::any_of(rules, [](const Rule& rule) { return !rule.match.second_looks.empty(); });
}

const Expectation* Policy::expectation(std::uint16_t number) const {
  const std::size_t index = std::size_t{number} - rules.size();
  return number >= rules.size() && index < expectations.size() ? &expectations[index] : nullptr;
}

Policy builtin_policy() {
  Policy policy;
  Rule tunnels;
  tunnels.name = "tunnels";
  tunnels.match.categories = {Category::tunnel};
  tunnels.action = Action::alert;
  policy.rules.push_back(std::move(tunnels));
  Rule sizes;
  sizes.name = "tunnels-by-size";
  sizes.match.second_looks = {SecondLook::ssh_tunnel, SecondLook::encrypted_tunnel};
  sizes.match.states.clear();
  sizes.match.min_score = -std::numeric_limits<double>::infinity();
  sizes.match.min_margin = 0;
  sizes.match.min_payload_packets = 0;
  sizes.action = Action::alert;
  policy.rules.push_back(std::move(sizes));
  return policy;
}

std::vector<std::string> unknown_labels(const Policy& policy, std::span<const std::string_view> known) {
  std::vector<std::string> unknown;
  const auto look_at = [&](std::string_view kind, const auto& owner, const std::vector<std::string>& labels) {
    for (const std::string& label : labels) {
      if (std::ranges::find(known, std::string_view(label)) != known.end()) continue;
      unknown.push_back(fmt::format("{}:{}: {} '{}': no model is called '{}'{}", policy.path, owner.line, kind,
                                    owner.name, label, did_you_mean(label, known)));
    }
  };
  for (const Rule& rule : policy.rules) look_at("rule", rule, rule.match.labels);
  for (const Expectation& expectation : policy.expectations) {
    look_at("expectation", expectation, expectation.labels);
    look_at("expectation", expectation, expectation.not_labels);
  }
  return unknown;
}

}  // namespace spidd
