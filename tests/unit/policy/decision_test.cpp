// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The decision: which rule a flow meets, and what becomes of it.
#include "userspace/policy/decision.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace spidd {
namespace {

using std::chrono::minutes;

constexpr std::uint16_t kNoRule = 0xffff;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A certain OpenVPN flow at a site that was learned: a verdict is enough.
FlowFacts tunnel_flow() {
  FlowFacts flow;
  flow.client = {*IpAddress::parse("10.0.0.5"), 40000};
  flow.server = {*IpAddress::parse("198.51.100.7"), 443};
  flow.transport = Transport::tcp;
  flow.state = IdentificationState::identified;
  flow.label = "openvpn";
  flow.family = "openvpn";
  flow.category = Category::tunnel;
  flow.payload_packets = 8;
  flow.score = 1.5;
  flow.margin = 1.0;
  flow.tunnel_score = 1.5;
  flow.tunnel_margin = 1.2;
  flow.verdict_class = VerdictClass::label;
  flow.model_may_block = true;
  flow.site_learned = true;
  flow.endpoint_flows = flow.agreeing_flows = 1;
  return flow;
}

// An HTTPS download that resembles a tunnel a little.
FlowFacts https_flow() {
  FlowFacts flow = tunnel_flow();
  flow.label = "https";
  flow.family = "tls";
  flow.category = Category::encrypted;
  flow.tunnel_score = 1.2;
  flow.tunnel_margin = -0.3;
  return flow;
}

FlowFacts unknown_flow() {
  FlowFacts flow = tunnel_flow();
  flow.state = IdentificationState::unknown;
  flow.label = "";
  flow.family = "";
  flow.score = -0.7;
  flow.margin = 0.01;
  flow.tunnel_score = -0.7;
  flow.tunnel_margin = 0.01;
  flow.verdict_class = VerdictClass::unknown;
  flow.model_may_block = false;
  return flow;
}

Policy policy_of(std::string_view rules) {
  Result<Policy> policy = parse_policy(fmt::format("version = 1\nmode = 'enforce'\n{}", rules), "p.toml");
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : Policy{};
}

bool alerts(std::string_view conditions, const FlowFacts& flow) {
  const Policy policy = policy_of(fmt::format("[[rule]]\nname = 'r'\naction = 'alert'\n{}", conditions));
  const Decision decision = decide(flow, policy);
  EXPECT_EQ(decision.rule, decision.action == Action::alert ? 0 : kNoRule);
  return decision.action == Action::alert;
}

struct Case {
  std::string_view conditions;
  std::function<void(FlowFacts&)> change;
  bool matches;
};

void expect_all(const FlowFacts& base, const std::vector<Case>& cases) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    FlowFacts flow = base;
    cases[i].change(flow);
    EXPECT_EQ(alerts(cases[i].conditions, flow), cases[i].matches) << "case " << i << ": " << cases[i].conditions;
  }
}

void unchanged(FlowFacts&) {}

TEST(DecideSecondLook, AlertsByItsOwnRulesAlone) {
  const auto policy = parse_policy(R"(version = 1
mode = "enforce"
[[rule]]
name = "jump-hosts"
servers = ["203.0.113.0/24"]
action = "allow"
[[rule]]
name = "ssh"
labels = ["ssh"]
action = "block"
[[rule]]
name = "inside"
second_look = ["ssh-tunnel"]
action = "alert"
)",
                                   "p.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  FlowFacts flow = https_flow();
  flow.label = flow.family = "ssh";
  flow.score = flow.margin = 0.01;
  EXPECT_EQ(decide_second_look(flow, *policy).action, Action::pass) << "there was none";
  flow.second_look = SecondLook::encrypted_tunnel;
  EXPECT_EQ(decide_second_look(flow, *policy).action, Action::pass);
  flow.second_look = SecondLook::ssh_tunnel;
  const Decision decision = decide_second_look(flow, *policy);
  EXPECT_EQ(decision.action, Action::alert);
  EXPECT_EQ(decision.rule, 2);
  EXPECT_FALSE(decision.would_block);
  flow.server.address = *IpAddress::parse("203.0.113.9");
  EXPECT_EQ(decide_second_look(flow, *policy).action, Action::pass);
  // The other decision does not heed what a second look found.
  flow = unknown_flow();
  flow.second_look = SecondLook::ssh_tunnel;
  EXPECT_EQ(decide(flow, *policy).action, Action::pass);
}

TEST(Decide, PassesWhatNoRuleMatches) {
  const Decision decision = decide(tunnel_flow(), Policy{});
  EXPECT_EQ(decision.action, Action::pass);
  EXPECT_EQ(decision.rule, kNoRule);
  EXPECT_FALSE(decision.would_block);
}

