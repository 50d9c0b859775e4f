// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/capture/packet_observations.h"

#include "bpf/observe.h"
#include "userspace/capture/observation_decoder.h"

namespace spidd {

PacketObservations observations_of(const spidd_packet& packet, std::uint32_t direction, std::uint64_t time_ns) {
  PacketObservations found;
  if (packet.status != SPIDD_PARSE_FLOW && packet.status != SPIDD_PARSE_ICMP_OTHER &&
      packet.status != SPIDD_PARSE_ICMP_ERROR)
    return found;
  spidd_observation observation;
  spidd_observe_packet(&observation, &packet, direction, time_ns, 0);
  translate_observation(observation, Duration::zero(), found.each[found.count++]);
  if (!spidd_is_unreachable(&packet)) return found;
  spidd_observe_inner(&observation, &packet);
  translate_observation(observation, Duration::zero(), found.each[found.count++]);
  return found;
}

}  // namespace spidd
