// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The policy file: keys, defaults and ranges. Kept in step with policy/README.md and packaging/man/spid-policy.5.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "userspace/policy/config_table.h"
#include "userspace/policy/policy.h"
#include "userspace/policy/spade_part.h"
#include "userspace/spid/tunnel_sizes.h"

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMostRules = 1000;    // and as many expectations and incident rules
constexpr std::size_t kMostEntries = 1024;  // of a list
constexpr std::size_t kLongestName = 64;
constexpr double kHighestScore = 20.0;  // bits per measurement; 256 bins cannot give more than 14
constexpr std::int64_t kMostBlocks = 65535;
constexpr std::int64_t kMostEvidence = 1'000'000'000;
constexpr Duration kLongestBlock = hours(24 * 366);
constexpr Duration kLongestProof = hours(24 * 7);

constexpr std::array<std::string_view, 2> kModes = {"observe", "enforce"};
constexpr std::array<std::string_view, 2> kDaemonDeath = {"keep-blocks", "pass"};
constexpr std::array<std::string_view, 3> kActions = {"allow", "alert", "block"};
constexpr std::array<std::string_view, 3> kScopes = {"flow", "endpoint", "host"};
constexpr std::array<std::string_view, 3> kStates = {"undecided", "identified", "unknown"};
constexpr std::array<std::string_view, 2> kProofs = {"second", "verdict"};
constexpr std::array<std::string_view, 2> kExceptionActions = {"alert", "block"};
constexpr std::array<std::string_view, 2> kUnknownActions = {"allow", "alert"};
constexpr std::array kClasses = {VerdictClass::label, VerdictClass::tunnel, VerdictClass::fully_encrypted,
                                 VerdictClass::unknown};
constexpr std::array kSecondLooks = {SecondLook::ssh_tunnel, SecondLook::encrypted_tunnel};

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_name_start(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_joint(char c) { return c == '_' || c == '.' || c == '-'; }

Result<std::string> parse_label(std::string_view text) {
  const bool good = !text.empty() && text.size() <= 48 && is_lower_or_digit(text.front()) &&
                    std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || is_joint(c); });
  if (!good) return fail("'{}' is not a label: up to 48 of a-z, 0-9, '-', '_' and '.'", text);
  return std::string(text);
}

bool is_rule_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && is_name_start(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_name_start(c) || is_joint(c); });
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65535)
    return fail("'{}' is not a port from 1 to 65535", text);
  return static_cast<std::uint16_t>(port);
}

Result<PortRange> parse_port_range(std::string_view text) {
  const std::size_t dash = text.find('-', 1);
  const Result<std::uint16_t> first = parse_port(text.substr(0, dash));
  if (!first) return tl::unexpected<Error>(first.error());
  if (dash == std::string_view::npos) return PortRange{*first, *first};
  const Result<std::uint16_t> last = parse_port(text.substr(dash + 1));
  if (!last) return tl::unexpected<Error>(last.error());
  if (*last < *first) return fail("port range '{}' ends before it begins", text);
  return PortRange{*first, *last};
}

Result<IdentificationState> parse_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found == kStates.end()) return fail("'{}' is none of {}", text, fmt::join(kStates, ", "));
  return static_cast<IdentificationState>(found - kStates.begin());
}

Result<VerdictClass> parse_class(std::string_view text) {
  const auto found = std::ranges::find(kClasses, text, verdict_class_name);
  if (found != kClasses.end()) return *found;
  std::vector<std::string_view> words;
  for (const VerdictClass known : kClasses) words.push_back(verdict_class_name(known));
  return fail("'{}' is none of {}", text, fmt::join(words, ", "));
}

Result<SecondLook> parse_second_look(std::string_view text) {
  const auto found = std::ranges::find(kSecondLooks, text, second_look_name);
  if (found != kSecondLooks.end()) return *found;
  std::vector<std::string_view> words;
  for (const SecondLook known : kSecondLooks) words.push_back(second_look_name(known));
  return fail("'{}' is none of {}", text, fmt::join(words, ", "));
}