TEST(Decide, TestsEveryConditionByItself) {
  expect_all(
      tunnel_flow(),
      {
          {"", unchanged, true},
          // labels: the label or its family
          {"labels = ['openvpn']", unchanged, true},
          {"labels = ['wireguard', 'openvpn']", unchanged, true},
          {"labels = ['wireguard']", unchanged, false},
          {"labels = ['openvp']", unchanged, false},
          {"labels = ['obfuscated']",
           [](FlowFacts& f) {
             f.label = "obfs4";
             f.family = "obfuscated";
           },
           true},
          {"labels = ['obfs4']",
           [](FlowFacts& f) {
             f.label = "obfs4";
             f.family = "obfuscated";
           },
           true},
          {"labels = ['obfs3']",
           [](FlowFacts& f) {
             f.label = "obfs4";
             f.family = "obfuscated";
           },
           false},
          // categories
          {"categories = ['tunnel']", unchanged, true},
          {"categories = ['p2p', 'tunnel']", unchanged, true},
          {"categories = ['p2p', 'plain', 'encrypted']", unchanged, false},
          // both
          {"labels = ['openvpn']\ncategories = ['tunnel']", unchanged, true},
          {"labels = ['openvpn']\ncategories = ['p2p']", unchanged, false},
          // transports
          {"transports = ['tcp']", unchanged, true},
          {"transports = ['udp']", unchanged, false},
          {"transports = ['udp', 'tcp']", unchanged, true},
          {"transports = ['icmp']", [](FlowFacts& f) { f.transport = Transport::icmp; }, true},
          {"transports = ['icmp']", [](FlowFacts& f) { f.transport = Transport::icmp6; }, true},
          {"transports = ['icmp6']", [](FlowFacts& f) { f.transport = Transport::icmp; }, false},
          // servers and clients are not confused
          {"servers = ['198.51.100.7']", unchanged, true},
          {"servers = ['198.51.100.0/24']", unchanged, true},
          {"servers = ['10.0.0.0/8']", unchanged, false},
          {"servers = ['2001:db8::/32', '198.51.100.4/30']", unchanged, true},
          {"servers = ['2001:db8::/32']", [](FlowFacts& f) { f.server.address = *IpAddress::parse("2001:db8::1"); },
           true},
          {"servers = ['0.0.0.0/0']", [](FlowFacts& f) { f.server.address = *IpAddress::parse("2001:db8::1"); }, false},
          {"clients = ['10.0.0.0/8']", unchanged, true},
          {"clients = ['198.51.100.0/24']", unchanged, false},
          // ports of the server, ends of ranges included
          {"server_ports = [443]", unchanged, true},
          {"server_ports = [40000]", unchanged, false},
          {"server_ports = [1, '440-450']", unchanged, true},
          {"server_ports = ['443-450']", unchanged, true},
          {"server_ports = ['440-443']", unchanged, true},
          {"server_ports = ['444-450']", unchanged, false},
          {"server_ports = ['400-442']", unchanged, false},
          {"server_ports = [443]", [](FlowFacts& f) { f.transport = Transport::udp; }, true},
          {"server_ports = ['1-65535']", [](FlowFacts& f) { f.transport = Transport::icmp; }, false},
          // packets seen, by default 3
          {"", [](FlowFacts& f) { f.payload_packets = 3; }, true},
          {"", [](FlowFacts& f) { f.payload_packets = 2; }, false},
          {"min_payload_packets = 8", unchanged, true},
          {"min_payload_packets = 9", unchanged, false},
          {"min_payload_packets = 0", [](FlowFacts& f) { f.payload_packets = 0; }, true},
          // all conditions must hold
          {"servers = ['198.51.100.7']\nserver_ports = [443]\ntransports = ['tcp']", unchanged, true},
          {"servers = ['198.51.100.7']\nserver_ports = [444]\ntransports = ['tcp']", unchanged, false},
          {"servers = ['198.51.100.7']\nclients = ['10.9.0.0/16']", unchanged, false},
      });
}

