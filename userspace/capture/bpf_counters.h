// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Readings of the kernel's counters, port counters and flow table for the control thread. Counters are monotone and
// never reset by readers; sums over CPUs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/kernel_clock.h"
#include "userspace/capture/packet_record.h"

namespace spidd {

// enum spidd_counter of bpf/abi.h, where each one is explained.
enum class DatapathCounter : std::uint8_t {
  seen_packets,
  seen_bytes,
  passed_packets,
  passed_bytes,
  dropped_packets,
  dropped_bytes,
  not_ip,
  truncated,
  too_deep,
  fragment,
  other_protocol,
  icmp_other,
  never_blocked,
  expired_drop,
  failed_open,
  retransmissions,
  flows_created,
  flows_restarted,
  flow_insert_failed,
  flow_rate_limited,
  records_sent,
  records_lost,
  ends_sent,
  ends_lost,
  payload_unreadable,
  unknown_interface,
  observations_sent,
  observations_counted,
  observations_lost,
  observations_limited,
  observations_forwarded,
};
inline constexpr std::size_t kDatapathCounters = 31;

// "seen_packets", ...
std::string_view counter_name(DatapathCounter counter);

enum class HookDirection : std::uint8_t { ingress = 0, egress = 1 };

struct DatapathCounters {
  std::array<std::array<std::uint64_t, kDatapathCounters>, 2> values{};  // [HookDirection][DatapathCounter]

  std::uint64_t of(HookDirection hook, DatapathCounter counter) const {
    return values[static_cast<std::size_t>(hook)][static_cast<std::size_t>(counter)];
  }
  std::uint64_t sum(DatapathCounter counter) const {
    return of(HookDirection::ingress, counter) + of(HookDirection::egress, counter);
  }
};

// Traffic to one destination port as one hook saw it.
struct PortCounters {
  HookDirection hook = HookDirection::ingress;
  Transport transport = Transport::tcp;  // tcp or udp
  std::uint16_t port = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t attempts = 0;  // TCP: SYN; UDP: packets that opened a flow
  std::uint64_t refusals = 0;  // sent by that port
};

// A flow as the kernel holds it.
struct KernelFlow {
  FlowKey key;
  Timestamp start;
  bool client_is_low = true;
  bool decided = false;
  bool dropped = false;  // a drop entry matches it now
  FlowTotals totals;
};

// A few microseconds.
Result<DatapathCounters> read_counters(int counters_map);
// Ports with any traffic, ordered by hook, transport and port. About 50 ms on 4 CPUs: for requests, not for polling.
Result<std::vector<PortCounters>> read_ports(int ports_map);
// About 0.3 µs a flow. At most `limit` flows, in no order; a flow may be missed or seen twice while the table changes.
Result<std::size_t> read_flows(int flows_map, const KernelClock& clock, std::size_t limit,
                               const std::function<void(const KernelFlow&)>& visit);

}  // namespace spidd
