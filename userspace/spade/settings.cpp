// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names of settings, and what is in force where nothing is said. Source: spade.md 2.4, 5.
#include "userspace/spade/settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace spidd {

namespace {

constexpr std::size_t kLongestId = 50;
constexpr unsigned kForcedWait = 5;  // of detectors that only a response can confirm

// In the order of the enumerations.
constexpr std::array<std::string_view, 2> kProfiles = {"documented", "030125"};
constexpr std::array<std::string_view, 5> kTypes = {"closed-dport", "dead-dest", "odd-dport", "odd-port-dest",
                                                    "odd-typecode"};
constexpr std::array<std::string_view, 3> kSides = {"home", "nothome", "any"};
constexpr std::array<std::string_view, 6> kTcpScopes = {"synonly",     "synack",   "setup",
                                                        "established", "teardown", "weird"};
constexpr std::array<std::string_view, 3> kIcmpScopes = {"err", "noterr", "any"};
constexpr std::array<std::string_view, 4> kDestinations = {"alert", "log", "both", "none"};

template <class Enumeration>
Result<Enumeration> parse_word(std::string_view what, std::string_view word, std::span<const std::string_view> words) {
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) return fail("'{}' is not a {}; there is {}", word, what, fmt::join(words, ", "));
  return static_cast<Enumeration>(found - words.begin());
}

double odd_port_dest_observations(Transport transport, double max_entropy) {
  return std::floor(std::exp2(max_entropy) * (transport == Transport::udp ? 200 : 100));
}

}  // namespace

std::string_view profile_name(SpadeProfile profile) { return kProfiles.at(static_cast<std::size_t>(profile)); }
std::string_view detector_type_name(DetectorType type) { return kTypes.at(static_cast<std::size_t>(type)); }
std::string_view side_name(NetworkSide side) { return kSides.at(static_cast<std::size_t>(side)); }
std::string_view tcp_scope_name(TcpScope scope) { return kTcpScopes.at(static_cast<std::size_t>(scope)); }
std::string_view icmp_scope_name(IcmpScope scope) { return kIcmpScopes.at(static_cast<std::size_t>(scope)); }
std::string_view destination_name(SpadeDestination destination) {
  return kDestinations.at(static_cast<std::size_t>(destination));
}

Result<SpadeProfile> parse_spade_profile(std::string_view name) {
  return parse_word<SpadeProfile>("profile", name, kProfiles);
}
Result<DetectorType> parse_detector_type(std::string_view name) {
  return parse_word<DetectorType>("type of detector", name, kTypes);
}
Result<NetworkSide> parse_side(std::string_view name) {
  return parse_word<NetworkSide>("side of the home network", name, kSides);
}
Result<TcpScope> parse_tcp_scope(std::string_view name) {
  return parse_word<TcpScope>("group of TCP flags", name, kTcpScopes);
}
Result<IcmpScope> parse_icmp_scope(std::string_view name) {
  if (name == "all") return IcmpScope::any;
  return parse_word<IcmpScope>("kind of ICMP", name, kIcmpScopes);
}
Result<SpadeDestination> parse_destination(std::string_view name) {
  return parse_word<SpadeDestination>("destination", name, kDestinations);
}

bool is_detector_id(std::string_view id) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto other = [](char c) { return (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !id.empty() && id.size() <= kLongestId && letter(id.front()) &&
         std::ranges::all_of(id, [&](char c) { return letter(c) || other(c); });
}

double Decay::factor_of_half_life(double hours, std::uint32_t interval_minutes) {
  if (hours <= 0) return 0;
  return std::exp2(-static_cast<double>(interval_minutes) / (60 * hours));
}

DetectorSettings default_detector(DetectorType type, Transport transport, TcpScope tcp_flags,
                                  std::optional<IcmpScope> icmp_type, double max_entropy) {
  DetectorSettings detector;
  detector.type = type;
  detector.transport = transport;
  detector.tcp_flags = tcp_flags;
  detector.icmp_type = icmp_type.value_or(IcmpScope::any);
  detector.max_entropy = max_entropy;
  switch (type) {
    case DetectorType::closed_dport:
      if (transport == Transport::tcp &&
          (tcp_flags == TcpScope::synack || tcp_flags == TcpScope::established || tcp_flags == TcpScope::teardown))
        detector.wait_seconds = kForcedWait;
      break;
    case DetectorType::dead_dest:
      detector.icmp_type = icmp_type.value_or(IcmpScope::noterr);
      detector.threshold = 1;
      detector.min_observations = 2000;
      detector.wait_seconds = 2;  // D3
      detector.decay = {60, 0.94387, 0.25};
      break;
    case DetectorType::odd_dport:
      detector.threshold = 0.8;
      detector.min_observations = 600;
      detector.decay = {240, 0.98363, 0.18};
      break;
    case DetectorType::odd_port_dest:
      detector.threshold = 0.9;
      detector.min_observations = odd_port_dest_observations(transport, max_entropy);
      detector.decay = {90, 0.97957, 0.25};  // D7
      break;
    case DetectorType::odd_typecode:
      detector.transport = Transport::icmp;
      detector.threshold = 0.9;
      detector.min_observations = detector.icmp_type == IcmpScope::any ? 4000 : 2000;
      break;
  }
  return detector;
}

SpadeSettings distributed_settings() {
  SpadeSettings settings;
  settings.state_file = "spade.state";
  const auto add = [&](std::string_view id, DetectorSettings detector) -> DetectorSettings& {
    detector.id = id;
    return settings.detectors.emplace_back(std::move(detector));
  };
  const auto closed = [](TcpScope flags) {
    return default_detector(DetectorType::closed_dport, Transport::tcp, flags);
  };
  const auto dead = [](TcpScope flags) { return default_detector(DetectorType::dead_dest, Transport::tcp, flags); };
  add("closed-syn", closed(TcpScope::synonly)).wait_seconds = 3;
  add("closed-weird", closed(TcpScope::weird)).threshold = 0.5;
  add("dead-weird", dead(TcpScope::weird));
  add("dead-synack", dead(TcpScope::synack));
  add("dead-teardown", dead(TcpScope::teardown));
  add("dead-established", dead(TcpScope::established)).wait_seconds = 5;
  add("dead-udp", default_detector(DetectorType::dead_dest, Transport::udp));
  add("dead-icmp", default_detector(DetectorType::dead_dest, Transport::icmp));
  add("icmp-to-home", default_detector(DetectorType::odd_typecode));
  add("icmp-to-others", default_detector(DetectorType::odd_typecode)).side = NetworkSide::nothome;
  return settings;
}

}  // namespace spidd
