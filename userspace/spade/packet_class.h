// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Classes of packets that detectors are about: groups of TCP flags, kinds of ICMP, home and foreign addresses.
// Source: spade.md 4.1 to 4.3. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/capture/observation.h"

namespace spidd {

// Disjoint, and every combination of flags is in one. ECE and CWR are ignored.
enum class FlagGroup : std::uint8_t {
  synonly,      // exactly S
  synack,       // exactly SA
  established,  // A, none of S, F, R
  teardown,     // exactly R; or A and exactly one of F, R, no S
  weird,        // everything else
};

FlagGroup flag_group(std::uint8_t tcp_flags);

// A teardown with RST: how a closed port answers.
bool is_normal_reset(std::uint8_t tcp_flags);

// ICMP errors: types 3, 4, 5, 11, 12; ICMPv6: 1 to 4.
bool is_icmp_error(Transport transport, std::uint8_t icmp_type);

// A packet that proves its sender alive: SYN, SYN-ACK, teardown, UDP, ICMP. Data and acknowledgements do not count.
bool is_representative(const Observation& observation);

// Broadcast or multicast: nobody's address.
bool is_group_address(const IpAddress& address);

// The networks that are ours. None given: everything is home.
class HomeNetwork {
 public:
  HomeNetwork() = default;
  explicit HomeNetwork(std::vector<IpPrefix> prefixes) : prefixes_(std::move(prefixes)) {}

  bool contains(const IpAddress& address) const;
  bool everything() const { return prefixes_.empty(); }
  const std::vector<IpPrefix>& prefixes() const { return prefixes_; }

 private:
  std::vector<IpPrefix> prefixes_;
};

}  // namespace spidd
