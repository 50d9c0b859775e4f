// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What every packet source hands to the engine: the C++ face of struct spidd_record (bpf/abi.h). A capture file and the
// kernel are two sources of the same records; nothing to the right of this line knows which one it is listening to.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "userspace/base/ip_address.h"
#include "userspace/base/time.h"

namespace spidd {

inline constexpr std::size_t kSnapLength = 64;  // payload bytes of a record
inline constexpr unsigned kRecordLimit = 20;    // payload packets of a flow that become records
inline constexpr unsigned kSizesLimit = 100;    // the same of a flow whose sizes were asked for

enum class Transport : std::uint8_t { icmp = 1, tcp = 6, udp = 17, icmp6 = 58 };

// "tcp", "udp", "icmp", "icmp6".
std::string_view transport_name(Transport transport);
Result<Transport> parse_transport(std::string_view name);

enum class Direction : std::uint8_t { to_server = 0, to_client = 1 };

// Canonical five-tuple and observation domain: both directions of a flow have the same key. `low` is the endpoint whose
// (address, port) compares lower. ICMP echo: both ports are the echo identifier. Ports in host order.
struct FlowKey {
  IpAddress low;
  IpAddress high;
  std::uint16_t port_low = 0;
  std::uint16_t port_high = 0;
  Transport transport = Transport::tcp;
  std::uint16_t domain = 0;

  auto operator<=>(const FlowKey&) const = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  auto operator<=>(const Endpoint&) const = default;
  std::string to_string() const;  // "192.0.2.1:443", "[2001:db8::1]:443"
};

// Headers of the TLS records (RFC 8446 5.1) that begin in a packet. They are followed from header to header through the
// stream, also beyond the captured bytes, as long as the direction's payload is TLS from its beginning on.
struct TlsRecords {
  static constexpr std::size_t kMost = 6;
  static constexpr std::uint8_t kApplicationData = 23;

  std::array<std::uint16_t, kMost> lengths{};  // without the header, at most 18,432
  std::uint16_t types = 0;                     // two bits each from the lowest: type - 20
  std::uint8_t count = 0;

  // Requires: index < count.
  std::uint8_t type(std::size_t index) const { return static_cast<std::uint8_t>(20 + (types >> (2 * index) & 3)); }
};

// One payload packet as the attribute meters see it, kept only until the flow is decided.
struct PayloadPacket {
  Timestamp time;
  std::uint32_t length = 0;  // payload bytes on the wire
  std::uint16_t offset = 0;  // of the payload in the frame (spid.md: h)
  Direction direction = Direction::to_server;
  std::uint8_t captured = 0;                      // valid bytes, 0..kSnapLength
  std::array<std::uint8_t, kSnapLength> bytes{};  // zero beyond `captured`
  TlsRecords tls;
};
static_assert(sizeof(PayloadPacket) == 96);

// Captured payload behind what a PayloadPacket carries. Only the sessions of the original keep it (strict_sessions.h).
using PayloadTail = std::vector<std::uint8_t>;
inline constexpr std::size_t kStrictTails = 8;  // packets of a session of which it is kept
inline constexpr std::size_t kStrictSnap =
    1'500;  // payload bytes of a packet with its tail; an Ethernet frame has fewer

// Packets and IP bytes on the wire, by Direction.
struct FlowCounters {
  std::array<std::uint64_t, 2> packets{};
  std::array<std::uint64_t, 2> bytes{};
};

// The whole flow as its source counted it.
struct FlowTotals {
  FlowCounters counters;
  Timestamp last;
  std::uint32_t payload_packets = 0;
  bool closed = false;  // TCP: RST or both FINs
};

struct PacketRecord {
  enum class Type : std::uint8_t {
    payload,  // one of the first kRecordLimit payload packets: `packet` and `order` are set. After
              // PacketSource::sizes_wanted() up to kSizesLimit, then with no bytes: packet.captured is 0
    end,      // the flow is over as far as the source can tell: `totals` is set
  };

  Type type = Type::payload;
  Timestamp time;
  Timestamp flow_start;  // with `key` it names the flow: a five-tuple used again has another start
  FlowKey key;
  bool client_is_low = true;
  bool start_seen = false;  // the flow was seen from its beginning
  bool answered = false;    // packets of both directions were seen, with payload or without
  bool egress = false;      // seen by the egress hook
  std::uint8_t tcp_flags = 0;
  std::uint32_t tcp_seq = 0;
  std::uint16_t order = 0;  // among the flow's payload packets, from 0
  PayloadPacket packet;
  FlowTotals totals;

  Endpoint client() const;
  Endpoint server() const;
};

}  // namespace spidd

template <>
struct std::hash<spidd::FlowKey> {
  // Well mixed in all bits; not keyed. Flow tables bound their memory, so that chosen collisions cost time, not memory.
  std::size_t operator()(const spidd::FlowKey& key) const noexcept;
};
