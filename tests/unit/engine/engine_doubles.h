// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What tests of the engine put around it: a source whose totals are given, and a policy that blocks every tunnel.
#pragma once

#include <map>
#include <optional>

#include "userspace/capture/packet_source.h"
#include "userspace/policy/policy.h"

namespace spidd {

class FakeSource final : public PacketSource {
 public:
  std::optional<FlowTotals> totals(const FlowKey& key, Timestamp) const override {
    const auto found = known.find(key);
    if (found == known.end()) return std::nullopt;
    return found->second;
  }
  void decided(const FlowKey&, Timestamp) override { ++decided_count; }
  void sizes_wanted(const FlowKey&, Timestamp) override { ++sizes_count; }
  void ended(const FlowKey&, Timestamp) override { ++ended_count; }

  std::map<FlowKey, FlowTotals> known;
  int decided_count = 0;
  int sizes_count = 0;
  int ended_count = 0;
};

inline Policy tunnel_blocking_policy(Proof proof = Proof::second) {
  Policy policy;
  policy.mode = Mode::enforce;
  Rule rule;
  rule.name = "no-tunnels";
  rule.match.categories = {Category::tunnel};
  rule.action = Action::block;
  rule.proof = proof;
  policy.rules = {rule};
  return policy;
}

}  // namespace spidd
