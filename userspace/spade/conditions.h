// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is true of a packet, as bits that are worked out once: whether it is in a detector's scope, is recorded in a
// table or answers another packet is then a comparison of masks. Source: spade.md 2.1, 4.1 to 4.3, 5.3, 6.1.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/spade/compatibility.h"
#include "userspace/spade/packet_class.h"
#include "userspace/spade/probability_table.h"

namespace spidd {

using Conditions = std::uint32_t;

// The first fourteen in the order of their names in an alert's scope (5.3).
namespace condition {
inline constexpr Conditions kIcmpError = 1U << 0;
inline constexpr Conditions kIcmpOther = 1U << 1;
inline constexpr Conditions kToForeign = 1U << 2;
inline constexpr Conditions kToHome = 1U << 3;
inline constexpr Conditions kFromForeign = 1U << 4;
inline constexpr Conditions kFromHome = 1U << 5;
inline constexpr Conditions kTeardown = 1U << 6;
inline constexpr Conditions kEstablished = 1U << 7;
inline constexpr Conditions kSetup = 1U << 8;
inline constexpr Conditions kWeird = 1U << 9;
inline constexpr Conditions kSynAck = 1U << 10;
inline constexpr Conditions kSyn = 1U << 11;
inline constexpr Conditions kIcmp = 1U << 12;
inline constexpr Conditions kUdp = 1U << 13;
inline constexpr Conditions kReset = 1U << 14;           // NORMAL_RST
inline constexpr Conditions kRepresentative = 1U << 15;  // proves its sender alive
inline constexpr Conditions kToHost = 1U << 16;          // the destination is at home and can be a host's address
inline constexpr Conditions kAttempt = 1U << 17;         // not a UDP reply, as far as is known
inline constexpr Conditions kUnreachableTcp = 1U << 18;
inline constexpr Conditions kUnreachableUdp = 1U << 19;
inline constexpr Conditions kUnreachableIcmp = 1U << 20;
inline constexpr Conditions kIcmp4 = 1U << 21;  // of kIcmp, so that each version has a table of its own
inline constexpr Conditions kIcmp6 = 1U << 22;
inline constexpr Conditions kUnreachable = kUnreachableTcp | kUnreachableUdp | kUnreachableIcmp;
}  // namespace condition

// "local dest, syn"; what has no name in the original's alerts is left out, but for "representative" and "icmpv6".
std::string conditions_text(Conditions conditions);

// Bits of a scope's parts.
Conditions tcp_condition(TcpScope scope);
Conditions icmp_condition(IcmpScope scope);
Conditions to_condition(NetworkSide side);    // nothing for any
Conditions from_condition(NetworkSide side);  // nothing for any

class Classifier {
 public:
  Classifier(const std::vector<IpPrefix>& home, const Compatibility& compatibility);

  // Of an unreachable: its class, and home bits with the ends swapped, because the packet's destination is the end that
  // answers (4.2).
  Conditions conditions(const Observation& observation) const;

 private:
  struct Prefix {
    FeatureValue address, mask;
  };

  bool at_home(const FeatureValue& address) const;
  bool can_be_host(const IpAddress& address) const;

  std::array<Conditions, 64> flags_{};
  std::vector<Prefix> home_;
  std::vector<IpAddress> nobodys_;  // network and broadcast addresses
  Compatibility compatibility_;
};

}  // namespace spidd
