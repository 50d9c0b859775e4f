// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names, endpoints and the hash of the records' key.
#include "userspace/capture/packet_record.h"

#include "userspace/capture/flow_hash.h"

namespace spidd {
namespace {

struct NamedTransport {
  Transport transport;
  std::string_view name;
};

constexpr std::array<NamedTransport, 4> kTransports{
    {{Transport::icmp, "icmp"}, {Transport::tcp, "tcp"}, {Transport::udp, "udp"}, {Transport::icmp6, "icmp6"}}};

}  // namespace

std::string_view transport_name(Transport transport) {
  for (const auto& known : kTransports)
    if (known.transport == transport) return known.name;
  return "unknown";
}

Result<Transport> parse_transport(std::string_view name) {
  for (const auto& known : kTransports)
    if (known.name == name) return known.transport;
  return fail("\"{}\" is not a transport: tcp, udp, icmp or icmp6", name);
}

std::string Endpoint::to_string() const {
  return address.is_ipv4() ? fmt::format("{}:{}", address.to_string(), port)
                           : fmt::format("[{}]:{}", address.to_string(), port);
}

Endpoint PacketRecord::client() const {
  return client_is_low ? Endpoint{key.low, key.port_low} : Endpoint{key.high, key.port_high};
}

Endpoint PacketRecord::server() const {
  return client_is_low ? Endpoint{key.high, key.port_high} : Endpoint{key.low, key.port_low};
}

}  // namespace spidd

std::size_t std::hash<spidd::FlowKey>::operator()(const spidd::FlowKey& key) const noexcept {
  const std::uint64_t rest = (static_cast<std::uint64_t>(key.port_low) << 48) |
                             (static_cast<std::uint64_t>(key.port_high) << 32) |
                             (static_cast<std::uint64_t>(key.transport) << 16) | key.domain;
  return spidd::flow_hash(key.low.bytes.data(), key.high.bytes.data(), rest);
}
