// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The policy file: every key with its default and its range, and the mistakes that are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "userspace/policy/policy.h"

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Policy good(std::string_view text) {
  Result<Policy> policy = parse_policy(text, "p.toml");
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : Policy{};
}

std::string mistake(std::string_view text) {
  const Result<Policy> policy = parse_policy(text, "p.toml");
  return policy ? "no mistake found" : policy.error().message;
}

// A policy of one rule with the given lines; the rule's keys begin at line 5.
std::string with_rule(std::string_view lines) {
  return fmt::format("version = 1\n[[rule]]\nname = 'r'\naction = 'alert'\n{}\n", lines);
}

std::string with_block(std::string_view lines) {
  return fmt::format("version = 1\n[[rule]]\nname = 'r'\naction = 'block'\n{}\n", lines);
}

TEST(PolicyFile, NeedsNothingButAVersion) {
  const Policy policy = good("version = 1");
  EXPECT_EQ(policy.path, "p.toml");
  EXPECT_EQ(policy.mode, Mode::observe);
  EXPECT_FALSE(policy.fail_open);
  EXPECT_TRUE(policy.never_block.empty());
  EXPECT_EQ(policy.max_block, hours(24 * 7));
  EXPECT_EQ(policy.max_blocks, 10000U);
  EXPECT_EQ(policy.label_threshold, 0.0);
  EXPECT_TRUE(policy.rules.empty());
}