TEST(Decide, TestsTunnelsByTheirDistanceToEverythingElse) {
  const auto twins = [](FlowFacts& f) { f.margin = 0.0; };  // two tunnels alike
  expect_all(tunnel_flow(),
             {
                 {"categories = ['tunnel']", twins, true},
                 {"categories = ['tunnel', 'p2p']", twins, true},
                 {"categories = ['tunnel']\nlabels = ['openvpn']", twins, true},
                 {"labels = ['openvpn']", twins, false},
                 {"", twins, false},
                 {"categories = ['tunnel']\nmin_margin = 1.2", unchanged, true},
                 {"categories = ['tunnel']\nmin_margin = 1.21", unchanged, false},
                 {"categories = ['tunnel']", [](FlowFacts& f) { f.tunnel_margin = 0.09; }, false},
                 {"categories = ['tunnel']", [](FlowFacts& f) { f.tunnel_margin = 0.1; }, true},
                 {"categories = ['tunnel']\nmin_score = 1.5", unchanged, true},
                 {"categories = ['tunnel']\nmin_score = 1.51", unchanged, false},
                 {"categories = ['tunnel']", [](FlowFacts& f) { f.tunnel_score = -0.01; }, false},
                 {"categories = ['tunnel']\nmin_score = -1", [](FlowFacts& f) { f.tunnel_score = -0.5; }, true},
             });
}

TEST(Decide, TestsOtherFlowsByTheirLabel) {
  expect_all(https_flow(), {
                               {"categories = ['tunnel']", unchanged, false},
                               {"categories = ['encrypted']", unchanged, true},
                               {"categories = ['encrypted', 'tunnel']", unchanged, true},
                               {"labels = ['tls']", unchanged, true},
                               {"labels = ['tls']\nmin_margin = 1.0", unchanged, true},
                               {"labels = ['tls']\nmin_margin = 1.01", unchanged, false},
                               {"labels = ['tls']\nmin_score = 1.5", unchanged, true},
                               {"labels = ['tls']\nmin_score = 1.51", unchanged, false},
                               {"labels = ['tls']", [](FlowFacts& f) { f.margin = 0.05; }, false},
                           });
}

TEST(Decide, TestsStates) {
  const auto undecided = [](FlowFacts& f) { f.state = IdentificationState::undecided; };
  const auto identified = [](FlowFacts& f) {
    f = tunnel_flow();
    f.margin = 0.5;
  };
  expect_all(unknown_flow(), {
                                 {"", unchanged, false},
                                 {"states = ['unknown']", unchanged, true},
                                 {"states = ['unknown']", undecided, false},
                                 {"states = ['unknown']", identified, false},
                                 {"states = ['undecided']", undecided, true},
                                 {"states = ['undecided']", unchanged, false},
                                 {"states = ['identified', 'unknown']", unchanged, true},
                                 {"states = ['identified', 'unknown']", identified, true},
                                 {"states = ['identified', 'unknown']", undecided, false},
                                 // score and margin say nothing about a flow without a label
                                 {"states = ['unknown']\nmin_score = 5\nmin_margin = 5", unchanged, true},
                                 // and it has no label or category, whatever its best model was
                                 {"states = ['identified', 'unknown']\ncategories = ['tunnel']", unchanged, false},
                                 {"states = ['identified', 'unknown']\nlabels = ['openvpn']", unchanged, false},
                                 {"states = ['unknown']\nservers = ['198.51.100.0/24']", unchanged, true},
                                 {"states = ['unknown']\nservers = ['192.0.2.0/24']", unchanged, false},
                                 {"states = ['unknown']\nmin_payload_packets = 9", unchanged, false},
                             });
}

TEST(Decide, AScoreThatIsNotANumberMatchesNothing) {
  const auto lost = [](FlowFacts& f) { f.score = f.margin = f.tunnel_score = f.tunnel_margin = kNan; };
  expect_all(tunnel_flow(), {
                                {"categories = ['tunnel']\nmin_score = -20\nmin_margin = 0", lost, false},
                                {"labels = ['openvpn']\nmin_score = -20\nmin_margin = 0", lost, false},
                            });
}

TEST(Decide, TheFirstMatchingRuleDecides) {
  const Policy policy = policy_of(R"(
[[rule]]
name = "other"
labels = ["wireguard"]
action = "block"
[[rule]]
name = "authorised"
servers = ["198.51.100.7"]
action = "allow"
[[rule]]
name = "tunnels"
categories = ["tunnel"]
action = "block"
scope = "host"
for = "10m"
[[rule]]
name = "tunnels-again"
categories = ["tunnel"]
action = "alert"
)");
  FlowFacts flow = tunnel_flow();
  EXPECT_EQ(decide(flow, policy).rule, 1);
  EXPECT_EQ(decide(flow, policy).action, Action::pass);

  flow.server.address = *IpAddress::parse("198.51.100.8");
  const Decision block = decide(flow, policy);
  EXPECT_EQ(block.rule, 2);
  EXPECT_EQ(block.action, Action::block);
  EXPECT_EQ(block.scope, BlockScope::host);
  EXPECT_EQ(block.block_for, minutes(10));
  EXPECT_FALSE(block.would_block);

  flow.label = flow.family = "wireguard";
  EXPECT_EQ(decide(flow, policy).rule, 0);
}