Action action_at(std::size_t index) {
  constexpr std::array<Action, 3> kValues = {Action::pass, Action::alert, Action::block};
  return kValues[index];
}

BlockScope scope_at(std::size_t index) {
  constexpr std::array<BlockScope, 3> kValues = {BlockScope::flow, BlockScope::endpoint, BlockScope::host};
  return kValues[index];
}

// Where a flow goes, by whom and by what.
void read_place(ConfigTable& table, RuleMatch& match) {
  match.clients = table.list<IpPrefix>("clients", kMostEntries, false, IpPrefix::parse);
  match.servers = table.list<IpPrefix>("servers", kMostEntries, false, IpPrefix::parse);
  match.server_ports = table.list<PortRange>("server_ports", kMostEntries, true, parse_port_range);
  match.transports = table.list<Transport>("transports", kMostEntries, false, parse_transport);
  if (std::ranges::find(match.transports, Transport::icmp) != match.transports.end())
    match.transports.push_back(Transport::icmp6);
}

// How sure the verdict has to be. To let something pass needs no certainty: doubt about an authorised tunnel must not
// block it.
void read_certainty(ConfigTable& table, bool allow, RuleMatch& match) {
  const double no_score = -std::numeric_limits<double>::infinity();
  match.min_score =
      table.number("min_score", -kHighestScore, kHighestScore).value_or(allow ? no_score : match.min_score);
  match.min_margin = table.number("min_margin", 0.0, kHighestScore).value_or(allow ? 0.0 : match.min_margin);
  match.min_payload_packets = static_cast<unsigned>(
      table.integer("min_payload_packets", 0, kRecordLimit).value_or(allow ? 0 : match.min_payload_packets));
}

void read_match(ConfigTable& table, Action action, RuleMatch& match) {
  match.labels = table.list<std::string>("labels", kMostEntries, false, parse_label);
  match.categories = table.list<Category>("categories", kMostEntries, false, parse_category);
  match.classes = table.list<VerdictClass>("classes", kMostEntries, false, parse_class);
  match.fully_encrypted = table.boolean("fully_encrypted");
  match.second_looks = table.list<SecondLook>("second_look", kMostEntries, false, parse_second_look);
  read_place(table, match);
  // What a second look found is certain enough or would not be said.
  const bool allow = action == Action::pass || table.has("second_look");
  if (table.has("states"))
    match.states = table.list<IdentificationState>("states", kMostEntries, false, parse_state);
  else if (allow)
    match.states.clear();
  else if (table.has("classes") || table.has("fully_encrypted"))
    match.states = {IdentificationState::identified, IdentificationState::unknown};
  read_certainty(table, allow, match);
}

// What a block does and how long, and what it asks for.
template <class Demand>
void read_block(ConfigTable& table, std::string_view kind, const Policy& policy, Demand& demand) {
  if (const auto scope = table.choice("scope", kScopes)) demand.scope = scope_at(*scope);
  demand.block_for =
      table.duration("for", seconds(1), kLongestBlock).value_or(std::min<Duration>(demand.block_for, policy.max_block));
  if (const auto proof = table.choice("proof", kProofs)) demand.proof = *proof == 1 ? Proof::verdict : Proof::second;
  if (demand.action == Action::block && demand.block_for > policy.max_block) {
    table.complain(table.line_of("for"),
                   fmt::format("{} '{}': for = {} is longer than limits.max_block = {}", kind, demand.name,
                               format_duration(demand.block_for), format_duration(policy.max_block)));
  }
}

