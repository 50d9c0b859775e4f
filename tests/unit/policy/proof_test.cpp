// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a block on a statistical verdict asks for besides the verdict, the conditions on classes, and what is expected
// where.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "userspace/policy/decision.h"

namespace spidd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Policy policy_of(std::string_view text) {
  Result<Policy> policy = parse_policy(fmt::format("version = 1\nmode = 'enforce'\n{}", text), "p.toml");
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : Policy{};
}

// A certain OpenVPN flow, the first to its server, at a site that nobody learned.
FlowFacts tunnel_flow() {
  FlowFacts flow;
  flow.client = {*IpAddress::parse("10.0.0.5"), 40000};
  flow.server = {*IpAddress::parse("198.51.100.7"), 443};
  flow.state = IdentificationState::identified;
  flow.verdict_class = VerdictClass::label;
  flow.label = flow.family = "openvpn";
  flow.category = Category::tunnel;
  flow.payload_packets = 8;
  flow.score = flow.tunnel_score = 1.5;
  flow.margin = flow.tunnel_margin = 1.0;
  flow.model_may_block = true;
  flow.endpoint_flows = flow.agreeing_flows = 1;
  flow.mean_tunnel_margin = 1.0;
  return flow;
}

FlowFacts plain_flow(std::string_view label, std::string_view family) {
  FlowFacts flow = tunnel_flow();
  flow.label = label;
  flow.family = family;
  flow.category = Category::encrypted;
  flow.tunnel_margin = -1.0;
  return flow;
}

FlowFacts unknown_flow(bool fully_encrypted) {
  FlowFacts flow = tunnel_flow();
  flow.state = IdentificationState::unknown;
  flow.label = flow.family = "";
  flow.category = Category::plain;
  flow.fully_encrypted = fully_encrypted;
  flow.verdict_class = fully_encrypted ? VerdictClass::fully_encrypted : VerdictClass::unknown;
  flow.model_may_block = false;
  return flow;
}

constexpr std::string_view kBlockTunnels =
    "[[rule]]\nname = 'tunnels'\ncategories = ['tunnel']\nmin_margin = 0.3\naction = 'block'\n";

struct ProofCase {
  std::string_view what;
  std::function<void(FlowFacts&)> change;
  Obstacle obstacle;
};

TEST(Proof, AStatisticalVerdictBlocksOnlyWithEvidenceAndASecondProof) {
  const std::vector<ProofCase> cases = {
      {"one verdict", [](FlowFacts&) {}, Obstacle::no_proof},
      {"a learned site", [](FlowFacts& f) { f.site_learned = true; }, Obstacle::none},
      {"a learned site, a thin model", [](FlowFacts& f) { f.site_learned = !(f.model_may_block = false); },
       Obstacle::little_evidence},
      {"two flows agree", [](FlowFacts& f) { f.endpoint_flows = f.agreeing_flows = 2; }, Obstacle::no_proof},
      {"three flows agree", [](FlowFacts& f) { f.endpoint_flows = f.agreeing_flows = 3; }, Obstacle::none},
      {"three of four flows agree",
       [](FlowFacts& f) {
         f.endpoint_flows = 4;
         f.agreeing_flows = 3;
       },
       Obstacle::none},
      {"three of five flows agree",
       [](FlowFacts& f) {
         f.endpoint_flows = 5;
         f.agreeing_flows = 3;
       },
       Obstacle::no_proof},
      {"nearly ten minutes", [](FlowFacts& f) { f.duration = minutes(10) - seconds(1); }, Obstacle::no_proof},
      {"ten minutes", [](FlowFacts& f) { f.duration = minutes(10); }, Obstacle::none},
      {"ten minutes, a thin model",
       [](FlowFacts& f) {
         f.duration = minutes(10);
         f.model_may_block = false;
       },
       Obstacle::little_evidence},
      {"one direction only", [](FlowFacts& f) { f.site_learned = f.one_way = true; }, Obstacle::one_way},
  };
  const Policy policy = policy_of(kBlockTunnels);
  for (const ProofCase& c : cases) {
    FlowFacts flow = tunnel_flow();
    c.change(flow);
    const Decision decision = decide(flow, policy);
    EXPECT_EQ(decision.obstacle, c.obstacle) << c.what;
    EXPECT_EQ(decision.action, c.obstacle == Obstacle::none ? Action::block : Action::alert) << c.what;
    EXPECT_EQ(decision.would_block, c.obstacle != Obstacle::none) << c.what;
  }
}

