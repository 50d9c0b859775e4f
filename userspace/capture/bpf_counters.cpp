// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Batch look-ups in the counter, port and flow maps.
#include "userspace/capture/bpf_counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>

#include "bpf/abi.h"
#include "userspace/capture/record_decoder.h"

namespace spidd {
namespace {

static_assert(kDatapathCounters == SPIDD_COUNTERS);
static_assert(static_cast<unsigned>(DatapathCounter::dropped_bytes) == SPIDD_DROPPED_BYTES);
static_assert(static_cast<unsigned>(DatapathCounter::icmp_other) == SPIDD_ICMP_OTHER);
static_assert(static_cast<unsigned>(DatapathCounter::retransmissions) == SPIDD_RETRANSMISSIONS);
static_assert(static_cast<unsigned>(DatapathCounter::flow_rate_limited) == SPIDD_FLOW_RATE_LIMITED);
static_assert(static_cast<unsigned>(DatapathCounter::observations_forwarded) == SPIDD_OBSERVATIONS_FORWARDED);

constexpr std::array<std::string_view, kDatapathCounters> kCounterNames = {
    "seen_packets",
    "seen_bytes",
    "passed_packets",
    "passed_bytes",
    "dropped_packets",
    "dropped_bytes",
    "not_ip",
    "truncated",
    "too_deep",
    "fragment",
    "other_protocol",
    "icmp_other",
    "never_blocked",
    "expired_drop",
    "failed_open",
    "retransmissions",
    "flows_created",
    "flows_restarted",
    "flow_insert_failed",
    "flow_rate_limited",
    "records_sent",
    "records_lost",
    "ends_sent",
    "ends_lost",
    "payload_unreadable",
    "unknown_interface",
    "observations_sent",
    "observations_counted",
    "observations_lost",
    "observations_limited",
    "observations_forwarded",
};

// Copies of a per-CPU value that one look-up returns.
Result<std::size_t> possible_cpus() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail_errno(cpus, "count the CPUs");
  return static_cast<std::size_t>(cpus);
}

PortCounters sum_port(std::uint32_t index, const spidd_port_counters* copies, std::size_t cpus) {
  PortCounters port;
  port.hook = (index >> 17U) == 0 ? HookDirection::ingress : HookDirection::egress;
  port.transport = ((index >> 16U) & 1U) == SPIDD_PORT_TCP ? Transport::tcp : Transport::udp;
  port.port = static_cast<std::uint16_t>(index);
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    port.packets += copies[cpu].packets;
    port.bytes += copies[cpu].bytes;
    port.attempts += copies[cpu].attempts;
    port.refusals += copies[cpu].refusals;
  }
  return port;
}

}  // namespace

std::string_view counter_name(DatapathCounter counter) { return kCounterNames[static_cast<std::size_t>(counter)]; }

Result<DatapathCounters> read_counters(int counters_map) {
  const auto cpus = possible_cpus();
  if (!cpus) return tl::unexpected(cpus.error());
  std::vector<spidd_counters> copies(*cpus);
  DatapathCounters counters;
  for (std::uint32_t hook = 0; hook < SPIDD_HOOKS; ++hook) {
    if (bpf_map_lookup_elem(counters_map, &hook, copies.data()) != 0) {
      return fail_errno(errno, "read the counters of the kernel programs");
    }
    for (const spidd_counters& copy : copies) {
      for (std::uint32_t counter = 0; counter < SPIDD_COUNTERS; ++counter) {
        counters.values[hook][counter] += copy.value[counter];
      }
    }
  }
  return counters;
}

Result<std::vector<PortCounters>> read_ports(int ports_map) {
  constexpr std::uint32_t kBatch = 8192;
  const auto cpus = possible_cpus();
  if (!cpus) return tl::unexpected(cpus.error());
  std::vector<std::uint32_t> indexes(kBatch);
  std::vector<spidd_port_counters> values(kBatch * *cpus);
  std::vector<PortCounters> ports;
  std::uint32_t position = 0;
  bool first = true;
  for (bool more = true; more;) {
    std::uint32_t count = kBatch;
    const int status = bpf_map_lookup_batch(ports_map, first ? nullptr : &position, &position, indexes.data(),
                                            values.data(), &count, nullptr);
    if (status != 0 && errno != ENOENT) return fail_errno(errno, "read the port counters");
    more = status == 0;
    first = false;
    for (std::uint32_t entry = 0; entry < count; ++entry) {
      const PortCounters port = sum_port(indexes[entry], &values[entry * *cpus], *cpus);
      if (port.packets != 0 || port.refusals != 0) ports.push_back(port);
    }
  }
  return ports;
}

Result<std::size_t> read_flows(int flows_map, const KernelClock& clock, std::size_t limit,
                               const std::function<void(const KernelFlow&)>& visit) {
  constexpr std::uint32_t kBatch = 4096;
  std::vector<spidd_flow_key> keys(kBatch);
  std::vector<spidd_flow> values(kBatch);
  const std::uint64_t now = coarse_now_ns();
  std::size_t visited = 0;
  std::uint32_t position = 0;
  bool first = true;
  for (bool more = true; more && visited < limit;) {
    std::uint32_t count = kBatch;
    const int status = bpf_map_lookup_batch(flows_map, first ? nullptr : &position, &position, keys.data(),
                                            values.data(), &count, nullptr);
    if (status != 0 && errno != ENOENT) return fail_errno(errno, "read the kernel's flow table");
    more = status == 0;
    first = false;
    for (std::uint32_t entry = 0; entry < count && visited < limit; ++entry, ++visited) {
      const spidd_flow& flow = values[entry];
      KernelFlow seen;
      seen.key = flow_key(keys[entry]);
      seen.start = clock.to_wall(flow.start_ns);
      seen.client_is_low = (flow.flags & SPIDD_FLOW_CLIENT_IS_LO) != 0;
      seen.decided = flow.verdict == SPIDD_VERDICT_DECIDED;
      seen.dropped = flow.drop_slot != 0 && flow.drop_until_ns > now;
      seen.totals = flow_totals(flow, clock.offset_at(flow.last_ns));
      visit(seen);
    }
  }
  return visited;
}

}  // namespace spidd
