// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/capture/connection_attempt.h"

namespace spidd {

namespace {

constexpr std::uint8_t kAck = 0x10;

}  // namespace

ConnectionAttempt ConnectionAttempt::of(const Observation& observation) {
  const bool from_server =
      observation.transport == Transport::udp ? observation.reply : (observation.tcp_flags & kAck) != 0;
  ConnectionAttempt attempt;
  attempt.client = from_server ? observation.destination : observation.source;
  attempt.server = from_server ? observation.source : observation.destination;
  attempt.port = from_server ? observation.source_port : observation.destination_port;
  attempt.transport = observation.transport;
  attempt.domain = observation.domain;
  return attempt;
}

}  // namespace spidd

std::size_t std::hash<spidd::ConnectionAttempt>::operator()(const spidd::ConnectionAttempt& attempt) const noexcept {
  spidd::FlowKey key;
  key.low = attempt.client;
  key.high = attempt.server;
  key.port_high = attempt.port;
  key.transport = attempt.transport;
  return std::hash<spidd::FlowKey>()(key);
}