TEST(Proof, TheAdministratorMayTakeTheModelsWordButNotAThinModels) {
  const Policy policy = policy_of(fmt::format("{}proof = 'verdict'\n", kBlockTunnels));
  FlowFacts flow = tunnel_flow();
  EXPECT_EQ(decide(flow, policy).action, Action::block);
  flow.one_way = true;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
  flow.model_may_block = false;
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::little_evidence);
}

TEST(Proof, ThePolicySaysWhatCountsAsTheSecondProof) {
  const Policy policy = policy_of(fmt::format("{}[proof]\nagreeing_flows = 5\nduration = '30s'\n", kBlockTunnels));
  FlowFacts flow = tunnel_flow();
  flow.endpoint_flows = flow.agreeing_flows = 4;
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::no_proof);
  flow.endpoint_flows = flow.agreeing_flows = 5;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
  flow.agreeing_flows = 1;
  flow.duration = seconds(30);
  EXPECT_EQ(decide(flow, policy).action, Action::block);
}

TEST(Proof, WhatStaysInTheWayIsNamedBeforeTheMode) {
  Policy policy = policy_of(kBlockTunnels);
  policy.mode = Mode::observe;
  FlowFacts flow = tunnel_flow();
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::no_proof);
  flow.site_learned = true;
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::observe);
  policy.never_block = {*IpPrefix::parse("10.0.0.0/8")};
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::never_block);
}

TEST(Proof, ARuleAboutAPlaceNeedsNone) {
  const Policy policy = policy_of("[[rule]]\nname = 'there'\nservers = ['198.51.100.7']\naction = 'block'\n");
  FlowFacts flow = tunnel_flow();
  flow.model_may_block = false;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
}

TEST(Proof, ABlockOfUnknownFlowsNeedsASecondProofToo) {
  const Policy policy = policy_of("[[rule]]\nname = 'strangers'\nstates = ['unknown']\naction = 'block'\n");
  FlowFacts flow = unknown_flow(false);
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::no_proof);
  flow.site_learned = true;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
}

TEST(Proof, FlowsThatAgreeAreTestedByTheirMeanMargin) {
  const Policy policy = policy_of(kBlockTunnels);
  FlowFacts flow = tunnel_flow();
  flow.endpoint_flows = flow.agreeing_flows = 3;
  flow.tunnel_margin = 0.12;
  flow.mean_tunnel_margin = 0.3;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
  flow.mean_tunnel_margin = 0.29;
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
  flow.mean_tunnel_margin = 0.9;
  flow.agreeing_flows = 2;
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
  flow.agreeing_flows = 3;
  flow.tunnel_margin = 0.09;  // below [proof] agreeing_margin: the flow itself must look like a tunnel
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
  flow.tunnel_margin = 0.4;  // and its own margin is as good as the mean
  flow.mean_tunnel_margin = 0.1;
  EXPECT_EQ(decide(flow, policy).action, Action::block);
}

TEST(Proof, AnAlertIsTestedByTheFlowsOwnMargin) {
  const Policy policy =
      policy_of("[[rule]]\nname = 'tunnels'\ncategories = ['tunnel']\nmin_margin = 0.3\naction = 'alert'\n");
  FlowFacts flow = tunnel_flow();
  flow.endpoint_flows = flow.agreeing_flows = 9;
  flow.tunnel_margin = 0.2;
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
}

TEST(Classes, AreConditionsOfARule) {
  FlowFacts unclear = tunnel_flow();
  unclear.verdict_class = VerdictClass::tunnel;
  FlowFacts encrypted_label = tunnel_flow();
  encrypted_label.fully_encrypted = true;
  struct Case {
    std::string_view conditions;
    FlowFacts flow;
    bool matches;
  };
  const std::vector<Case> cases = {
      {"classes = ['tunnel']", unclear, true},
      {"classes = ['tunnel']", tunnel_flow(), false},
      {"classes = ['label']", tunnel_flow(), true},
      {"classes = ['fully-encrypted']", unknown_flow(true), true},
      {"classes = ['fully-encrypted']", unknown_flow(false), false},
      {"classes = ['fully-encrypted']", encrypted_label, false},
      {"classes = ['unknown', 'fully-encrypted']", unknown_flow(false), true},
      {"fully_encrypted = true", unknown_flow(true), true},
      {"fully_encrypted = true", encrypted_label, true},
      {"fully_encrypted = true", tunnel_flow(), false},
      {"fully_encrypted = false", tunnel_flow(), true},
      {"fully_encrypted = false", encrypted_label, false},
      {"fully_encrypted = true\nstates = ['identified']", unknown_flow(true), false},
      {"fully_encrypted = true\nlabels = ['openvpn']", encrypted_label, true},
      {"fully_encrypted = true\nlabels = ['openvpn']", unknown_flow(true), false},
  };
  for (const Case& c : cases) {
    const Policy policy = policy_of(fmt::format("[[rule]]\nname = 'r'\naction = 'alert'\n{}\n", c.conditions));
    EXPECT_EQ(decide(c.flow, policy).action == Action::alert, c.matches) << c.conditions;
  }
}

