// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Validation first, translation after.
#include "userspace/capture/observation_decoder.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace spidd {
namespace {

constexpr std::uint8_t kFlags = SPIDD_OBSERVATION_REPLY | SPIDD_OBSERVATION_EGRESS;

bool is_valid(const spidd_observation& observation) {
  const std::uint8_t protocol = observation.protocol;
  const bool known =
      protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
  const bool kind = observation.kind == SPIDD_OBSERVATION_PACKET || observation.kind == SPIDD_OBSERVATION_UNREACHABLE;
  const bool clean = std::all_of(std::begin(observation.zero), std::end(observation.zero),
                                 [](std::uint8_t byte) { return byte == 0; });
  return known && kind && clean && (observation.flags & ~kFlags) == 0 && observation.domain < SPIDD_MAX_INTERFACES;
}

IpAddress address(const spidd_addr& from) {
  IpAddress out;
  std::memcpy(out.bytes.data(), from.bytes, sizeof from);
  return out;
}

}  // namespace

DecodeStatus decode_observation(std::span<const std::byte> bytes, Duration clock_offset, Observation& out) {
  if (bytes.size() != sizeof(spidd_observation)) return DecodeStatus::wrong_size;
  spidd_observation observation;
  std::memcpy(&observation, bytes.data(), sizeof observation);
  if (observation.abi_version != SPIDD_ABI_VERSION) return DecodeStatus::wrong_version;
  if (!is_valid(observation)) return DecodeStatus::invalid;
  translate_observation(observation, clock_offset, out);
  return DecodeStatus::ok;
}

void translate_observation(const spidd_observation& observation, Duration clock_offset, Observation& out) {
  out.time = timestamp(observation.time_ns, clock_offset);
  out.source = address(observation.source);
  out.destination = address(observation.destination);
  out.reporter = address(observation.reporter);
  out.count = 1;
  out.source_port = observation.source_port;
  out.destination_port = observation.destination_port;
  out.domain = observation.domain;
  out.transport = static_cast<Transport>(observation.protocol);
  out.tcp_flags = observation.tcp_flags;
  out.icmp_type = observation.icmp_type;
  out.icmp_code = observation.icmp_code;
  out.kind =
      observation.kind == SPIDD_OBSERVATION_UNREACHABLE ? Observation::Kind::unreachable : Observation::Kind::packet;
  out.reply = (observation.flags & SPIDD_OBSERVATION_REPLY) != 0;
}

}  // namespace spidd