// Rules that would do something else than they seem to.
void check_rule(ConfigTable& table, const Rule& rule) {
  const RuleMatch& match = rule.match;
  const auto has_state = [&](IdentificationState state) {
    return match.states.empty() || std::ranges::find(match.states, state) != match.states.end();
  };
  if ((!match.labels.empty() || !match.categories.empty()) && !has_state(IdentificationState::identified)) {
    table.complain(table.line_of("states"),
                   fmt::format("rule '{}': can never match: only an identified flow has a label and a category; add "
                               "'identified' to states, or leave labels and categories out",
                               rule.name));
  }
  const auto has_class = [&](VerdictClass a, VerdictClass b) {
    return match.classes.empty() || std::ranges::find(match.classes, a) != match.classes.end() ||
           std::ranges::find(match.classes, b) != match.classes.end();
  };
  const bool with_name = has_class(VerdictClass::label, VerdictClass::tunnel);
  const bool without_name = has_class(VerdictClass::fully_encrypted, VerdictClass::unknown);
  if (!match.classes.empty() && ((!with_name && (!match.labels.empty() || !match.categories.empty())) ||
                                 (table.has("states") && !(with_name && has_state(IdentificationState::identified)) &&
                                  !(without_name && has_state(IdentificationState::unknown))))) {
    table.complain(
        table.line_of("classes"),
        fmt::format("rule '{}': can never match: identified flows are of class label or tunnel, unknown ones "
                    "of class fully-encrypted or unknown",
                    rule.name));
  }
  if (rule.action == Action::block && !match.second_looks.empty()) {
    table.complain(table.line_of("second_look"),
                   fmt::format("rule '{}': a second look can only alert: use action = \"alert\"", rule.name));
  }
  if (rule.action != Action::block || !match.second_looks.empty()) return;
  if (match.labels.empty() && match.categories.empty() && match.classes.empty() && !match.fully_encrypted &&
      match.clients.empty() && match.servers.empty() && match.server_ports.empty() && match.transports.empty() &&
      !table.has("states")) {
    table.complain(rule.line, fmt::format("rule '{}': would block every flow: give it a condition, such as "
                                          "categories = [\"tunnel\"]",
                                          rule.name));
  }
  if (table.has("states") && has_state(IdentificationState::undecided)) {
    table.complain(table.line_of("states"),
                   fmt::format("rule '{}': undecided flows cannot be blocked: too little of them was seen", rule.name));
  }
}

// The name by which events and blocks know a rule or an expectation ("kind").
std::string read_name(ConfigTable& table, std::string_view kind, const Policy& policy) {
  const auto name = table.text("name");
  if (!name) {
    if (!table.has("name")) table.complain(table.line(), fmt::format("a [[{}]] needs a name", kind));
    return {};
  }
  table.call(fmt::format("{} '{}'", kind, *name));
  if (!is_rule_name(*name)) {
    table.complain(table.line_of("name"), fmt::format("'{}' is not a rule name: up to {} letters, digits, '-', '_' "
                                                      "and '.', beginning with a letter or digit",
                                                      *name, kLongestName));
  } else if (*name == "manual") {
    table.complain(table.line_of("name"), "the name 'manual' is taken by blocks made by hand");
  }
  const auto complain_of = [&](const auto& others, std::string_view other_kind) {
    for (const auto& other : others) {
      if (other.name != *name) continue;
      table.complain(table.line_of("name"),
                     fmt::format("{} '{}' is there already, at line {}", other_kind, *name, other.line));
      return;
    }
  };
  complain_of(policy.rules, "rule");
  complain_of(policy.expectations, "expectation");
  complain_of(policy.incidents, "incident rule");
  return *name;
}

Rule read_rule(ConfigTable& table, const Policy& policy) {
  Rule rule;
  rule.line = table.line();
  rule.name = read_name(table, "rule", policy);

  if (const auto action = table.choice("action", kActions))
    rule.action = action_at(*action);
  else if (!table.has("action"))
    table.complain(rule.line, fmt::format("rule '{}' needs an action: {}", rule.name, fmt::join(kActions, ", ")));
  read_match(table, rule.action, rule.match);
  read_block(table, "rule", policy, rule);
  check_rule(table, rule);
  table.refuse_unknown_keys();
  return rule;
}