TEST(Classes, NeverReachUndecidedFlows) {
  const Policy policy = policy_of("[[rule]]\nname = 'r'\naction = 'block'\nfully_encrypted = false\n");
  FlowFacts flow = tunnel_flow();
  flow.site_learned = true;
  ASSERT_EQ(decide(flow, policy).action, Action::block);
  flow.state = IdentificationState::undecided;
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
}

constexpr std::string_view kOnlyTlsOn443 =
    "[[expect]]\nname = 'tls-on-443'\nserver_ports = [443]\ntransports = ['tcp']\nlabels = ['tls', 'quic']\n";

TEST(Expectations, AnExceptionAlerts) {
  const Policy policy = policy_of(kOnlyTlsOn443);
  EXPECT_EQ(decide(plain_flow("https", "tls"), policy).action, Action::pass);
  EXPECT_EQ(decide(plain_flow("quic", "quic"), policy).action, Action::pass);
  const Decision ssh = decide(plain_flow("ssh", "ssh"), policy);
  EXPECT_EQ(ssh.action, Action::alert);
  EXPECT_FALSE(ssh.would_block);
  EXPECT_EQ(policy.name_of(ssh.rule), "tls-on-443");
  ASSERT_NE(policy.expectation(ssh.rule), nullptr);
  EXPECT_EQ(policy.expectation(ssh.rule)->words(), "tls, quic");
  EXPECT_EQ(decide(tunnel_flow(), policy).action, Action::alert);
  FlowFacts elsewhere = plain_flow("ssh", "ssh");
  elsewhere.server.port = 22;
  EXPECT_EQ(decide(elsewhere, policy).action, Action::pass);
}

// A flow whose label is only just nearer than what it may be instead.
FlowFacts doubtful(FlowFacts flow, NamedModel rival) {
  flow.margin = 0.05;
  flow.rival = rival;
  if (flow.category == Category::tunnel) {
    flow.tunnel_margin = 0.05;
    flow.best_other = rival;
  }
  return flow;
}

TEST(Expectations, ANearRivalExcusesOnlyIfItIsExpected) {
  const Policy policy = policy_of(kOnlyTlsOn443);
  const auto action = [&policy](const FlowFacts& flow) { return decide(flow, policy).action; };
  const FlowFacts ssh = plain_flow("ssh", "ssh");
  const FlowFacts https = plain_flow("https", "tls");
  EXPECT_EQ(action(doubtful(ssh, {"https", "tls"})), Action::pass);
  EXPECT_EQ(action(doubtful(ssh, {"quic", "quic"})), Action::pass);
  EXPECT_EQ(action(doubtful(ssh, {"ftp", "ftp"})), Action::alert);
  EXPECT_EQ(action(doubtful(https, {"ssh", "ssh"})), Action::pass);
  // A label that does not rest on the flow itself: what else it may be is not known.
  EXPECT_EQ(action(doubtful(ssh, {})), Action::pass);
  FlowFacts broken = doubtful(ssh, {"ftp", "ftp"});
  broken.margin = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(action(broken), Action::pass);
}

TEST(Expectations, HttpsAndATunnelInTlsExcuseEachOther) {
  const NamedModel tls{"https", "tls"};
  const NamedModel tunnel_in_tls{"trojan", "tls-tunnel"};
  FlowFacts https = doubtful(plain_flow("https", "tls"), tunnel_in_tls);
  https.tunnel_margin = -0.05;
  https.best_tunnel = tunnel_in_tls;
  FlowFacts trojan = tunnel_flow();
  trojan.label = "trojan";
  trojan.family = "tls-tunnel";
  const auto action = [](std::string_view expected, const FlowFacts& flow) {
    return decide(flow, policy_of(fmt::format("[[expect]]\nname = 'e'\nserver_ports = [443]\n{}\n", expected))).action;
  };
  EXPECT_EQ(action("labels = ['tls']", https), Action::pass);
  EXPECT_EQ(action("labels = ['tls']", doubtful(trojan, tls)), Action::pass);
  EXPECT_EQ(action("labels = ['tls']", trojan), Action::alert);
  // Where TLS does not belong, neither may be the other, unless that does not belong there, too.
  EXPECT_EQ(action("not_labels = ['tls']", https), Action::pass);
  EXPECT_EQ(action("not_labels = ['tls']", trojan), Action::pass);
  EXPECT_EQ(action("not_labels = ['tls', 'tls-tunnel']", https), Action::alert);
  EXPECT_EQ(action("not_labels = ['tls', 'tls-tunnel']", doubtful(trojan, tls)), Action::alert);
}

