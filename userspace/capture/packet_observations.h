// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a captured packet is to SPADE: an observation of its own, and one of the packet inside if it is an ICMP
// "destination unreachable". Made by the kernel's own code (bpf/observe.h).
#pragma once

#include <array>
#include <cstddef>

#include "bpf/packet.h"
#include "userspace/capture/observation.h"

namespace spidd {

struct PacketObservations {
  std::array<Observation, 2> each;
  std::size_t count = 0;
};

// None of what is neither TCP, UDP, ICMP nor ICMPv6, of fragments but the first, and of what could not be parsed.
// `direction`: of the packet in its flow; SPIDD_TO_SERVER if it has none, or if no datagram is to be a reply.
// `time_ns`: since the Unix epoch. Requires: `packet` was parsed, with packet.status set.
PacketObservations observations_of(const spidd_packet& packet, std::uint32_t direction, std::uint64_t time_ns);

}  // namespace spidd
