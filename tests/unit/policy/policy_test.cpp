// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The built-in policy and the names a policy uses.
#include "userspace/policy/policy.h"

#include <gtest/gtest.h>

#include <array>

namespace spidd {
namespace {

TEST(Policy, TheBuiltInOneObservesAndAlertsOnTunnels) {
  const Policy policy = builtin_policy();
  EXPECT_EQ(policy.mode, Mode::observe);
  ASSERT_EQ(policy.rules.size(), 2U);
  EXPECT_EQ(policy.rules[0].action, Action::alert);
  EXPECT_EQ(policy.rules[0].match.categories, (std::vector{Category::tunnel}));
  EXPECT_EQ(policy.rules[0].match.min_score, 0.0);
  EXPECT_EQ(policy.rules[0].match.min_margin, 0.1);
  EXPECT_EQ(policy.rules[0].match.min_payload_packets, 3U);
  EXPECT_EQ(policy.rules[1].action, Action::alert);
  EXPECT_EQ(policy.rules[1].match.second_looks, (std::vector{SecondLook::ssh_tunnel, SecondLook::encrypted_tunnel}));
}

TEST(Policy, NamesAreThoseOfTheFile) {
  EXPECT_EQ(mode_name(Mode::observe), "observe");
  EXPECT_EQ(mode_name(Mode::enforce), "enforce");
  EXPECT_EQ(scope_name(BlockScope::flow), "flow");
  EXPECT_EQ(scope_name(BlockScope::endpoint), "endpoint");
  EXPECT_EQ(scope_name(BlockScope::host), "host");
}

TEST(Policy, NumbersRulesThenExpectations) {
  const Result<Policy> policy = parse_policy(
      "version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls', 'tsl']\n[[rule]]\nname = 'r'\naction = 'alert'\n",
      "p.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->numbered(), 2U);
  EXPECT_EQ(policy->name_of(0), "r");
  EXPECT_EQ(policy->name_of(1), "e");
  EXPECT_EQ(policy->name_of(2), "");
  EXPECT_EQ(policy->name_of(kNoRule), "");
  EXPECT_EQ(policy->number_of("e"), 1);
  EXPECT_EQ(policy->number_of("f"), kNoRule);
  EXPECT_EQ(policy->expectation(0), nullptr);
  EXPECT_EQ(policy->expectation(1), policy->expectations.data());
  EXPECT_EQ(policy->expectation(kNoRule), nullptr);
  constexpr std::array<std::string_view, 1> kKnown = {"tls"};
  EXPECT_EQ(unknown_labels(*policy, kKnown),
            (std::vector<std::string>{"p.toml:2: expectation 'e': no model is called 'tsl'; did you mean 'tls'?"}));
}

TEST(Policy, PointsOutLabelsThatNoModelHas) {
  const Result<Policy> policy = parse_policy(
      "version = 1\n[[rule]]\nname = 'r'\nlabels = ['openvpn', 'wiregaurd', 'tls']\naction = 'alert'\n", "p.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  constexpr std::array<std::string_view, 3> kKnown = {"openvpn", "wireguard", "tls"};
  EXPECT_EQ(
      unknown_labels(*policy, kKnown),
      (std::vector<std::string>{"p.toml:2: rule 'r': no model is called 'wiregaurd'; did you mean 'wireguard'?"}));
}

}  // namespace
}  // namespace spidd
