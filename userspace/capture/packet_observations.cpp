// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/capture/packet_observations.h"

#include <optional>

#include "userspace/capture/record_decoder.h"

namespace spidd {
namespace {

constexpr std::uint8_t kUnreachable4 = 3;  // RFC 792
constexpr std::uint8_t kUnreachable6 = 1;  // RFC 4443

std::optional<Transport> transport_of(std::uint8_t protocol) {
  switch (protocol) {
    case SPIDD_PROTOCOL_TCP:
      return Transport::tcp;
    case SPIDD_PROTOCOL_UDP:
      return Transport::udp;
    case SPIDD_PROTOCOL_ICMP:
      return Transport::icmp;
    case SPIDD_PROTOCOL_ICMP6:
      return Transport::icmp6;
    default:
      return std::nullopt;
  }
}

IpAddress address(const spidd_number& number) {
  IpAddress out;
  for (unsigned i = 0; i < 8; ++i) {
    out.bytes[i] = static_cast<std::uint8_t>(number.high >> (56 - 8 * i));
    out.bytes[8 + i] = static_cast<std::uint8_t>(number.low >> (56 - 8 * i));
  }
  return out;
}

bool is_icmp(Transport transport) { return transport == Transport::icmp || transport == Transport::icmp6; }

}  // namespace

PacketObservations observations_of(const spidd_packet& packet, Timestamp time) {
  PacketObservations found;
  const bool usable = packet.status == SPIDD_PARSE_FLOW || packet.status == SPIDD_PARSE_ICMP_OTHER ||
                      packet.status == SPIDD_PARSE_ICMP_ERROR;
  const auto transport = usable ? transport_of(packet.protocol) : std::nullopt;
  if (!transport) return found;

  const FlowKey key = flow_key(packet.key);
  Observation& outer = found.each[found.count++];
  outer.time = time;
  outer.source = packet.source_is_lo != 0 ? key.low : key.high;
  outer.destination = packet.source_is_lo != 0 ? key.high : key.low;
  outer.domain = key.domain;
  outer.transport = *transport;
  if (is_icmp(*transport)) {
    outer.icmp_type = packet.icmp_type;
    outer.icmp_code = packet.icmp_code;
  } else {
    outer.source_port = packet.source_port;
    outer.destination_port = packet.destination_port;
    outer.tcp_flags = packet.tcp_flags;
  }

  if (packet.status != SPIDD_PARSE_ICMP_ERROR ||
      packet.icmp_type != (*transport == Transport::icmp ? kUnreachable4 : kUnreachable6))
    return found;
  const auto inner_transport = transport_of(packet.inner.protocol);
  if (!inner_transport) return found;
  Observation& inner = found.each[found.count++];
  inner.kind = Observation::Kind::unreachable;
  inner.time = time;
  inner.source = address(packet.inner.source);
  inner.destination = address(packet.inner.destination);
  inner.reporter = outer.source;
  inner.source_port = packet.inner.source_port;
  inner.destination_port = packet.inner.destination_port;
  inner.domain = outer.domain;
  inner.transport = *inner_transport;
  inner.icmp_type = packet.icmp_type;
  inner.icmp_code = packet.icmp_code;
  return found;
}

}  // namespace spidd
