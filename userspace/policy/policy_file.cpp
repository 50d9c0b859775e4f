// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The policy file: keys, defaults and ranges. Kept in step with policy/README.md and packaging/man/spid-policy.5.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "userspace/policy/config_table.h"
#include "userspace/policy/policy.h"

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMostRules = 1000;
constexpr std::size_t kMostEntries = 1024;  // of a list
constexpr std::size_t kLongestName = 64;
constexpr double kHighestScore = 20.0;  // bits per measurement; 256 bins cannot give more than 14
constexpr std::int64_t kMostBlocks = 65535;
constexpr Duration kLongestBlock = hours(24 * 366);

constexpr std::array<std::string_view, 2> kModes = {"observe", "enforce"};
constexpr std::array<std::string_view, 2> kDaemonDeath = {"keep-blocks", "pass"};
constexpr std::array<std::string_view, 3> kActions = {"allow", "alert", "block"};
constexpr std::array<std::string_view, 3> kScopes = {"flow", "endpoint", "host"};
constexpr std::array<std::string_view, 3> kStates = {"undecided", "identified", "unknown"};

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

Action action_at(std::size_t index) {
  constexpr std::array<Action, 3> kValues = {Action::pass, Action::alert, Action::block};
  return kValues[index];
}

BlockScope scope_at(std::size_t index) {
  constexpr std::array<BlockScope, 3> kValues = {BlockScope::flow, BlockScope::endpoint, BlockScope::host};
  return kValues[index];
}

void read_match(ConfigTable& table, Action action, RuleMatch& match) {
  match.labels = table.list<std::string>("labels", kMostEntries, false, parse_label);
  match.categories = table.list<Category>("categories", kMostEntries, false, parse_category);
  match.clients = table.list<IpPrefix>("clients", kMostEntries, false, IpPrefix::parse);
  match.servers = table.list<IpPrefix>("servers", kMostEntries, false, IpPrefix::parse);
  match.server_ports = table.list<PortRange>("server_ports", kMostEntries, true, parse_port_range);
  match.transports = table.list<Transport>("transports", kMostEntries, false, parse_transport);
  if (std::ranges::find(match.transports, Transport::icmp) != match.transports.end())
    match.transports.push_back(Transport::icmp6);

  // To let something pass needs no certainty: doubt about an authorised tunnel must not block it.
  const bool allow = action == Action::pass;
  if (table.has("states"))
    match.states = table.list<IdentificationState>("states", kMostEntries, false, parse_state);
  else if (allow)
    match.states.clear();
  const double no_score = -std::numeric_limits<double>::infinity();
  match.min_score =
      table.number("min_score", -kHighestScore, kHighestScore).value_or(allow ? no_score : match.min_score);
  match.min_margin = table.number("min_margin", 0.0, kHighestScore).value_or(allow ? 0.0 : match.min_margin);
  match.min_payload_packets = static_cast<unsigned>(
      table.integer("min_payload_packets", 0, kRecordLimit).value_or(allow ? 0 : match.min_payload_packets));
}

// Rules that would do something else than they seem to.
void check_rule(ConfigTable& table, const Rule& rule, const Policy& policy) {
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
  if (rule.action != Action::block) return;
  if (match.labels.empty() && match.categories.empty() && match.clients.empty() && match.servers.empty() &&
      match.server_ports.empty() && match.transports.empty() && !table.has("states")) {
    table.complain(rule.line, fmt::format("rule '{}': would block every flow: give it a condition, such as "
                                          "categories = [\"tunnel\"]",
                                          rule.name));
  }
  if (table.has("states") && has_state(IdentificationState::undecided)) {
    table.complain(table.line_of("states"),
                   fmt::format("rule '{}': undecided flows cannot be blocked: too little of them was seen", rule.name));
  }
  if (rule.block_for > policy.max_block) {
    table.complain(table.line_of("for"),
                   fmt::format("rule '{}': for = {} is longer than limits.max_block = {}", rule.name,
                               format_duration(rule.block_for), format_duration(policy.max_block)));
  }
}

Rule read_rule(ConfigTable& table, const Policy& policy) {
  Rule rule;
  rule.line = table.line();
  if (const auto name = table.text("name")) {
    rule.name = *name;
    table.call(fmt::format("rule '{}'", rule.name));
    if (!is_rule_name(rule.name)) {
      table.complain(table.line_of("name"), fmt::format("'{}' is not a rule name: up to {} letters, digits, '-', '_' "
                                                        "and '.', beginning with a letter or digit",
                                                        rule.name, kLongestName));
    } else if (rule.name == "manual") {
      table.complain(table.line_of("name"), "the name 'manual' is taken by blocks made by hand");
    }
    const auto same = std::ranges::find(policy.rules, rule.name, &Rule::name);
    if (same != policy.rules.end())
      table.complain(table.line_of("name"),
                     fmt::format("rule '{}' is there already, at line {}", rule.name, same->line));
  } else if (!table.has("name")) {
    table.complain(rule.line, "a [[rule]] needs a name");
  }

  if (const auto action = table.choice("action", kActions))
    rule.action = action_at(*action);
  else if (!table.has("action"))
    table.complain(rule.line, fmt::format("rule '{}' needs an action: {}", rule.name, fmt::join(kActions, ", ")));
  if (const auto scope = table.choice("scope", kScopes)) rule.scope = scope_at(*scope);
  rule.block_for =
      table.duration("for", seconds(1), kLongestBlock).value_or(std::min<Duration>(rule.block_for, policy.max_block));
  read_match(table, rule.action, rule.match);
  check_rule(table, rule, policy);
  table.refuse_unknown_keys();
  return rule;
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

  for (ConfigTable& table : file.tables("rule", kMostRules)) policy.rules.push_back(read_rule(table, policy));
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
