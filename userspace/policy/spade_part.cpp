// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/policy/spade_part.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "userspace/policy/policy.h"
#include "userspace/spade/detector.h"
#include "userspace/spade/table_set.h"

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kMostDetectors = 256;
constexpr std::size_t kMostEntries = 1024;  // of a list
constexpr std::size_t kLongestPath = 400;
constexpr std::int64_t kMostCount = 1'000'000'000'000;
constexpr double kHighestScore = 1e6;
constexpr double kHighestEntropy = 64;  // bits
constexpr Duration kLongestWait = hours(1);
constexpr Duration kLongestPeriod = hours(24 * 366);

constexpr std::array<std::string_view, 2> kProfiles = {"documented", "030125"};
constexpr std::array<std::string_view, 5> kTypes = {"closed-dport", "dead-dest", "odd-dport", "odd-port-dest",
                                                    "odd-typecode"};
constexpr std::array<std::string_view, 3> kSides = {"home", "nothome", "any"};
constexpr std::array<std::string_view, 3> kTransports = {"tcp", "udp", "icmp"};
constexpr std::array<Transport, 3> kTransportValues = {Transport::tcp, Transport::udp, Transport::icmp};
constexpr std::array<std::string_view, 6> kTcpScopes = {"synonly",     "synack",   "setup",
                                                        "established", "teardown", "weird"};
constexpr std::array<std::string_view, 4> kIcmpScopes = {"err", "noterr", "any", "all"};  // the last two are one
constexpr std::array<std::string_view, 3> kDestinations = {"alert", "log", "both"};
constexpr std::array<std::string_view, 4> kAdjustments = {"alert", "log", "both", "none"};
constexpr std::array<std::string_view, 3> kAdapters = {"weighted", "layered", "mean"};

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port > 65535)
    return fail("'{}' is not a port from 0 to 65535", text);
  return static_cast<std::uint16_t>(port);
}