TEST(Expectations, AnotherTunnelThatIsExpectedExcusesToo) {
  const Policy policy = policy_of("[[expect]]\nname = 'e'\nserver_ports = [443]\nlabels = ['wireguard']\n");
  FlowFacts flow = tunnel_flow();
  EXPECT_EQ(decide(flow, policy).action, Action::alert);
  flow.margin = 0.02;  // over the other tunnel; both are far from everything else
  flow.rival = {"wireguard", "wireguard"};
  flow.best_other = {"dns", "dns"};
  EXPECT_EQ(decide(flow, policy).action, Action::pass);
  flow.rival = {"ipsec", "ipsec"};
  EXPECT_EQ(decide(flow, policy).action, Action::alert);
  FlowFacts plain = plain_flow("dns", "dns");
  plain.rival = {"ntp", "ntp"};
  plain.margin = 0.01;
  plain.best_tunnel = {"wireguard", "wireguard"};
  plain.tunnel_margin = -0.04;
  EXPECT_EQ(decide(plain, policy).action, Action::pass);
  plain.tunnel_margin = -0.4;
  EXPECT_EQ(decide(plain, policy).action, Action::alert);
}

TEST(Expectations, UnknownFlowsAreExceptionsOnlyIfThePolicySaysSo) {
  EXPECT_EQ(decide(unknown_flow(true), policy_of(kOnlyTlsOn443)).action, Action::pass);
  const Policy strict = policy_of(fmt::format("{}unknown = 'alert'\n", kOnlyTlsOn443));
  EXPECT_EQ(decide(unknown_flow(true), strict).action, Action::alert);
  EXPECT_EQ(decide(plain_flow("https", "tls"), strict).action, Action::pass);
}

TEST(Expectations, NotLabelsNameWhatDoesNotBelongThere) {
  const Policy policy = policy_of(
      "[[expect]]\nname = 'no-ssh-on-443'\nserver_ports = [443]\nnot_labels = ['ssh']\n"
      "[[expect]]\nname = 'tls-but-no-doh'\nservers = ['192.0.2.0/24']\nlabels = ['tls']\nnot_labels = ['doh']\n");
  EXPECT_EQ(decide(plain_flow("ssh", "ssh"), policy).action, Action::alert);
  EXPECT_EQ(decide(plain_flow("https", "tls"), policy).action, Action::pass);
  EXPECT_EQ(decide(tunnel_flow(), policy).action, Action::pass);
  EXPECT_EQ(policy.expectations[0].words(), "not ssh");
  FlowFacts doh = plain_flow("doh", "tls");
  EXPECT_EQ(decide(doh, policy).action, Action::pass);
  doh.server.address = *IpAddress::parse("192.0.2.9");
  EXPECT_EQ(policy.name_of(decide(doh, policy).rule), "tls-but-no-doh");
  EXPECT_EQ(policy.expectations[1].words(), "tls, not doh");
}

TEST(Expectations, ABlockAsksForTheSameProofAsARules) {
  const Policy policy = policy_of(fmt::format("{}action = 'block'\nfor = '5m'\nscope = 'flow'\n", kOnlyTlsOn443));
  FlowFacts flow = plain_flow("ssh", "ssh");
  EXPECT_EQ(decide(flow, policy).obstacle, Obstacle::no_proof);
  flow.endpoint_flows = flow.agreeing_flows = 3;
  const Decision block = decide(flow, policy);
  EXPECT_EQ(block.action, Action::block);
  EXPECT_EQ(block.block_for, minutes(5));
  EXPECT_EQ(block.scope, BlockScope::flow);
  const Policy trusting = policy_of(fmt::format("{}action = 'block'\nproof = 'verdict'\n", kOnlyTlsOn443));
  EXPECT_EQ(decide(plain_flow("ssh", "ssh"), trusting).action, Action::block);
}

