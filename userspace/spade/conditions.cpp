// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From packets to bits, and from bits to the original's words.
#include "userspace/spade/conditions.h"

#include <algorithm>

namespace spidd {

using namespace condition;

namespace {

constexpr unsigned kIpv4Bits = 32;

constexpr std::array<std::string_view, 16> kNames = {
    "error icmp",     "non-err icmp", "nonlocal dest", "local dest",    "nonlocal source", "local source",
    "teardown flags", "est. flags",   "setup flags",   "weird flags",   "synack",          "syn",
    "icmp",           "udp",          "reset",         "representative"};

Conditions flag_conditions(std::uint8_t flags) {
  switch (flag_group(flags)) {
    case FlagGroup::synonly:
      return kSyn | kSetup | kRepresentative;
    case FlagGroup::synack:
      return kSynAck | kSetup | kRepresentative;
    case FlagGroup::established:
      return kEstablished;
    case FlagGroup::teardown:
      return kTeardown | kRepresentative | (is_normal_reset(flags) ? kReset : 0);
    case FlagGroup::weird:
      break;
  }
  return kWeird;
}

bool is_icmp(Transport transport) { return transport == Transport::icmp || transport == Transport::icmp6; }

}  // namespace

std::string conditions_text(Conditions conditions) {
  std::string text;
  for (std::size_t i = 0; i < kNames.size(); i++) {
    if ((conditions >> i & 1) == 0) continue;
    if (!text.empty()) text += ", ";
    text += kNames[i];
  }
  if ((conditions & kIcmp6) != 0) text += ", icmpv6";
  return text;
}

Conditions tcp_condition(TcpScope scope) {
  constexpr std::array<Conditions, 6> kScopes = {kSyn, kSynAck, kSetup, kEstablished, kTeardown, kWeird};
  return kScopes.at(static_cast<std::size_t>(scope));
}

Conditions icmp_condition(IcmpScope scope) {
  constexpr std::array<Conditions, 3> kScopes = {kIcmpError, kIcmpOther, kIcmp};
  return kScopes.at(static_cast<std::size_t>(scope));
}

Conditions to_condition(NetworkSide side) {
  constexpr std::array<Conditions, 3> kSides = {kToHome, kToForeign, 0};
  return kSides.at(static_cast<std::size_t>(side));
}

Conditions from_condition(NetworkSide side) {
  constexpr std::array<Conditions, 3> kSides = {kFromHome, kFromForeign, 0};
  return kSides.at(static_cast<std::size_t>(side));
}

Classifier::Classifier(const std::vector<IpPrefix>& home, const Compatibility& compatibility)
    : compatibility_(compatibility) {
  for (unsigned flags = 0; flags < flags_.size(); flags++)
    flags_[flags] = flag_conditions(static_cast<std::uint8_t>(flags));
  for (const IpPrefix& prefix : home) {
    IpAddress mask;
    IpAddress last = prefix.address;
    for (unsigned i = 0; i < mask.bytes.size(); i++) {
      const unsigned kept = prefix.length > 8 * i ? std::min(prefix.length - 8 * i, 8U) : 0;
      mask.bytes[i] = static_cast<std::uint8_t>(0xff00U >> kept);
      last.bytes[i] = static_cast<std::uint8_t>(last.bytes[i] | (0xffU >> kept));
    }
    home_.push_back({value_of(prefix.address), value_of(mask)});
    // Networks of one or two addresses have hosts only (RFC 3021).
    if (prefix.address.is_ipv4() && prefix.length > 128 - kIpv4Bits && prefix.length < 127)
      nobodys_.insert(nobodys_.end(), {prefix.address, last});
  }
}

bool Classifier::at_home(const FeatureValue& address) const {
  for (const Prefix& prefix : home_) {
    const std::uint64_t difference = ((address.high & prefix.mask.high) ^ prefix.address.high) |
                                     ((address.low & prefix.mask.low) ^ prefix.address.low);
    if (difference == 0) return true;
  }
  return home_.empty();
}

bool Classifier::can_be_host(const IpAddress& address) const {
  // The subnets at home are not known. Where they are larger than /24, a host or two go unwatched.
  if (address.is_ipv4() && address.bytes[15] == 0xff) return false;
  if (compatibility_.broadcast_is_last_octet_only && address.is_ipv4()) return true;
  return !is_group_address(address) && std::find(nobodys_.begin(), nobodys_.end(), address) == nobodys_.end();
}

Conditions Classifier::conditions(const Observation& observation) const {
  const bool from_home = at_home(value_of(observation.source));
  const bool to_home = at_home(value_of(observation.destination));
  if (observation.kind == Observation::Kind::unreachable) {
    const Conditions ends = (to_home ? kFromHome : kFromForeign) | (from_home ? kToHome : kToForeign);
    if (observation.transport == Transport::tcp) return ends | kUnreachableTcp;
    return ends | (observation.transport == Transport::udp ? kUnreachableUdp : kUnreachableIcmp);
  }

  Conditions conditions = (from_home ? kFromHome : kFromForeign) | (to_home ? kToHome : kToForeign) | kAttempt;
  if (to_home && can_be_host(observation.destination)) conditions |= kToHost;
  if (observation.transport == Transport::tcp) return conditions | flags_[observation.tcp_flags & 0x3f];
  conditions |= kRepresentative;
  if (is_icmp(observation.transport)) {
    conditions |= kIcmp | (observation.transport == Transport::icmp6 ? kIcmp6 : kIcmp4);
    return conditions | (is_icmp_error(observation.transport, observation.icmp_type) ? kIcmpError : kIcmpOther);
  }
  if (observation.reply && !compatibility_.udp_has_no_direction) conditions &= ~kAttempt;
  return conditions | kUdp;
}

}  // namespace spidd
