// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/snort_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace spidd {

namespace {

constexpr std::size_t kLongestText = 400;
constexpr std::size_t kMostEntries = 400;  // of a list

// Other spellings of option names.
std::string_view canonical(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"protocol", "proto"}, {"-corrscore", "corrscore"}, {"Xdip", "Xdips"},     {"xdips", "Xdips"},
      {"xdip", "Xdips"},     {"Xsip", "Xsips"},           {"xsips", "Xsips"},    {"xsip", "Xsips"},
      {"Xdport", "Xdports"}, {"xdports", "Xdports"},      {"xdport", "Xdports"}, {"Xsport", "Xsports"},
      {"xsport", "Xsports"}, {"xsports", "Xsports"},
  };
  for (const auto& [alias, meant] : kAliases)
    if (name == alias) return meant;
  return name;
}

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

Result<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_integer(text);
  if (!port || *port < 0 || *port > 65535) return fail("'{}' is not a port number", printable(text));
  return static_cast<std::uint16_t>(*port);
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

Result<IpPrefix> parse_snort_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Result<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  const auto bad = [&] { return fail("'{}' is not a network: 192.0.2.0/24, 192.0.2.1 or any", printable(text)); };
  if (!address) return bad();
  if (slash == std::string_view::npos) return IpPrefix::of_host(*address);
  const auto length = parse_integer(text.substr(slash + 1));
  if (!length || *length < 0 || *length > (address->is_ipv4() ? 32 : 128)) return bad();
  IpPrefix prefix{*address, static_cast<unsigned>(*length) + (address->is_ipv4() ? 96 : 0)};
  for (unsigned bit = prefix.length; bit < 128; ++bit)
    prefix.address.bytes[bit / 8] = static_cast<std::uint8_t>(prefix.address.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  return prefix;
}

SnortOptions::SnortOptions(const SnortLine& line, const Grammar& grammar, SnortLines& remarks)
    : line_(line), remarks_(remarks) {
  std::size_t place = 0;
  for (const std::string& argument : line.arguments) {
    const std::size_t equals = argument.find('=');
    Option option;
    if (equals != std::string::npos) {
      option = {std::string(canonical(std::string_view(argument).substr(0, equals))), argument.substr(equals + 1)};
      if (!contains(grammar.names, option.name) && !contains(grammar.switches, option.name)) {
        warn(fmt::format("unknown option '{}' is ignored", printable(option.name)));
        continue;
      }
    } else if (contains(grammar.switches, canonical(argument))) {
      option = {std::string(canonical(argument)), "yes"};
    } else if (place < grammar.places.size()) {
      option = {std::string(grammar.places[place++]), argument};
    } else {
      warn(fmt::format("'{}' is ignored: {}", printable(argument),
                       grammar.places.empty() ? "options are written key=value" : "more values than the line has"));
      continue;
    }
    const auto said = std::ranges::find(options_, option.name, &Option::name);
    if (said == options_.end()) {
      options_.push_back(std::move(option));
    } else {
      warn(fmt::format("{} is said twice: the last counts", option.name));
      *said = std::move(option);
    }
  }
}

const std::string* SnortOptions::find(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &found->value;
}

std::optional<std::string> SnortOptions::text(std::string_view name) {
  const std::string* value = find(name);
  if (value == nullptr) return {};
  if (value->empty()) {
    complain(fmt::format("{} has no value", name));
    return {};
  }
  if (value->size() > kLongestText) {
    complain(fmt::format("{} is longer than {} characters", name, kLongestText));
    return {};
  }
  if (std::ranges::any_of(*value, [](char c) { return c < ' ' || c > '~'; })) {
    complain(fmt::format("{}={} has characters that are not text", name, printable(*value)));
    return {};
  }
  return *value;
}

std::optional<bool> SnortOptions::boolean(std::string_view name) {
  const std::string* value = find(name);
  if (value == nullptr) return {};
  if (*value == "yes" || *value == "true" || *value == "on") return true;
  if (*value == "no" || *value == "false" || *value == "off") return false;
  if (const auto number = parse_integer(*value)) return *number != 0;
  complain(fmt::format("{} is yes or no, not '{}'", name, printable(*value)));
  return {};
}

std::optional<double> SnortOptions::number(std::string_view name, double least, double most) {
  const std::string* value = find(name);
  if (value == nullptr) return {};
  const auto number = parse_number(*value);
  if (number && *number >= least && *number <= most) return number;
  complain(fmt::format("{} is a number from {} to {}, not '{}'", name, least, most, printable(*value)));
  return {};
}

std::optional<std::int64_t> SnortOptions::integer(std::string_view name, std::int64_t least, std::int64_t most) {
  const std::string* value = find(name);
  if (value == nullptr) return {};
  const auto number = parse_integer(*value);
  if (number && *number >= least && *number <= most) return number;
  complain(fmt::format("{} is a whole number from {} to {}, not '{}'", name, least, most, printable(*value)));
  return {};
}

template <class T, class Parser>
std::vector<T> SnortOptions::list(std::string_view name, Parser parser) {
  std::vector<T> values;
  const auto found = text(name);
  if (!found) return values;
  std::string_view left = *found;
  if (left.starts_with('[') && left.ends_with(']')) left = left.substr(1, left.size() - 2);
  for (bool more = true; more;) {
    const std::size_t comma = std::min(left.find(','), left.size());
    more = comma < left.size();
    Result<T> value = parser(left.substr(0, comma));
    left.remove_prefix(std::min(comma + 1, left.size()));
    if (!value) {
      complain(fmt::format("{}: {}", name, value.error().message));
    } else if (values.size() >= kMostEntries) {
      complain(fmt::format("{}: more than {} entries", name, kMostEntries));
      break;
    } else {
      values.push_back(*value);
    }
  }
  return values;
}

// "any", as EXTERNAL_NET often is, stands for every address.
std::vector<IpPrefix> SnortOptions::networks(std::string_view name) {
  bool any = false;
  std::vector<IpPrefix> found = list<IpPrefix>(name, [&any](std::string_view text) -> Result<IpPrefix> {
    if (text != "any") return parse_snort_network(text);
    any = true;
    return IpPrefix{.address = {}, .length = 0};
  });
  if (any) warn(fmt::format("{}: any leaves nothing to report", name));
  return found;
}

ReportExclusions SnortOptions::exclusions() {
  ReportExclusions exclusions;
  exclusions.sources = networks("Xsips");
  exclusions.destinations = networks("Xdips");
  exclusions.source_ports = list<std::uint16_t>("Xsports", parse_port);
  exclusions.destination_ports = list<std::uint16_t>("Xdports", parse_port);
  return exclusions;
}

}  // namespace spidd