Expectation read_expectation(ConfigTable& table, const Policy& policy) {
  Expectation expectation;
  expectation.line = table.line();
  expectation.name = read_name(table, "expect", policy);
  read_place(table, expectation.where);
  read_certainty(table, false, expectation.where);
  expectation.labels = table.list<std::string>("labels", kMostEntries, false, parse_label);
  expectation.not_labels = table.list<std::string>("not_labels", kMostEntries, false, parse_label);
  if (expectation.labels.empty() && expectation.not_labels.empty() && !table.has("labels") && !table.has("not_labels"))
    table.complain(expectation.line,
                   fmt::format("expect '{}' expects nothing: give it labels or not_labels", expectation.name));
  if (const auto unknown = table.choice("unknown", kUnknownActions); unknown && *unknown == 1)
    expectation.where.states.push_back(IdentificationState::unknown);
  if (const auto action = table.choice("action", kExceptionActions))
    expectation.action = *action == 1 ? Action::block : Action::alert;
  read_block(table, "expect", policy, expectation);
  table.refuse_unknown_keys();
  return expectation;
}

IncidentRule read_incident_rule(ConfigTable& table, const Policy& policy) {
  IncidentRule rule;
  rule.line = table.line();
  rule.name = read_name(table, "incident", policy);
  rule.kinds = table.list<IncidentKind>("kinds", kMostEntries, false, parse_incident_kind);
  rule.hosts = table.list<IpPrefix>("hosts", kMostEntries, false, IpPrefix::parse);
  rule.scans_only = table.boolean("scans_only").value_or(rule.scans_only);
  rule.min_count = static_cast<std::uint64_t>(table.integer("min_count", 1, kMostEvidence).value_or(1));
  rule.handshake = table.boolean("handshake").value_or(rule.handshake);
  if (const auto action = table.choice("action", kActions))
    rule.action = action_at(*action);
  else if (!table.has("action"))
    table.complain(rule.line, fmt::format("incident '{}' needs an action: {}", rule.name, fmt::join(kActions, ", ")));
  rule.block_for = table.duration("for", seconds(1), policy.max_block)
                       .value_or(std::min<Duration>(rule.block_for, policy.max_block));
  table.refuse_unknown_keys();
  return rule;
}

// `first` decides about everything that `second` matches.
bool covers(const IncidentRule& first, const IncidentRule& second) {
  const bool kinds = first.kinds.empty() || (!second.kinds.empty() && std::ranges::includes(first.kinds, second.kinds));
  const auto within = [&](const IpPrefix& prefix) {
    return std::ranges::any_of(first.hosts, [&](const IpPrefix& wider) { return wider.covers(prefix); });
  };
  const bool hosts = first.hosts.empty() || (!second.hosts.empty() && std::ranges::all_of(second.hosts, within));
  return kinds && hosts && (!first.scans_only || second.scans_only) && first.min_count <= second.min_count;
}

// Rules that could never match.
void check_incident_rules(ConfigTable& file, const Policy& policy) {
  const auto sorted = [](IncidentRule rule) {
    std::ranges::sort(rule.kinds);
    return rule;
  };
  const SpadeSettings& spade = policy.spade;
  for (const IncidentRule& rule : policy.incidents) {
    const auto complain = [&](std::string_view why) {
      file.complain(rule.line, fmt::format("incident '{}' can never match: {}", rule.name, why));
    };
    // Only of these can it be known by what becomes of contacts.
    const auto is_scan = [](IncidentKind kind) {
      return kind == IncidentKind::vertical_scan || kind == IncidentKind::horizontal_scan ||
             kind == IncidentKind::fan_out || kind == IncidentKind::unasked_answers;
    };
    const auto is_burst = [](IncidentKind kind) {
      return kind == IncidentKind::brute_force || kind == IncidentKind::flood;
    };
    if (!spade.enabled) {
      complain("[spade] enabled = false");
    } else if (spade.profile == SpadeProfile::v030125) {
      complain("the profile 030125 has no incidents");
    } else if (!spade.extensions.incidents) {
      complain("[spade.extensions] incidents = false");
    } else if (!spade.extensions.burst_score && !rule.kinds.empty() && std::ranges::all_of(rule.kinds, is_burst)) {
      complain("[spade.extensions] burst_score = false");
    } else if (rule.scans_only && !spade.extensions.scan_promotion) {
      complain("scans_only = true, and [spade.extensions] scan_promotion = false");
    } else if (rule.scans_only && !rule.kinds.empty() && std::ranges::none_of(rule.kinds, is_scan)) {
      complain("scans_only = true, and none of its kinds is a scan");
    } else {
      const auto earlier = std::ranges::find_if(
          policy.incidents, [&](const IncidentRule& one) { return &one < &rule && covers(sorted(one), sorted(rule)); });
      if (earlier != policy.incidents.end())
        complain(fmt::format("incident '{}' at line {} decides before", earlier->name, earlier->line));
    }
  }
}