TEST(Decide, DoubtDoesNotBlockWhatIsAllowed) {
  const Policy policy = policy_of(R"(
[[rule]]
name = "authorised"
labels = ["openvpn"]
servers = ["198.51.100.7"]
action = "allow"
[[rule]]
name = "everyone-there"
servers = ["198.51.100.9"]
action = "allow"
[[rule]]
name = "tunnels"
categories = ["tunnel"]
action = "block"
[[rule]]
name = "strangers"
states = ["unknown"]
action = "block"
)");
  FlowFacts flow = tunnel_flow();
  flow.margin = 0.0;
  flow.score = -0.2;
  EXPECT_EQ(decide(flow, policy).rule, 0);
  FlowFacts stranger = unknown_flow();
  EXPECT_EQ(decide(stranger, policy).rule, 3);
  stranger.server.address = *IpAddress::parse("198.51.100.9");
  EXPECT_EQ(decide(stranger, policy).rule, 1);
  EXPECT_EQ(decide(stranger, policy).action, Action::pass);
}

// Action and would_block for every mode, action of the rule and position of the never-block prefix.
TEST(Decide, BlocksOnlyWhenThePolicyEnforcesAndNothingForbidsIt) {
  enum class Never { nobody, bystander, server, client };
  for (const Mode mode : {Mode::observe, Mode::enforce}) {
    for (const Action action : {Action::pass, Action::alert, Action::block}) {
      for (const Never never : {Never::nobody, Never::bystander, Never::server, Never::client}) {
        Policy policy;
        policy.mode = mode;
        if (never == Never::bystander) policy.never_block = {*IpPrefix::parse("192.0.2.0/24")};
        if (never == Never::server) policy.never_block = {*IpPrefix::parse("198.51.100.0/24")};
        if (never == Never::client) policy.never_block = {*IpPrefix::parse("10.0.0.5")};
        Rule rule;
        rule.name = "r";
        rule.action = action;
        rule.scope = BlockScope::flow;
        rule.block_for = minutes(5);
        policy.rules = {rule};

        const Decision decision = decide(tunnel_flow(), policy);
        const bool saved = mode == Mode::observe || never == Never::server || never == Never::client;
        const bool would_block = action == Action::block && saved;
        EXPECT_EQ(decision.action, would_block ? Action::alert : action);
        EXPECT_EQ(decision.would_block, would_block);
        EXPECT_EQ(decision.obstacle, !would_block ? Obstacle::none
                                     : mode == Mode::observe && never != Never::server && never != Never::client
                                         ? Obstacle::observe
                                         : Obstacle::never_block);
        EXPECT_EQ(decision.rule, 0);
        if (action == Action::block) {
          EXPECT_EQ(decision.scope, BlockScope::flow);
          EXPECT_EQ(decision.block_for, minutes(5));
        }
      }
    }
  }
}

TEST(Decide, TheBuiltInPolicyNeverBlocks) {
  const Policy policy = builtin_policy();
  EXPECT_EQ(decide(tunnel_flow(), policy).action, Action::alert);
  EXPECT_FALSE(decide(tunnel_flow(), policy).would_block);
  EXPECT_EQ(decide(https_flow(), policy).action, Action::pass);
  EXPECT_EQ(decide(unknown_flow(), policy).action, Action::pass);
}

struct GatewayCase {
  std::string_view what;
  FlowFacts flow;
  Action action;
  std::string_view rule;  // "" = none
};

FlowFacts tunnel(std::string_view label, std::string_view family, unsigned packets, double score, double margin) {
  FlowFacts flow = tunnel_flow();
  flow.label = label;
  flow.family = family;
  flow.payload_packets = packets;
  flow.score = flow.tunnel_score = score;
  flow.tunnel_margin = margin;
  return flow;
}