bool is_serial_number(std::string_view id) {
  return !id.empty() && id.size() <= 6 && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

// The value of an enumeration whose names are `words` in its order.
template <class Enumeration>
Enumeration choice(ConfigTable& table, std::string_view key, std::span<const std::string_view> words,
                   Enumeration otherwise) {
  const auto found = table.choice(key, words);
  return found ? static_cast<Enumeration>(*found) : otherwise;
}

template <class Number>
Number integer(ConfigTable& table, std::string_view key, std::int64_t least, std::int64_t most, Number otherwise) {
  const auto found = table.integer(key, least, most);
  return found ? static_cast<Number>(*found) : otherwise;
}

// A whole number of `unit`.
template <class Unit>
std::optional<std::int64_t> whole(ConfigTable& table, std::string_view key, Duration least, Duration most) {
  const auto found = table.duration(key, least, most);
  if (!found) return {};
  const auto count = std::chrono::floor<Unit>(*found);
  if (count != *found)
    table.complain(table.line_of(key), fmt::format("{} must be whole {}", key,
                                                   std::is_same_v<Unit, seconds>   ? "seconds"
                                                   : std::is_same_v<Unit, minutes> ? "minutes"
                                                                                   : "hours"));
  return count.count();
}

double in_units_of(Duration unit, Duration duration) {
  return static_cast<double>(duration.count()) / static_cast<double>(unit.count());
}

// A file's name, or "" for "none".
std::string path(ConfigTable& table, std::string_view key, std::string otherwise) {
  const auto found = table.text(key);
  if (!found) return otherwise;
  if (found->size() > kLongestPath || std::ranges::any_of(*found, [](char c) { return c < ' ' || c == 0x7f; }))
    table.complain(table.line_of(key), fmt::format("{}: longer than {} characters, or not text", key, kLongestPath));
  return *found == "none" ? std::string() : *found;
}

ReportExclusions read_exclusions(ConfigTable table) {
  ReportExclusions exclusions;
  exclusions.sources = table.list<IpPrefix>("sources", kMostEntries, false, IpPrefix::parse);
  exclusions.destinations = table.list<IpPrefix>("destinations", kMostEntries, false, IpPrefix::parse);
  exclusions.source_ports = table.list<std::uint16_t>("source_ports", kMostEntries, true, parse_port);
  exclusions.destination_ports = table.list<std::uint16_t>("destination_ports", kMostEntries, true, parse_port);
  table.refuse_unknown_keys();
  return exclusions;
}

void refuse(ConfigTable& table, std::string_view key, bool applies, DetectorType type) {
  if (!applies && table.has(key))
    table.complain(table.line_of(key), fmt::format("a {} detector has no {}", detector_type_name(type), key));
}

void read_side(ConfigTable& table, DetectorSettings& detector) {
  const bool from = detector.type == DetectorType::odd_dport || detector.type == DetectorType::odd_port_dest;
  const bool to = !from && detector.type != DetectorType::dead_dest;
  const auto to_side = choice(table, "to", kSides, NetworkSide::home);
  const auto from_side = choice(table, "from", kSides, NetworkSide::home);
  refuse(table, "to", to, detector.type);
  refuse(table, "from", from, detector.type);
  detector.side = from ? from_side : to ? to_side : NetworkSide::home;
}

void read_scores(ConfigTable& table, DetectorSettings& detector) {
  const bool closed = detector.type == DetectorType::closed_dport;
  detector.probability_mode = integer(table, "probability_mode", 0, 3, detector.probability_mode);
  const auto relative = table.boolean("relative_score");
  detector.relative_score = relative.value_or(detector.probability_mode != 0);
  detector.corrected_score = table.boolean("corrected_score").value_or(detector.corrected_score);
  for (const std::string_view key : {"probability_mode", "relative_score", "corrected_score"})
    refuse(table, key, closed, detector.type);
  if (detector.relative_score && detector.probability_mode == 0)
    table.complain(table.line_of("relative_score"), "probability_mode = 0 has no relative score");
  if (closed && detector.relative_score && table.has("corrected_score"))
    table.complain(table.line_of("corrected_score"), "corrected_score is of relative_score = false");
  if (!detector.relative_score) {
    detector.threshold = -1;
    detector.min_observations = 0;
  }
  detector.threshold = table.number("threshold", -kHighestScore, kHighestScore).value_or(detector.threshold);
  refuse(table, "threshold", detector.type != DetectorType::dead_dest, detector.type);
  detector.min_observations =
      table.number("min_observations", 0, static_cast<double>(kMostCount)).value_or(detector.min_observations);
  detector.min_observations_destination =
      table.number("min_observations_destination", 0, static_cast<double>(kMostCount)).value_or(0);
  refuse(table, "min_observations_destination", closed, detector.type);
  if (detector.probability_mode == 0 && table.has("min_observations_destination"))
    table.complain(table.line_of("min_observations_destination"),
                   "probability_mode = 0 has no min_observations_destination");
}

void read_decay(ConfigTable& table, Decay& decay) {
  if (const auto every = whole<minutes>(table, "decay_every", Duration::zero(), kLongestPeriod))
    decay.interval_minutes = static_cast<std::uint32_t>(*every);
  decay.factor = table.number("decay_factor", 0, 1).value_or(decay.factor);
  decay.cutoff = table.number("decay_cutoff", 0, 1e9).value_or(decay.cutoff);
  if (const auto half_life = table.duration("half_life", Duration::zero(), 100 * kLongestPeriod)) {
    decay.factor = Decay::factor_of_half_life(in_units_of(hours(1), *half_life), decay.interval_minutes);
    if (table.has("decay_factor")) table.complain(table.line_of("half_life"), "either half_life or decay_factor");
  }
}

void read_waiting(ConfigTable& table, DetectorSettings& detector) {
  const unsigned forced = detector.type == DetectorType::closed_dport ? detector.wait_seconds : 0;
  if (const auto wait = whole<seconds>(table, "wait", Duration::zero(), kLongestWait)) {
    detector.wait_seconds = static_cast<unsigned>(*wait);
    if (*wait == 0 && forced > 0)
      table.complain(table.line_of("wait"), "only a reset confirms such a packet: wait for it, or leave wait out");
  }
  detector.report_on_opposite = table.boolean("report_on_opposite").value_or(false);
  if (waits_for_answers(detector) || detector.id.empty()) return;
  if (table.has("wait") && detector.wait_seconds > 0)
    table.complain(table.line_of("wait"), "nothing that comes back says more of such packets: leave wait out");
  else if (detector.report_on_opposite)
    table.complain(table.line_of("report_on_opposite"), "nothing is waited for: give it a wait");
}

// ICMP has no ports.
void refuse_ports(ConfigTable& table, const DetectorSettings& detector) {
  if (detector.transport != Transport::icmp) return;
  ConfigTable exclude = table.table("exclude");
  for (const std::string_view key : {"source_ports", "destination_ports"})
    if (exclude.has(key)) exclude.complain(exclude.line_of(key), fmt::format("icmp has no {}", key));
}

IcmpScope read_icmp_scope(ConfigTable& table) {
  const auto any = static_cast<std::size_t>(IcmpScope::any);
  return static_cast<IcmpScope>(std::min(table.choice("icmp_type", kIcmpScopes).value_or(any), any));
}

DetectorSettings read_detector(ConfigTable& table) {
  const auto id = table.text("id");
  if (id) table.call(fmt::format("detector '{}'", *id));
  if (!table.has("id")) table.complain(table.line(), "a [[spade.detector]] needs an id");
  if (id && !is_detector_id(*id) && !is_serial_number(*id))
    table.complain(table.line_of("id"), "an id is a letter, then letters, digits, - and _, at most 50");
  if (!table.has("type")) table.complain(table.line(), "a [[spade.detector]] needs a type");
  const auto type = choice(table, "type", kTypes, DetectorType::closed_dport);
  const bool has_flags = type == DetectorType::closed_dport || type == DetectorType::dead_dest;

  Transport transport = type == DetectorType::odd_typecode ? Transport::icmp : Transport::tcp;
  if (const auto found = table.choice("transport", kTransports)) transport = kTransportValues.at(*found);
  if ((transport == Transport::icmp) != (type == DetectorType::odd_typecode) &&
      !(type == DetectorType::dead_dest && transport == Transport::icmp))
    table.complain(table.line_of("transport"),
                   fmt::format("a {} detector has no such transport", detector_type_name(type)));
  const auto flags = choice(table, "tcp_flags", kTcpScopes, TcpScope::synonly);
  refuse(table, "tcp_flags", has_flags, type);
  if (has_flags && transport != Transport::tcp && table.has("tcp_flags"))
    table.complain(table.line_of("tcp_flags"), fmt::format("{} has no tcp_flags", transport_name(transport)));
  if (type == DetectorType::closed_dport && flags == TcpScope::setup)
    table.complain(table.line_of("tcp_flags"), "a closed-dport detector has no tcp_flags = \"setup\"");
  std::optional<IcmpScope> icmp;
  if (table.has("icmp_type")) icmp = read_icmp_scope(table);
  refuse(table, "icmp_type", type == DetectorType::odd_typecode || type == DetectorType::dead_dest, type);
  const double max_entropy = table.number("max_entropy", 0, kHighestEntropy).value_or(2.5);
  refuse(table, "max_entropy", type == DetectorType::odd_port_dest, type);

  DetectorSettings detector = default_detector(type, transport, flags, icmp, max_entropy);
  detector.id = id.value_or("");
  detector.line = {table.line()};
  read_side(table, detector);
  read_scores(table, detector);
  read_decay(table, detector.decay);
  read_waiting(table, detector);
  detector.exclusions = read_exclusions(table.table("exclude"));
  refuse_ports(table, detector);
  table.refuse_unknown_keys();
  return detector;
}

std::string read_reference(ConfigTable& table, const SpadeSettings& settings) {
  const auto id = table.text("detector");
  if (!id) {
    if (!table.has("detector")) table.complain(table.line(), "which detector? detector = \"...\" is missing");
    return {};
  }
  if (std::ranges::find(settings.detectors, *id, &DetectorSettings::id) == settings.detectors.end())
    table.complain(table.line_of("detector"), fmt::format("there is no detector '{}'", *id));
  return *id;
}

AdapterSettings read_adapter(ConfigTable& table, const SpadeSettings& settings) {
  if (!table.has("kind")) table.complain(table.line(), "a [[spade.adapt]] needs a kind: weighted, layered or mean");
  const auto kind = table.choice("kind", kAdapters).value_or(2);
  const std::string id = read_reference(table, settings);
  const auto period = table.duration("period", seconds(1), kLongestPeriod);
  AdapterSettings adapter;
  if (kind == 0) {
    WeightedAdapter made{.id = id};
    made.target = integer(table, "target", 1, 1'000'000, made.target);
    if (period) made.period_hours = in_units_of(hours(1), *period);
    made.new_weight = table.number("new_weight", 0, 1).value_or(made.new_weight);
    made.by_count = table.boolean("by_count").value_or(made.by_count);
    adapter = made;
  } else if (kind == 1) {
    LayeredAdapter made{.id = id};
    made.target = table.number("target", 0, 1e6).value_or(made.target);
    if (period) made.period_minutes = in_units_of(minutes(1), *period);
    made.short_windows = integer(table, "short_windows", 1, 10000, made.short_windows);
    made.medium_windows = integer(table, "medium_windows", 1, 10000, made.medium_windows);
    made.long_windows = integer(table, "long_windows", 1, 10000, made.long_windows);
    adapter = made;
  } else {
    MeanAdapter made{.id = id};
    made.target = table.number("target", 0, 1e6).value_or(made.target);
    if (period) made.period_minutes = in_units_of(minutes(1), *period);
    made.windows = integer(table, "windows", 1, 10000, made.windows);
    adapter = made;
  }
  if (std::ranges::find(settings.adapters, id, [](const AdapterSettings& one) {
        return std::visit([](const auto& known) { return known.id; }, one);
      }) != settings.adapters.end())
    table.complain(table.line(), fmt::format("detector '{}' has an adapter already", id));
  table.refuse_unknown_keys();
  return adapter;
}

AdviserSettings read_adviser(ConfigTable& table, const SpadeSettings& settings) {
  AdviserSettings adviser;
  adviser.id = read_reference(table, settings);
  adviser.target = integer(table, "target", 1, 1'000'000, adviser.target);
  if (const auto period = whole<hours>(table, "period", hours(1), kLongestPeriod))
    adviser.hours = static_cast<unsigned>(*period);
  table.refuse_unknown_keys();
  return adviser;
}

SurveySettings read_survey(ConfigTable& table, const SpadeSettings& settings) {
  SurveySettings survey;
  survey.id = read_reference(table, settings);
  survey.file = path(table, "file", "");
  if (const auto interval = table.duration("interval", seconds(1), kLongestPeriod))
    survey.interval_minutes = in_units_of(minutes(1), *interval);
  table.refuse_unknown_keys();
  return survey;
}

void read_extensions(ConfigTable table, SpadeExtensions& extensions) {
  const auto read = [&](std::string_view key, bool& value) { value = table.boolean(key).value_or(value); };
  read("learn_answered_only", extensions.learn_answered_only);
  read("quarantine", extensions.quarantine);
  read("incidents", extensions.incidents);
  read("scan_promotion", extensions.scan_promotion);
  read("burst_score", extensions.burst_score);
  extensions.burst_threshold = table.number("burst_threshold", 1, kHighestScore).value_or(extensions.burst_threshold);
  extensions.burst_least = integer(table, "burst_least", 2, 1'000'000'000, extensions.burst_least);
  read("asset_prior", extensions.asset_prior);
  extensions.incident_idle =
      table.duration("incident_idle", seconds(1), kLongestPeriod).value_or(extensions.incident_idle);
  extensions.max_incidents = integer(table, "max_incidents", 1, 1'000'000, extensions.max_incidents);
  table.refuse_unknown_keys();
}

void read_detectors(ConfigTable& part, SpadeSettings& settings) {
  std::vector<ConfigTable> tables = part.tables("detector", kMostDetectors);
  if (tables.empty()) return;
  settings.detectors.clear();
  for (ConfigTable& table : tables) {
    DetectorSettings detector = read_detector(table);
    const auto twin = std::ranges::find(settings.detectors, detector.id, &DetectorSettings::id);
    if (twin != settings.detectors.end() && !detector.id.empty())
      table.complain(table.line_of("id"),
                     fmt::format("detector '{}' is there already, at line {}", detector.id, twin->line.number));
    settings.detectors.push_back(std::move(detector));
  }
}

// What would keep an engine of these settings from being made.
void check_room(ConfigTable& part, const SpadeSettings& settings) {
  const unsigned line = part.has("max_table_bytes") ? part.line_of("max_table_bytes") : part.line();
  if (const auto least = least_table_bytes(settings); !least)
    part.complain(line, least.error().message);
  else if (*least > settings.max_table_bytes)
    part.complain(line, fmt::format("the detectors need tables of {} bytes at least, max_table_bytes is {}", *least,
                                    settings.max_table_bytes));
}

// What the original does not have.
void check_profile(ConfigTable& part, const SpadeSettings& settings) {
  if (settings.profile != SpadeProfile::v030125) return;
  ConfigTable extensions = part.table("extensions");
  for (const std::string_view key : {"quarantine", "incidents", "scan_promotion", "burst_score", "asset_prior"})
    if (extensions.has(key) && extensions.boolean(key).value_or(false))
      part.complain(extensions.line_of(key), fmt::format("the profile 030125 has no {}", key));
}

}  // namespace

SpadeSettings read_spade_part(ConfigTable& file) {
  SpadeSettings settings = distributed_settings();
  ConfigTable part = file.table("spade");
  settings.enabled = part.boolean("enabled").value_or(settings.enabled);
  settings.profile = choice(part, "profile", kProfiles, settings.profile);
  settings.home = part.list<IpPrefix>("home", kMostEntries, false, IpPrefix::parse);
  settings.log_file = path(part, "log_file", settings.log_file);
  settings.state_file = path(part, "state_file", settings.state_file);
  settings.checkpoint_updates = integer(part, "checkpoint_updates", 1, kMostCount, settings.checkpoint_updates);
  settings.destination = choice(part, "destination", kDestinations, settings.destination);
  settings.adjustments = choice(part, "adjustments", kAdjustments, settings.destination);
  settings.max_table_bytes =
      integer(part, "max_table_bytes", std::int64_t{1} << 20U, std::int64_t{1} << 40U, settings.max_table_bytes);
  settings.max_waiting = integer(part, "max_waiting", 16, 100'000'000, settings.max_waiting);
  settings.exclusions = read_exclusions(part.table("exclude"));

  ConfigTable statistics = part.table("statistics");
  settings.statistics.entropy = statistics.boolean("entropy").value_or(false);
  settings.statistics.unconditional = statistics.boolean("unconditional").value_or(false);
  settings.statistics.conditional = statistics.boolean("conditional").value_or(false);
  statistics.refuse_unknown_keys();
  read_extensions(part.table("extensions"), settings.extensions);

  read_detectors(part, settings);
  for (ConfigTable& table : part.tables("adapt", kMostDetectors))
    settings.adapters.push_back(read_adapter(table, settings));
  for (ConfigTable& table : part.tables("advise", kMostDetectors))
    settings.advisers.push_back(read_adviser(table, settings));
  for (ConfigTable& table : part.tables("survey", kMostDetectors))
    settings.surveys.push_back(read_survey(table, settings));
  check_profile(part, settings);
  if (part.outcome()) check_room(part, settings);
  part.refuse_unknown_keys();
  return settings;
}

Result<SpadeSettings> parse_spade_part(std::string_view text, const std::string& path_for_messages) {
  Result<ConfigTable> file = ConfigTable::parse(text, path_for_messages);
  if (!file) return tl::unexpected(std::move(file.error()));
  if (file->has("version")) {
    auto policy = parse_policy(text, path_for_messages);
    if (!policy) return tl::unexpected(std::move(policy.error()));
    return std::move(policy->spade);
  }
  SpadeSettings settings = read_spade_part(*file);
  file->refuse_unknown_keys();
  if (Result<void> read = file->outcome(); !read) return tl::unexpected(std::move(read.error()));
  return settings;
}

}  // namespace spidd
