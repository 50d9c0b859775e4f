// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Rules about incidents: what they match, and what stands in the way of a block.
#include "userspace/policy/incident_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/policy/policy.h"

namespace spidd {
namespace {

using testing::HasSubstr;

constexpr std::string_view kBlockScans = R"(
version = 1
mode = "enforce"
never_block = ["10.0.0.0/30"]

[[incident]]
name = "our-scanner"
hosts = ["10.0.0.8"]
action = "allow"

[[incident]]
name = "scans"
kinds = ["vertical-scan", "horizontal-scan", "fan-out"]
scans_only = true
min_count = 10
handshake = false
action = "block"
for = "30m"
)";

Policy policy_of(std::string_view text) {
  auto policy = parse_policy(text, "p.toml");
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : Policy{};
}

Incident scan_by(const char* host) {
  Incident incident;
  incident.host = IpAddress::parse(host).value();
  incident.kind = IncidentKind::horizontal_scan;
  incident.count = 20;
  incident.scan = true;
  incident.confirmed = true;
  return incident;
}

TEST(IncidentRule, BlocksAConfirmedScanner) {
  const Policy policy = policy_of(kBlockScans);
  const IncidentDecision decision = decide(scan_by("10.0.0.9"), policy);
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_EQ(decision.block_for, std::chrono::minutes(30));
  EXPECT_EQ(policy.name_of(decision.rule), "scans");
  EXPECT_EQ(policy.number_of("scans"), decision.rule);
}

TEST(IncidentRule, NeverBlocksASourceThatMayBeForged) {
  Incident incident = scan_by("10.0.0.9");
  incident.confirmed = false;
  const IncidentDecision decision = decide(incident, policy_of(kBlockScans));
  EXPECT_EQ(decision.action, Action::alert);
  EXPECT_EQ(decision.obstacle, IncidentObstacle::unconfirmed);
}

TEST(IncidentRule, BlocksOnlyWhoMadeAConnectionIfItIsToldSo) {
  Policy policy = policy_of(kBlockScans);
  policy.incidents[1].handshake = true;
  Incident incident = scan_by("10.0.0.9");
  EXPECT_EQ(decide(incident, policy).action, Action::alert);
  EXPECT_EQ(decide(incident, policy).obstacle, IncidentObstacle::handshake);
  incident.acknowledged = true;
  EXPECT_EQ(decide(incident, policy).action, Action::block);
}

TEST(IncidentRule, AsksForAConnectionUnlessToldThatNobodyInsideCanForge) {
  constexpr std::string_view kBlock = "version = 1\nmode = 'enforce'\n[[incident]]\nname = 'a'\naction = 'block'\n";
  Incident incident = scan_by("10.0.0.9");
  EXPECT_EQ(decide(incident, policy_of(kBlock)).obstacle, IncidentObstacle::handshake);
  EXPECT_EQ(decide(incident, policy_of(std::string(kBlock) + "handshake = true")).obstacle,
            IncidentObstacle::handshake);
  EXPECT_EQ(decide(incident, policy_of(std::string(kBlock) + "handshake = false")).action, Action::block);
  incident.acknowledged = true;
  EXPECT_EQ(decide(incident, policy_of(kBlock)).action, Action::block);
}

TEST(IncidentRule, NeverBlocksTheTarget) {
  Incident incident = scan_by("10.0.0.9");
  incident.side = IncidentSide::target;
  EXPECT_EQ(decide(incident, policy_of(kBlockScans)).obstacle, IncidentObstacle::target);
}

TEST(IncidentRule, NeverBlocksWhomThePolicyGuards) {
  EXPECT_EQ(decide(scan_by("10.0.0.1"), policy_of(kBlockScans)).obstacle, IncidentObstacle::never_block);
}

TEST(IncidentRule, OnlyAlertsWhileObserving) {
  Policy policy = policy_of(kBlockScans);
  policy.mode = Mode::observe;
  const IncidentDecision decision = decide(scan_by("10.0.0.9"), policy);
  EXPECT_EQ(decision.action, Action::alert);
  EXPECT_EQ(decision.obstacle, IncidentObstacle::observe);
}

TEST(IncidentRule, TheFirstMatchDecides) {
  const Policy policy = policy_of(kBlockScans);
  EXPECT_EQ(decide(scan_by("10.0.0.8"), policy).action, Action::pass);
  Incident few = scan_by("10.0.0.9");
  few.count = 9;
  EXPECT_EQ(decide(few, policy).action, Action::alert);
  EXPECT_EQ(decide(few, policy).obstacle, IncidentObstacle::none) << "no rule asks for a block";
  Incident rare = scan_by("10.0.0.9");
  rare.scan = false;
  EXPECT_EQ(decide(rare, policy).rule, 0xffff);
  Incident icmp = scan_by("10.0.0.9");
  icmp.kind = IncidentKind::odd_icmp;
  EXPECT_EQ(decide(icmp, policy).action, Action::alert);
}

TEST(IncidentRule, IsAMistakeIfItCanNeverMatch) {
  const auto error_of = [](std::string_view text) {
    const auto policy = parse_policy(fmt::format("version = 1\n{}", text), "p.toml");
    return policy ? "none" : policy.error().message;
  };
  constexpr std::string_view kFloods = "[[incident]]\nname = 'f'\nkinds = ['flood']\naction = 'alert'\n";
  constexpr std::string_view kAll = "[[incident]]\nname = 'all'\naction = 'alert'\n";
  constexpr std::string_view kMany = "[[incident]]\nname = 'many'\nmin_count = 9\naction = 'alert'\n";
  EXPECT_EQ(error_of(fmt::format("{}[spade]\nenabled = false", kAll)),
            "p.toml:2: incident 'all' can never match: [spade] enabled = false");
  EXPECT_EQ(error_of(fmt::format("{}[spade.extensions]\nincidents = false", kAll)),
            "p.toml:2: incident 'all' can never match: [spade.extensions] incidents = false");
  EXPECT_EQ(error_of(fmt::format("{}[spade]\nprofile = '030125'", kAll)),
            "p.toml:2: incident 'all' can never match: the profile 030125 has no incidents");
  constexpr std::string_view kScans = "[[incident]]\nname = 's'\nscans_only = true\naction = 'alert'\n";
  EXPECT_EQ(error_of(fmt::format("{}[spade.extensions]\nscan_promotion = false", kScans)),
            "p.toml:2: incident 's' can never match: scans_only = true, and [spade.extensions] scan_promotion = false");
  EXPECT_EQ(error_of(fmt::format("{}kinds = ['flood', 'odd-icmp', 'odd-service', 'dead-destination']\n", kScans)),
            "p.toml:2: incident 's' can never match: scans_only = true, and none of its kinds is a scan");
  EXPECT_EQ(error_of(fmt::format("{}kinds = ['flood', 'fan-out']\n", kScans)), "none");
  EXPECT_EQ(error_of(fmt::format("{}[spade.extensions]\nburst_score = false", kFloods)),
            "p.toml:2: incident 'f' can never match: [spade.extensions] burst_score = false");
  EXPECT_EQ(error_of(fmt::format("{}{}", kAll, kFloods)),
            "p.toml:5: incident 'f' can never match: incident 'all' at line 2 decides before");
  EXPECT_EQ(error_of(fmt::format("{}{}{}", kFloods, kMany, kAll)), "none");
}

TEST(IncidentRule, MistakesNameFileAndLine) {
  const auto mistake = [](std::string_view text) {
    const auto policy = parse_policy(text, "p.toml");
    return policy ? std::string("no mistake found") : policy.error().message;
  };
  EXPECT_THAT(mistake("version = 1\n[[incident]]\nname = 'a'\naction = 'block'\nkinds = ['scan']"),
              HasSubstr("p.toml:5: incident 'a': kinds: 'scan' is none of vertical-scan, horizontal-scan, fan-out, "
                        "odd-service, dead-destination, odd-icmp, unasked-answers, brute-force, flood"));
  EXPECT_THAT(mistake("version = 1\n[[incident]]\nname = 'a'"), HasSubstr("p.toml:2: incident 'a' needs an action"));
  EXPECT_THAT(
      mistake("version = 1\n[[rule]]\nname = 'a'\naction = 'alert'\n[[incident]]\nname = 'a'\naction = 'alert'"),
      HasSubstr("p.toml:6: rule 'a' is there already, at line 2"));
  EXPECT_THAT(mistake("version = 1\n[[incident]]\nname = 'a'\naction = 'block'\nscope = 'host'"), HasSubstr("scope"));
}

}  // namespace
}  // namespace spidd