TEST(Expectations, TheSevererOfRuleAndExpectationWins) {
  const auto decided_by = [](std::string_view rule, std::string_view expectation) {
    const Policy policy =
        policy_of(fmt::format("[[rule]]\nname = 'rule'\n{}\n{}{}\n", rule, kOnlyTlsOn443, expectation));
    return std::string(policy.name_of(decide(plain_flow("ssh", "ssh"), policy).rule));
  };
  EXPECT_EQ(decided_by("action = 'allow'\nlabels = ['ssh']", "action = 'block'\nproof = 'verdict'"), "rule");
  EXPECT_EQ(decided_by("action = 'alert'\nlabels = ['ssh']", ""), "rule");
  EXPECT_EQ(decided_by("action = 'alert'\nlabels = ['ssh']", "action = 'block'"), "tls-on-443");
  EXPECT_EQ(decided_by("action = 'alert'\nlabels = ['ssh']", "action = 'block'\nproof = 'verdict'"), "tls-on-443");
  EXPECT_EQ(decided_by("action = 'block'\nlabels = ['ssh']", ""), "rule");
  EXPECT_EQ(decided_by("action = 'block'\nproof = 'verdict'\nlabels = ['ssh']", "action = 'block'"), "rule");
  EXPECT_EQ(decided_by("action = 'alert'\nlabels = ['wireguard']", ""), "tls-on-443");
}

// Whatever else a policy says, and whatever is known of the flow: what the first matching rule allows passes, and no
// block goes without evidence, without proof or against a never-block prefix.
TEST(Expectations, AnAllowRuleAlwaysWins) {
  std::mt19937 random(20261121);
  const auto pick = [&random](auto... choices) {
    const std::array list{std::string_view(choices)...};
    return list[random() % list.size()];
  };
  unsigned allowed = 0;
  unsigned blocked = 0;
  for (unsigned round = 0; round < 3000; ++round) {
    std::string text;
    for (unsigned i = 0; i < 4; ++i)
      text += fmt::format(
          "[[rule]]\nname = 'rule-{}'\n{}\n{}\n{}\n", i,
          pick("action = 'allow'", "action = 'alert'", "action = 'block'", "action = 'block'\nproof = 'verdict'"),
          pick("categories = ['tunnel']", "labels = ['ssh', 'openvpn']", "fully_encrypted = true",
               "states = ['unknown']", "servers = ['198.51.100.0/24']"),
          pick("", "server_ports = [443]", "clients = ['10.0.0.0/8']", "min_payload_packets = 4"));
    for (unsigned i = 0; i < 3; ++i)
      text += fmt::format("[[expect]]\nname = 'expect-{}'\n{}\n{}\n{}\n", i, pick("server_ports = [443]", ""),
                          pick("labels = ['tls']", "not_labels = ['ssh']"),
                          pick("", "action = 'block'", "unknown = 'alert'", "action = 'block'\nproof = 'verdict'"));
    Policy policy = policy_of(text);
    if (random() % 4 == 0) policy.never_block = {*IpPrefix::parse("10.0.0.0/8")};
    FlowFacts flow;
    switch (random() % 4) {
      case 0:
        flow = tunnel_flow();
        break;
      case 1:
        flow = plain_flow("ssh", "ssh");
        break;
      case 2:
        flow = plain_flow("https", "tls");
        break;
      default:
        flow = unknown_flow(random() % 2 == 0);
    }
    flow.site_learned = random() % 2 == 0;
    flow.model_may_block = random() % 4 != 0;
    flow.one_way = random() % 4 == 0;
    if (random() % 2 == 0) flow.server.port = 22;

    const Decision decision = decide(flow, policy);
    Policy rules_only = policy;
    rules_only.expectations.clear();
    const Decision by_rule = decide(flow, rules_only);
    if (by_rule.rule != kNoRule && policy.rules[by_rule.rule].action == Action::pass) {
      ++allowed;
      EXPECT_EQ(decision.action, Action::pass) << text;
      EXPECT_EQ(decision.rule, by_rule.rule) << text;
    }
    EXPECT_GE(decision.action, by_rule.action) << text;
    if (decision.action != Action::block) continue;
    ++blocked;
    EXPECT_TRUE(policy.never_block.empty()) << text;
    const bool by_place = decision.rule < policy.rules.size() && !policy.rules[decision.rule].match.names_verdict();
    if (by_place) continue;
    EXPECT_TRUE(flow.model_may_block || flow.state == IdentificationState::unknown) << text;
    const Proof proof = decision.rule < policy.rules.size() ? policy.rules[decision.rule].proof
                                                            : policy.expectation(decision.rule)->proof;
    EXPECT_TRUE(proof == Proof::verdict || (flow.site_learned && !flow.one_way)) << text;
  }
  EXPECT_GT(allowed, 100U);
  EXPECT_GT(blocked, 100U);
}

}  // namespace
}  // namespace spidd
