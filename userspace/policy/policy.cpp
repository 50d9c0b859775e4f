// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a policy is made of, without the file it comes from.
#include "userspace/policy/policy.h"

#include <algorithm>

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

Policy builtin_policy() {
  Policy policy;
  Rule tunnels;
  tunnels.name = "tunnels";
  tunnels.match.categories = {Category::tunnel};
  tunnels.action = Action::alert;
  policy.rules.push_back(std::move(tunnels));
  return policy;
}

std::vector<std::string> unknown_labels(const Policy& policy, std::span<const std::string_view> known) {
  std::vector<std::string> unknown;
  for (const Rule& rule : policy.rules) {
    for (const std::string& label : rule.match.labels) {
      if (std::ranges::find(known, std::string_view(label)) != known.end()) continue;
      unknown.push_back(fmt::format("{}:{}: rule '{}': no model is called '{}'{}", policy.path, rule.line, rule.name,
                                    label, did_you_mean(label, known)));
    }
  }
  return unknown;
}

}  // namespace spidd
