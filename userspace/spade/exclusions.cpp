// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Only packets over a threshold are looked up, in lists that an administrator typed: no index.
#include "userspace/spade/exclusions.h"

#include <algorithm>

namespace spidd {

namespace {

bool contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool contains(const std::vector<std::uint16_t>& ports, std::uint16_t port) {
  return std::ranges::find(ports, port) != ports.end();
}

bool has_ports(const Observation& packet) {
  return packet.transport == Transport::tcp || packet.transport == Transport::udp;
}

}  // namespace

bool is_excluded(const ReportExclusions& exclusions, const Observation& packet) {
  if (contains(exclusions.sources, packet.source) || contains(exclusions.destinations, packet.destination)) return true;
  return has_ports(packet) && (contains(exclusions.source_ports, packet.source_port) ||
                               contains(exclusions.destination_ports, packet.destination_port));
}

}  // namespace spidd
