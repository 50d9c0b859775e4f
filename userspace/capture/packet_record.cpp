// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names, endpoints and the hash of the records' key.
#include "userspace/capture/packet_record.h"

#include <algorithm>
#include <cstring>

namespace spidd {
namespace {

struct NamedTransport {
  Transport transport;
  std::string_view name;
};

constexpr std::array<NamedTransport, 4> kTransports{
    {{Transport::icmp, "icmp"}, {Transport::tcp, "tcp"}, {Transport::udp, "udp"}, {Transport::icmp6, "icmp6"}}};

std::uint64_t load64(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// The two halves of the 128-bit product, folded: every input bit reaches every output bit.
std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

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
  using spidd::fold_multiply;
  using spidd::load64;
  // Odd constants with about half of their bits set; digits of pi and e.
  constexpr std::uint64_t kA = 0x243f6a8885a308d3;
  constexpr std::uint64_t kB = 0x13198a2e03707345;
  constexpr std::uint64_t kC = 0xb7e151628aed2a6b;
  const std::uint64_t rest = (static_cast<std::uint64_t>(key.port_low) << 48) |
                             (static_cast<std::uint64_t>(key.port_high) << 32) |
                             (static_cast<std::uint64_t>(key.transport) << 16) | key.domain;
  const std::uint64_t low = fold_multiply(load64(key.low.bytes.data()) ^ kA, load64(key.low.bytes.data() + 8) ^ kB);
  const std::uint64_t high = fold_multiply(load64(key.high.bytes.data()) ^ kB, load64(key.high.bytes.data() + 8) ^ kC);
  return fold_multiply(low ^ rest ^ kC, high ^ kA);
}
