// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Classes of packets: what of a packet decides in which class it is.
#include "userspace/spade/packet_class.h"

#include <algorithm>

namespace spidd {

namespace {

constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kRst = 0x04;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kAllButEcn = 0x3f;

}  // namespace

FlagGroup flag_group(std::uint8_t tcp_flags) {
  const std::uint8_t flags = tcp_flags & kAllButEcn;
  if (flags == kSyn) return FlagGroup::synonly;
  if (flags == (kSyn | kAck)) return FlagGroup::synack;
  if (flags == kRst) return FlagGroup::teardown;
  if ((flags & kAck) == 0 || (flags & kSyn) != 0) return FlagGroup::weird;
  const std::uint8_t ends = flags & (kFin | kRst);
  if (ends == 0) return FlagGroup::established;
  return ends == (kFin | kRst) ? FlagGroup::weird : FlagGroup::teardown;
}

bool is_normal_reset(std::uint8_t tcp_flags) {
  return flag_group(tcp_flags) == FlagGroup::teardown && (tcp_flags & kRst) != 0;
}

bool is_icmp_error(Transport transport, std::uint8_t icmp_type) {
  if (transport == Transport::icmp6) return icmp_type >= 1 && icmp_type <= 4;
  return icmp_type == 3 || icmp_type == 4 || icmp_type == 5 || icmp_type == 11 || icmp_type == 12;
}

bool is_representative(const Observation& observation) {
  if (observation.kind != Observation::Kind::packet) return false;
  if (observation.transport != Transport::tcp) return true;
  const FlagGroup group = flag_group(observation.tcp_flags);
  return group == FlagGroup::synonly || group == FlagGroup::synack || group == FlagGroup::teardown;
}

bool is_group_address(const IpAddress& address) {
  if (!address.is_ipv4()) return address.bytes[0] == 0xff;
  const std::uint8_t first = address.bytes[12];
  const bool limited_broadcast =
      std::all_of(address.bytes.begin() + 12, address.bytes.end(), [](std::uint8_t byte) { return byte == 0xff; });
  return (first >= 224 && first <= 239) || limited_broadcast;
}

bool HomeNetwork::contains(const IpAddress& address) const {
  if (prefixes_.empty()) return true;
  return std::any_of(prefixes_.begin(), prefixes_.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

}  // namespace spidd
