// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The header fields that packets are counted by, and a packet's values of them. Source: spade.md 2.1.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "userspace/capture/observation.h"

namespace spidd {

enum class Feature : std::uint8_t { source, destination, source_port, destination_port, icmp_type_code };
std::string_view feature_name(Feature feature);  // the original's: sip, dip, sport, dport, icmptype+code

// One value of a feature: an address as two words in host order; or a number in `low`, of ICMPv6 with 1 in `high`.
struct FeatureValue {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the zero of an ordering for a pointer.
  auto operator<=>(const FeatureValue&) const = default;
};

inline FeatureValue value_of(const IpAddress& address) {
  std::uint64_t words[2];
  static_assert(sizeof(words) == sizeof(address.bytes));
  std::memcpy(words, address.bytes.data(), sizeof(words));
  if constexpr (std::endian::native == std::endian::big) return {words[0], words[1]};
  return {__builtin_bswap64(words[0]), __builtin_bswap64(words[1])};
}

inline FeatureValue value_of(Feature feature, const Observation& observation) {
  switch (feature) {
    case Feature::source:
      return value_of(observation.source);
    case Feature::destination:
      return value_of(observation.destination);
    case Feature::source_port:
      return {0, observation.source_port};
    case Feature::destination_port:
      return {0, observation.destination_port};
    case Feature::icmp_type_code:
      // Types of ICMPv6 are others than those of ICMP.
      return {observation.transport == Transport::icmp6 ? 1U : 0U,
              observation.icmp_type * 256U + observation.icmp_code};
  }
  return {};
}

}  // namespace spidd
