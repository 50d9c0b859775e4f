// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE sees of a packet: its headers, nothing of its payload. A capture file hands out one for every packet, the
// kernel only those that can change a table or a score (bpf/observe.h); `count` stands for equal ones.
#pragma once

#include <cstdint>

#include "userspace/base/ip_address.h"
#include "userspace/base/time.h"
#include "userspace/capture/packet_record.h"

namespace spidd {

struct Observation {
  enum class Kind : std::uint8_t {
    packet,
    unreachable,  // the packet inside an ICMP "destination unreachable" (IPv4 type 3, IPv6 type 1), as its sender sent
                  // it; only ever a response to that packet, never scored or recorded. The ICMP packet itself comes
                  // before it, as an observation of its own
  };

  Timestamp time;  // of the first, where count is above 1
  IpAddress source;
  IpAddress destination;
  IpAddress reporter;                  // unreachable: who says so
  std::uint32_t count = 1;             // packets that this stands for
  std::uint16_t source_port = 0;       // host order; 0 for ICMP
  std::uint16_t destination_port = 0;  // host order; 0 for ICMP
  std::uint16_t domain = 0;            // observation domain, as in FlowKey
  Transport transport = Transport::tcp;
  std::uint8_t tcp_flags = 0;  // as on the wire: CWR ECE URG ACK PSH RST SYN FIN
  std::uint8_t icmp_type = 0;  // unreachable: of the error
  std::uint8_t icmp_code = 0;
  Kind kind = Kind::packet;
  bool reply = false;  // UDP: goes to who opened the flow. Sources that know no flows leave it false: then every
                       // datagram is an attempt, as in the original
};

}  // namespace spidd