TEST(PolicyFile, ReadsEveryKey) {
  const Policy policy = good(R"(version = 1
mode = "enforce"
on_daemon_death = "pass"
never_block = ["192.0.2.0/24", "2001:db8::1"]
[identification]
label_threshold = 0.25
[limits]
max_block = "2d"
max_blocks = 65535
[proof]
agreeing_flows = 5
agreeing_margin = 0.15
duration = "20m"
[[rule]]
name = "all.of-it_1"
labels = ["openvpn", "tls-tunnel"]
categories = ["tunnel", "p2p", "encrypted", "plain"]
classes = ["label", "tunnel", "fully-encrypted", "unknown"]
fully_encrypted = false
states = ["identified", "unknown"]
transports = ["tcp", "udp"]
clients = ["10.0.0.0/8"]
servers = ["203.0.113.7/32", "2001:db8::/32"]
server_ports = [1194, "6000-6010", "443"]
min_score = 0.4
min_margin = 1
min_payload_packets = 20
action = "block"
scope = "host"
for = "1h30m"
proof = "verdict"
[[expect]]
name = "all-of-it-too"
labels = ["tls", "quic"]
not_labels = ["doh"]
unknown = "alert"
transports = ["tcp", "udp"]
clients = ["10.0.0.0/8"]
servers = ["203.0.113.7/32"]
server_ports = [443]
min_score = 0.4
min_margin = 1
min_payload_packets = 20
action = "block"
scope = "flow"
for = "5m"
proof = "verdict"
)");
  EXPECT_EQ(policy.mode, Mode::enforce);
  EXPECT_TRUE(policy.fail_open);
  EXPECT_EQ(policy.never_block, (std::vector{*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::1")}));
  EXPECT_EQ(policy.label_threshold, 0.25);
  EXPECT_EQ(policy.max_block, hours(48));
  EXPECT_EQ(policy.max_blocks, 65535U);
  ASSERT_EQ(policy.rules.size(), 1U);
  const Rule& rule = policy.rules[0];
  EXPECT_EQ(rule.name, "all.of-it_1");
  EXPECT_EQ(rule.line, 14U);
  EXPECT_EQ(rule.action, Action::block);
  EXPECT_EQ(rule.scope, BlockScope::host);
  EXPECT_EQ(rule.block_for, minutes(90));
  const RuleMatch& match = rule.match;
  EXPECT_EQ(match.labels, (std::vector<std::string>{"openvpn", "tls-tunnel"}));
  EXPECT_EQ(match.categories, (std::vector{Category::tunnel, Category::p2p, Category::encrypted, Category::plain}));
  EXPECT_EQ(match.states, (std::vector{IdentificationState::identified, IdentificationState::unknown}));
  EXPECT_EQ(match.transports, (std::vector{Transport::tcp, Transport::udp}));
  EXPECT_EQ(match.clients, (std::vector{*IpPrefix::parse("10.0.0.0/8")}));
  EXPECT_EQ(match.servers.size(), 2U);
  EXPECT_EQ(match.server_ports, (std::vector<PortRange>{{1194, 1194}, {6000, 6010}, {443, 443}}));
  EXPECT_EQ(match.min_score, 0.4);
  EXPECT_EQ(match.min_margin, 1.0);
  EXPECT_EQ(match.min_payload_packets, 20U);
  EXPECT_EQ(match.classes, (std::vector{VerdictClass::label, VerdictClass::tunnel, VerdictClass::fully_encrypted,
                                        VerdictClass::unknown}));
  EXPECT_EQ(match.fully_encrypted, false);
  EXPECT_EQ(rule.proof, Proof::verdict);
  EXPECT_EQ(policy.proof.agreeing_flows, 5U);
  EXPECT_EQ(policy.proof.agreeing_margin, 0.15);
  EXPECT_EQ(policy.proof.duration, minutes(20));
  ASSERT_EQ(policy.expectations.size(), 1U);
  const Expectation& expectation = policy.expectations[0];
  EXPECT_EQ(expectation.name, "all-of-it-too");
  EXPECT_EQ(expectation.labels, (std::vector<std::string>{"tls", "quic"}));
  EXPECT_EQ(expectation.not_labels, (std::vector<std::string>{"doh"}));
  EXPECT_EQ(expectation.where.states, (std::vector{IdentificationState::identified, IdentificationState::unknown}));
  EXPECT_EQ(expectation.where.clients.size(), 1U);
  EXPECT_EQ(expectation.where.servers.size(), 1U);
  EXPECT_EQ(expectation.where.transports.size(), 2U);
  EXPECT_EQ(expectation.where.server_ports, (std::vector<PortRange>{{443, 443}}));
  EXPECT_EQ(expectation.where.min_score, 0.4);
  EXPECT_EQ(expectation.where.min_margin, 1.0);
  EXPECT_EQ(expectation.where.min_payload_packets, 20U);
  EXPECT_EQ(expectation.action, Action::block);
  EXPECT_EQ(expectation.scope, BlockScope::flow);
  EXPECT_EQ(expectation.block_for, minutes(5));
  EXPECT_EQ(expectation.proof, Proof::verdict);
}

TEST(PolicyFile, AnExpectationAlertsByDefaultAndAsksForProof) {
  const Policy policy = good("version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls']\nserver_ports = [443]");
  ASSERT_EQ(policy.expectations.size(), 1U);
  const Expectation& expectation = policy.expectations[0];
  EXPECT_EQ(expectation.action, Action::alert);
  EXPECT_EQ(expectation.proof, Proof::second);
  EXPECT_EQ(expectation.where.states, (std::vector{IdentificationState::identified}));
  EXPECT_EQ(expectation.where.min_margin, 0.1);
}

TEST(PolicyFile, RulesThatAlertOrBlockAskForAnIdentifiedFlowByDefault) {
  for (const std::string_view action : {"alert", "block"}) {
    const Policy policy =
        good(fmt::format("version = 1\n[[rule]]\nname = 'r'\naction = '{}'\ncategories = ['tunnel']", action));
    ASSERT_EQ(policy.rules.size(), 1U);
    const Rule& rule = policy.rules[0];
    EXPECT_EQ(rule.match.states, (std::vector{IdentificationState::identified}));
    EXPECT_EQ(rule.match.min_score, 0.0);
    EXPECT_EQ(rule.match.min_margin, 0.1);
    EXPECT_EQ(rule.match.min_payload_packets, 3U);
    EXPECT_EQ(rule.scope, BlockScope::endpoint);
    EXPECT_EQ(rule.block_for, hours(1));
  }
}

TEST(PolicyFile, RulesThatAllowNeedNoCertaintyByDefault) {
  const Policy policy = good("version = 1\n[[rule]]\nname = 'r'\naction = 'allow'\nservers = ['192.0.2.1']");
  ASSERT_EQ(policy.rules.size(), 1U);
  const RuleMatch& match = policy.rules[0].match;
  EXPECT_TRUE(match.states.empty());
  EXPECT_EQ(match.min_score, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(match.min_margin, 0.0);
  EXPECT_EQ(match.min_payload_packets, 0U);
}

TEST(PolicyFile, TheDefaultBlockIsNoLongerThanTheLimit) {
  const Policy policy =
      good("version = 1\n[[rule]]\nname = 'r'\naction = 'block'\ncategories = ['tunnel']\n[limits]\nmax_block = '10m'");
  ASSERT_EQ(policy.rules.size(), 1U);
  EXPECT_EQ(policy.rules[0].block_for, minutes(10));
}

TEST(PolicyFile, IcmpMeansBothVersions) {
  const Policy policy = good(with_rule("transports = ['icmp']"));
  ASSERT_EQ(policy.rules.size(), 1U);
  EXPECT_EQ(policy.rules[0].match.transports, (std::vector{Transport::icmp, Transport::icmp6}));
}

struct BadPolicy {
  std::string text;
  std::string message;
};

TEST(PolicyFile, NamesTheLineOfEveryMistake) {
  const std::vector<BadPolicy> cases = {
      // the top of the file
      {"", "p.toml:1: version = 1 is missing"},
      {"version = 2", "p.toml:1: version = 2 is not within 1 to 1"},
      {"version = '1'", "p.toml:1: version must be an integer, not a string"},
      {"version = 1\nmode = 'enforced'",
       "p.toml:2: mode = 'enforced' is none of observe, enforce; did you mean 'enforce'?"},
      {"version = 1\nmode = true", "p.toml:2: mode must be a string, not true or false"},
      {"version = 1\nMode = 'observe'", "p.toml:2: unknown key 'Mode'; did you mean 'mode'?"},
      {"version = 1\n[second_look]\npackets = 20", "p.toml:3: [second_look]: packets = 20 is not within 40 to 100"},
      {"version = 1\n[[rule]]\nname = 'a'\naction = 'alert'\nsecond_look = ['ssh']",
       "p.toml:5: rule 'a': second_look: 'ssh' is none of ssh-tunnel, encrypted-tunnel"},
      {"version = 1\n[[rule]]\nname = 'a'\naction = 'block'\nsecond_look = ['ssh-tunnel']",
       "p.toml:5: rule 'a': a second look can only alert: use action = \"alert\""},
      {"version = 1\non_daemon_death = 'open'", "p.toml:2: on_daemon_death = 'open' is none of keep-blocks, pass"},
      {"version = 1\nnever_block = '192.0.2.1'",
       "p.toml:2: never_block must be an array of strings in [ ], not a string"},
      {"version = 1\nnever_block = []", "p.toml:2: never_block is empty; leave the key out instead"},
      {"version = 1\nnever_block = [7]", "p.toml:2: never_block must be an array of strings, but has an integer"},
      {"version = 1\nneverblock = ['192.0.2.1']", "p.toml:2: unknown key 'neverblock'; did you mean 'never_block'?"},
      {"version = 1\nidentification = 1", "p.toml:2: identification must be a table, not an integer"},
      {"version = 1\n[identification]\nthreshold = 0.5", "p.toml:3: [identification]: unknown key 'threshold'"},
      {"version = 1\n[identification]\nlabel_treshold = 0.5",
       "p.toml:3: [identification]: unknown key 'label_treshold'; did you mean 'label_threshold'?"},
      {"version = 1\n[identification]\nlabel_threshold = 21",
       "p.toml:3: [identification]: label_threshold = 21 is not within -20 to 20"},
      {"version = 1\n[identification]\nlabel_threshold = nan",
       "p.toml:3: [identification]: label_threshold = nan is not within -20 to 20"},
      {"version = 1\n[limits]\nmax_block = 3600", "p.toml:3: [limits]: max_block must be a string, not an integer"},
      {"version = 1\n[limits]\nmax_block = '0s'", "p.toml:3: [limits]: max_block = '0s' is not within 1s to 366d"},
      {"version = 1\n[limits]\nmax_blocks = 0", "p.toml:3: [limits]: max_blocks = 0 is not within 1 to 65535"},
      {"version = 1\n[limits]\nmax_blocks = 65536", "p.toml:3: [limits]: max_blocks = 65536 is not within 1 to 65535"},
      {"version = 1\n[limit]\nmax_blocks = 6", "p.toml:2: unknown key 'limit'; did you mean 'limits'?"},
      {"version = 1\n[rules]\nname = 'r'", "p.toml:2: unknown key 'rules'; did you mean 'rule'?"},
      {"version = 1\n[rule]\nname = 'r'", "p.toml:2: rule must be written as [[rule]], once for each"},
      {"version = 1\nrule = [1]", "p.toml:2: rule must be written as [[rule]], once for each"},
      // name and action
      {"version = 1\n[[rule]]\naction = 'alert'", "p.toml:2: a [[rule]] needs a name"},
      {"version = 1\n[[rule]]\nname = 'r'", "p.toml:2: rule 'r' needs an action: allow, alert, block"},
      {"version = 1\n[[rule]]\nname = ''\naction = 'alert'", "p.toml:3: [[rule]]: name is empty"},
      {"version = 1\n[[rule]]\nname = 'my rule'\naction = 'alert'",
       "p.toml:3: 'my rule' is not a rule name: up to 64 letters, digits, '-', '_' and '.', beginning with a letter "
       "or digit"},
      {"version = 1\n[[rule]]\nname = 'manual'\naction = 'alert'",
       "p.toml:3: the name 'manual' is taken by blocks made by hand"},
      {"version = 1\n[[rule]]\nname = 'r'\naction = 'alert'\n[[rule]]\naction = 'alert'\nname = 'r'",
       "p.toml:7: rule 'r' is there already, at line 2"},
      {"version = 1\n[[rule]]\nname = 'r'\naction = 'drop'",
       "p.toml:4: rule 'r': action = 'drop' is none of allow, alert, block"},
      {"version = 1\n[[rule]]\nname = 'r'\naction = 'blok'\ncategories = ['tunnel']",
       "p.toml:4: rule 'r': action = 'blok' is none of allow, alert, block; did you mean 'block'?"},
      // conditions
      {with_rule("lables = ['a']"), "p.toml:5: rule 'r': unknown key 'lables'; did you mean 'labels'?"},
      {with_rule("label = ['a']"), "p.toml:5: rule 'r': unknown key 'label'; did you mean 'labels'?"},
      {with_rule("labels = 'a'"), "p.toml:5: rule 'r': labels must be an array of strings in [ ], not a string"},
      {with_rule("labels = ['Open VPN']"),
       "p.toml:5: rule 'r': labels: 'Open VPN' is not a label: up to 48 of a-z, 0-9, '-', '_' and '.'"},
      {with_rule("labels = []"), "p.toml:5: rule 'r': labels is empty; leave the key out instead"},
      {with_rule("states = ['known']"),
       "p.toml:5: rule 'r': states: 'known' is none of undecided, identified, unknown"},
      {with_rule("classes = ['tunel']"),
       "p.toml:5: rule 'r': classes: 'tunel' is none of label, tunnel, fully-encrypted, unknown"},
      {with_rule("classes = ['unknown']\nlabels = ['openvpn']"),
       "p.toml:5: rule 'r': can never match: identified flows are of class label or tunnel, unknown ones of class "
       "fully-encrypted or unknown"},
      {with_rule("classes = ['tunnel']\nstates = ['unknown']"),
       "p.toml:5: rule 'r': can never match: identified flows are of class label or tunnel, unknown ones of class "
       "fully-encrypted or unknown"},
      {with_rule("fully_encrypted = 'yes'"), "p.toml:5: rule 'r': fully_encrypted must be true or false, not a string"},
      {with_rule("proof = 'none'"), "p.toml:5: rule 'r': proof = 'none' is none of second, verdict"},
      {"version = 1\n[proof]\nagreeing_flows = 1", "p.toml:3: [proof]: agreeing_flows = 1 is not within 2 to 1000"},
      {"version = 1\n[proof]\nduration = '8d'", "p.toml:3: [proof]: duration = '8d' is not within 1s to 7d"},
      // expectations
      {"version = 1\n[[expect]]\nlabels = ['tls']", "p.toml:2: a [[expect]] needs a name"},
      {"version = 1\n[[expect]]\nname = 'e'\nserver_ports = [443]",
       "p.toml:2: expect 'e' expects nothing: give it labels or not_labels"},
      {"version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls']\naction = 'allow'",
       "p.toml:5: expect 'e': action = 'allow' is none of alert, block"},
      {"version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls']\nunknown = 'block'",
       "p.toml:5: expect 'e': unknown = 'block' is none of allow, alert"},
      {"version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls']\ncategories = ['tunnel']",
       "p.toml:5: expect 'e': unknown key 'categories'"},
      {"version = 1\n[[expect]]\nname = 'e'\nlabels = ['tls']\nfor = '8d'\naction = 'block'",
       "p.toml:5: expect 'e': for = 8d is longer than limits.max_block = 7d"},
      {"version = 1\n[[rule]]\nname = 'r'\naction = 'alert'\n[[expect]]\nname = 'r'\nlabels = ['tls']",
       "p.toml:6: rule 'r' is there already, at line 2"},
      {with_rule("server_ports = [0]"), "p.toml:5: rule 'r': server_ports: '0' is not a port from 1 to 65535"},
      {with_rule("server_ports = [65536]"), "p.toml:5: rule 'r': server_ports: '65536' is not a port from 1 to 65535"},
      {with_rule("server_ports = [-1]"), "p.toml:5: rule 'r': server_ports: '-1' is not a port from 1 to 65535"},
      {with_rule("server_ports = ['']"), "p.toml:5: rule 'r': server_ports: '' is not a port from 1 to 65535"},
      {with_rule("server_ports = ['20-10']"),
       "p.toml:5: rule 'r': server_ports: port range '20-10' ends before it begins"},
      {with_rule("server_ports = ['10-']"), "p.toml:5: rule 'r': server_ports: '' is not a port from 1 to 65535"},
      {with_rule("server_ports = ['https']"),
       "p.toml:5: rule 'r': server_ports: 'https' is not a port from 1 to 65535"},
      {with_rule("server_ports = [1.5]"),
       "p.toml:5: rule 'r': server_ports must be an array of integers and strings, but has a number"},
      {with_rule("server_ports = 443"),
       "p.toml:5: rule 'r': server_ports must be an array of integers and strings in [ ], not an integer"},
      {with_rule("min_score = '0.5'"), "p.toml:5: rule 'r': min_score must be a number, not a string"},
      {with_rule("min_score = -20.5"), "p.toml:5: rule 'r': min_score = -20.5 is not within -20 to 20"},
      {with_rule("min_margin = -0.1"), "p.toml:5: rule 'r': min_margin = -0.1 is not within 0 to 20"},
      {with_rule("min_margin = inf"), "p.toml:5: rule 'r': min_margin = inf is not within 0 to 20"},
      {with_rule("min_payload_packets = 21"), "p.toml:5: rule 'r': min_payload_packets = 21 is not within 0 to 20"},
      {with_rule("min_payload_packets = 3.0"),
       "p.toml:5: rule 'r': min_payload_packets must be an integer, not a number"},
      {with_rule("scope = 'port'"), "p.toml:5: rule 'r': scope = 'port' is none of flow, endpoint, host"},
      {with_rule("for = 60"), "p.toml:5: rule 'r': for must be a string, not an integer"},
      {with_rule("for = '500ms'"), "p.toml:5: rule 'r': for = '500ms' is not within 1s to 366d"},
      // rules that would do something else than they seem to
      {with_block(""),
       "p.toml:2: rule 'r': would block every flow: give it a condition, such as categories = [\"tunnel\"]"},
      {with_block("min_score = 1.0"),
       "p.toml:2: rule 'r': would block every flow: give it a condition, such as categories = [\"tunnel\"]"},
      {with_block("states = ['undecided']"),
       "p.toml:5: rule 'r': undecided flows cannot be blocked: too little of them was seen"},
      {with_block("categories = ['tunnel']\nfor = '8d'"),
       "p.toml:6: rule 'r': for = 8d is longer than limits.max_block = 7d"},
      {with_rule("labels = ['a']\nstates = ['unknown']"),
       "p.toml:6: rule 'r': can never match: only an identified flow has a label and a category; add 'identified' to "
       "states, or leave labels and categories out"},
  };
  for (const BadPolicy& bad : cases) EXPECT_EQ(mistake(bad.text), bad.message) << bad.text;
}

TEST(PolicyFile, PassesOnWhyAPrefixCategoryOrTransportIsWrong) {
  const std::vector<BadPolicy> cases = {
      {"version = 1\nnever_block = ['192.0.2.1/24']", "p.toml:2: never_block: "},
      {"version = 1\nnever_block = ['example.org']", "p.toml:2: never_block: "},
      {"version = 1\nnever_block = ['']", "p.toml:2: never_block: "},
      {with_rule("servers = ['192.0.2.0/33']"), "p.toml:5: rule 'r': servers: "},
      {with_rule("clients = [\n  '10.0.0.0/8',\n  'x']"), "p.toml:7: rule 'r': clients: "},
      {with_rule("categories = ['vpn']"), "p.toml:5: rule 'r': categories: "},
      {with_rule("transports = ['sctp']"), "p.toml:5: rule 'r': transports: "},
      {with_rule("for = 'one hour'"), "p.toml:5: rule 'r': for: "},
  };
  for (const BadPolicy& bad : cases) EXPECT_THAT(mistake(bad.text), testing::StartsWith(bad.message)) << bad.text;
}

TEST(PolicyFile, ReportsAllMistakesAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(mistake("mode = 'x'\nversion = 1\n[[rule]]\nname = 'r'\naction = 'alert'\ncolour = 1\n[limits]\nx = 1\n"),
            "p.toml:1: mode = 'x' is none of observe, enforce\n"
            "p.toml:6: rule 'r': unknown key 'colour'\n"
            "p.toml:8: [limits]: unknown key 'x'");
}

TEST(PolicyFile, BoundsTheNumberOfRulesAndEntries) {
  std::string rules = "version = 1\n";
  for (int i = 0; i < 1001; ++i) rules += fmt::format("[[rule]]\nname = 'r{}'\naction = 'alert'\n", i);
  EXPECT_EQ(mistake(rules), "p.toml:2: more than 1000 [[rule]]");

  std::string ports = "server_ports = [1";
  for (int i = 0; i < 1024; ++i) ports += ", 1";
  EXPECT_EQ(mistake(with_rule(ports + "]")), "p.toml:5: rule 'r': server_ports has more than 1024 entries");
}

TEST(PolicyFile, TheShippedDefaultIsTheBuiltInPolicy) {
  const Result<Policy> shipped = load_policy(SPIDD_POLICY_DIR "/observe.toml");
  ASSERT_TRUE(shipped) << shipped.error().message;
  const Policy builtin = builtin_policy();
  EXPECT_EQ(shipped->mode, builtin.mode);
  EXPECT_EQ(shipped->fail_open, builtin.fail_open);
  EXPECT_EQ(shipped->never_block, builtin.never_block);
  EXPECT_EQ(shipped->max_block, builtin.max_block);
  EXPECT_EQ(shipped->max_blocks, builtin.max_blocks);
  EXPECT_EQ(shipped->label_threshold, builtin.label_threshold);
  ASSERT_EQ(shipped->rules.size(), builtin.rules.size());
  for (std::size_t i = 0; i < builtin.rules.size(); ++i) {
    const Rule& a = shipped->rules[i];
    const Rule& b = builtin.rules[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.action, b.action);
    EXPECT_EQ(a.match.categories, b.match.categories);
    EXPECT_EQ(a.match.states, b.match.states);
    EXPECT_EQ(a.match.min_score, b.match.min_score);
    EXPECT_EQ(a.match.min_margin, b.match.min_margin);
    EXPECT_EQ(a.match.min_payload_packets, b.match.min_payload_packets);
    EXPECT_EQ(a.match.second_looks, b.match.second_looks);
    EXPECT_TRUE(a.match.labels.empty());
  }
}

TEST(PolicyFile, SaysWhatASecondLookIsFor) {
  const auto policy = parse_policy(
      "version = 1\n[second_look]\nenabled = true\npackets = 60\n[[rule]]\nname = 'a'\n"
      "second_look = ['ssh-tunnel']\naction = 'alert'\n",
      "p.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->second_look.packets, 60U);
  EXPECT_EQ(policy->rules[0].match.second_looks, std::vector{SecondLook::ssh_tunnel});
  EXPECT_TRUE(policy->looks_twice());
  EXPECT_TRUE(builtin_policy().looks_twice());
  const auto disabled = parse_policy(
      "version = 1\n[second_look]\nenabled = false\n[[rule]]\nname = 'a'\n"
      "second_look = ['ssh-tunnel']\naction = 'alert'\n",
      "p.toml");
  ASSERT_TRUE(disabled) << disabled.error().message;
  EXPECT_FALSE(disabled->looks_twice());
  const auto unused =
      parse_policy("version = 1\n[[rule]]\nname = 'a'\ncategories = ['tunnel']\naction = 'alert'\n", "p.toml");
  ASSERT_TRUE(unused) << unused.error().message;
  EXPECT_FALSE(unused->looks_twice());
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t first = text.find(begin);
  if (first == std::string::npos) return "";
  return text.substr(first + begin.size(), text.find(end, first + begin.size()) - first - begin.size());
}

TEST(PolicyFile, TheExamplesOfTheDocumentsArePolicies) {
  EXPECT_EQ(good(between(contents(SPIDD_POLICY_DIR "/README.md"), "```toml\n", "```")).rules.size(), 4U);
  const std::string manual = contents(SPIDD_POLICY_DIR "/../packaging/man/spid-policy.5");
  EXPECT_EQ(good(between(manual, ".Bd -literal -offset indent\n", ".Ed")).rules.size(), 3U);
}

TEST(PolicyFile, TheDocumentsExplainEveryKey) {
  const std::string readme = contents(SPIDD_POLICY_DIR "/README.md");
  const std::string manual = contents(SPIDD_POLICY_DIR "/../packaging/man/spid-policy.5");
  for (const std::string_view key : {"version",
                                     "mode",
                                     "on_daemon_death",
                                     "never_block",
                                     "identification.label_threshold",
                                     "limits.max_block",
                                     "limits.max_blocks",
                                     "name",
                                     "action",
                                     "labels",
                                     "categories",
                                     "states",
                                     "transports",
                                     "clients",
                                     "servers",
                                     "server_ports",
                                     "min_score",
                                     "min_margin",
                                     "min_payload_packets",
                                     "scope",
                                     "for",
                                     "classes",
                                     "fully_encrypted",
                                     "proof",
                                     "proof.agreeing_flows",
                                     "proof.agreeing_margin",
                                     "proof.duration",
                                     "not_labels",
                                     "unknown"}) {
    EXPECT_NE(readme.find(fmt::format("`{}`", key)), std::string::npos) << key;
    EXPECT_NE(manual.find(fmt::format(".It Cm {} No = ", key)), std::string::npos) << key;
  }
}

TEST(PolicyFile, TheShippedGatewayPolicyEnforcesAndBlocksForAnHour) {
  const Result<Policy> policy = load_policy(SPIDD_POLICY_DIR "/gateway.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->mode, Mode::enforce);
  EXPECT_FALSE(policy->fail_open);
  unsigned blocking = 0;
  for (const Rule& rule : policy->rules) {
    if (rule.action != Action::block) continue;
    ++blocking;
    EXPECT_EQ(rule.scope, BlockScope::endpoint);
    EXPECT_EQ(rule.block_for, hours(1));
    EXPECT_GE(rule.match.min_score, 0.4);
    EXPECT_GE(rule.match.min_margin, 0.2);
  }
  EXPECT_EQ(blocking, 2U);
}

}  // namespace
}  // namespace spidd