TEST(Decide, TheGatewayPolicyBlocksClearTunnelsAndLeavesTheRestAlone) {
  const Result<Policy> policy = load_policy(SPIDD_POLICY_DIR "/gateway.toml");
  ASSERT_TRUE(policy) << policy.error().message;

  FlowFacts authorised = tunnel("openvpn", "openvpn", 8, 1.5, 1.2);
  authorised.server = {*IpAddress::parse("203.0.113.7"), 1194};
  FlowFacts mistaken = authorised;
  mistaken.label = mistaken.family = "ike";
  FlowFacts other_port = authorised;
  other_port.server.port = 443;
  FlowFacts administrator = tunnel("openvpn", "openvpn", 8, 1.5, 1.2);
  administrator.client.address = *IpAddress::parse("192.0.2.10");
  FlowFacts ssh = https_flow();
  ssh.label = ssh.family = "ssh";

  const std::vector<GatewayCase> cases = {
      {"openvpn, clear", tunnel("openvpn", "openvpn", 4, 0.6, 0.3), Action::block, "clear-tunnels"},
      {"wireguard, clear", tunnel("wireguard", "wireguard", 20, 2.0, 1.5), Action::block, "clear-tunnels"},
      {"three packets are not enough", tunnel("openvpn", "openvpn", 3, 2.0, 1.5), Action::alert, "possible-tunnels"},
      {"less clear, early", tunnel("openvpn", "openvpn", 6, 0.5, 0.25), Action::alert, "possible-tunnels"},
      {"less clear, later", tunnel("openvpn", "openvpn", 8, 0.5, 0.25), Action::block, "tunnels"},
      {"low score", tunnel("openvpn", "openvpn", 20, 0.3, 0.5), Action::alert, "possible-tunnels"},
      {"low margin", tunnel("openvpn", "openvpn", 20, 1.0, 0.15), Action::alert, "possible-tunnels"},
      {"hardly a tunnel", tunnel("openvpn", "openvpn", 20, 1.0, 0.05), Action::pass, ""},
      {"authorised", authorised, Action::pass, "authorised-vpn"},
      {"authorised but taken for another tunnel", mistaken, Action::pass, "authorised-vpn"},
      {"another port of the authorised server", other_port, Action::block, "clear-tunnels"},
      {"the administrator's own host", administrator, Action::alert, "clear-tunnels"},
      {"tls that looks like a tunnel", tunnel("trojan", "tls-tunnel", 20, 3.0, 2.0), Action::alert,
       "tunnels-alike-to-other-traffic"},
      {"https", https_flow(), Action::pass, ""},
      {"ssh", ssh, Action::pass, ""},
      {"unknown", unknown_flow(), Action::pass, ""},
  };
  for (const GatewayCase& c : cases) {
    const Decision decision = decide(c.flow, *policy);
    EXPECT_EQ(decision.action, c.action) << c.what;
    EXPECT_EQ(decision.rule == kNoRule ? "" : policy->rules[decision.rule].name, c.rule) << c.what;
    if (decision.action == Action::block) {
      EXPECT_EQ(decision.scope, BlockScope::endpoint) << c.what;
    }
  }

  Policy observing = *policy;
  observing.mode = Mode::observe;
  for (const GatewayCase& c : cases) EXPECT_NE(decide(c.flow, observing).action, Action::block) << c.what;
}

// A protocol learned from the stream, that nobody has confirmed.
FlowFacts provisional_flow() {
  FlowFacts flow = unknown_flow();
  flow.state = IdentificationState::identified;
  flow.verdict_class = VerdictClass::label;
  flow.label = flow.family = "unknown-3fa2";
  flow.score = 0.5;
  flow.margin = 0.4;
  flow.model_may_block = false;
  flow.provisional = true;
  return flow;
}

TEST(Decision, WhatIsSaidOfUnknownFlowsHoldsForAProvisionalName) {
  for (const bool by_class : {false, true}) {
    Policy policy;
    Rule rule;
    rule.name = "strangers";
    rule.action = Action::alert;
    rule.match.states = {IdentificationState::unknown};
    if (by_class) {
      rule.match.states = {IdentificationState::identified, IdentificationState::unknown};
      rule.match.classes = {VerdictClass::unknown};
    }
    policy.rules = {rule};
    EXPECT_EQ(decide(unknown_flow(), policy).action, Action::alert);
    EXPECT_EQ(decide(provisional_flow(), policy).action, Action::alert);
    FlowFacts confirmed = provisional_flow();
    confirmed.provisional = false;
    EXPECT_EQ(decide(confirmed, policy).action, Action::pass);
  }
}

TEST(Decision, ARuleThatNamesAProvisionalLabelStillSeesIt) {
  Policy policy;
  Rule rule;
  rule.action = Action::pass;
  rule.match.labels = {"unknown-3fa2"};
  Rule strangers;
  strangers.action = Action::alert;
  strangers.match.states = {IdentificationState::unknown};
  policy.rules = {rule, strangers};
  const Decision decision = decide(provisional_flow(), policy);
  EXPECT_EQ(decision.action, Action::pass);
  EXPECT_EQ(decision.rule, 0);
}

}  // namespace
}  // namespace spidd