Result<Policy> read_policy(ConfigTable& file) {
  Policy policy;
  policy.path = file.path();

  if (!file.has("version")) file.complain(1, fmt::format("version = {} is missing", kVersion));
  file.integer("version", kVersion, kVersion);
  if (const auto mode = file.choice("mode", kModes)) policy.mode = *mode == 1 ? Mode::enforce : Mode::observe;
  if (const auto death = file.choice("on_daemon_death", kDaemonDeath)) policy.fail_open = *death == 1;
  policy.never_block = file.list<IpPrefix>("never_block", kMostEntries, false, IpPrefix::parse);

  ConfigTable identification = file.table("identification");
  policy.label_threshold =
      identification.number("label_threshold", -kHighestScore, kHighestScore).value_or(policy.label_threshold);
  identification.refuse_unknown_keys();

  ConfigTable limits = file.table("limits");
  policy.max_block = limits.duration("max_block", seconds(1), kLongestBlock).value_or(policy.max_block);
  policy.max_blocks =
      static_cast<std::uint32_t>(limits.integer("max_blocks", 1, kMostBlocks).value_or(policy.max_blocks));
  limits.refuse_unknown_keys();

  ConfigTable proof = file.table("proof");
  policy.proof.agreeing_flows =
      static_cast<unsigned>(proof.integer("agreeing_flows", 2, 1000).value_or(policy.proof.agreeing_flows));
  policy.proof.agreeing_margin =
      proof.number("agreeing_margin", 0.0, kHighestScore).value_or(policy.proof.agreeing_margin);
  policy.proof.duration = proof.duration("duration", seconds(1), kLongestProof).value_or(policy.proof.duration);
  proof.refuse_unknown_keys();

  ConfigTable second_look = file.table("second_look");
  policy.second_look.enabled = second_look.boolean("enabled").value_or(policy.second_look.enabled);
  policy.second_look.packets = static_cast<unsigned>(
      second_look.integer("packets", kFewestSizes, kSizesLimit).value_or(policy.second_look.packets));
  second_look.refuse_unknown_keys();

  for (ConfigTable& table : file.tables("rule", kMostRules)) policy.rules.push_back(read_rule(table, policy));
  for (ConfigTable& table : file.tables("expect", kMostRules))
    policy.expectations.push_back(read_expectation(table, policy));
  for (ConfigTable& table : file.tables("incident", kMostRules))
    policy.incidents.push_back(read_incident_rule(table, policy));
  policy.spade = read_spade_part(file);
  check_incident_rules(file, policy);
  file.refuse_unknown_keys();
  if (Result<void> read = file.outcome(); !read) return tl::unexpected<Error>(std::move(read.error()));
  return policy;
}

}  // namespace

Result<Policy> parse_policy(std::string_view text, const std::string& path_for_messages) {
  Result<ConfigTable> file = ConfigTable::parse(text, path_for_messages);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return read_policy(*file);
}

Result<Policy> load_policy(const std::string& path) {
  Result<ConfigTable> file = ConfigTable::load(path);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return read_policy(*file);
}

}  // namespace spidd
