// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Keeps what is there, removes what is not wanted, adds the rest: in this order, because slots and domains are few.
#include "userspace/capture/bpf_interfaces.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cerrno>

#include "bpf/abi.h"

namespace spidd {
namespace {

using Table = std::array<spidd_interface, SPIDD_INTERFACE_SLOTS>;

Result<Table> read_table(int map) {
  Table table{};
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    if (bpf_map_lookup_elem(map, &slot, &table[slot]) != 0) return fail_errno(errno, "read the interface table");
  }
  return table;
}

Result<> write_slot(int map, std::uint32_t slot, const spidd_interface& value) {
  if (bpf_map_update_elem(map, &slot, &value, BPF_ANY) != 0) return fail_errno(errno, "write the interface table");
  return {};
}

// The slot of the interface, or the first free one it may take; nothing if it can be nowhere.
std::optional<std::uint32_t> find_slot(const Table& table, std::uint32_t ifindex) {
  std::optional<std::uint32_t> free;
  for (std::uint32_t probe = 0; probe < SPIDD_INTERFACE_PROBES; ++probe) {
    const std::uint32_t slot = spidd_interface_slot(ifindex, probe);
    if (table[slot].ifindex == ifindex) return slot;
    if (table[slot].ifindex == 0 && !free) free = slot;
  }
  return free;
}

}  // namespace

Result<std::vector<WatchedInterface>> register_interfaces(int table_map, const std::vector<InterfaceInfo>& interfaces) {
  auto table = read_table(table_map);
  if (!table) return tl::unexpected(table.error());

  std::bitset<SPIDD_MAX_INTERFACES> taken;
  for (std::uint32_t slot = 0; slot < table->size(); ++slot) {
    spidd_interface& entry = (*table)[slot];
    if (entry.ifindex == 0) continue;
    const bool wanted = std::any_of(interfaces.begin(), interfaces.end(),
                                    [&](const InterfaceInfo& each) { return each.ifindex == entry.ifindex; });
    if (wanted && entry.domain < taken.size() && !taken[entry.domain]) {
      taken.set(entry.domain);
      continue;
    }
    entry = {};
    if (auto written = write_slot(table_map, slot, entry); !written) return tl::unexpected(written.error());
  }

  std::vector<WatchedInterface> watched;
  for (const InterfaceInfo& interface : interfaces) {
    const auto slot = find_slot(*table, interface.ifindex);
    if (!slot) {
      return fail("{}: its number {} collides with those of other watched interfaces; watch fewer of them",
                  interface.name, interface.ifindex);
    }
    spidd_interface& entry = (*table)[*slot];
    if (entry.ifindex == 0) {
      std::uint16_t domain = 0;
      while (taken[domain]) ++domain;
      taken.set(domain);
      entry.domain = domain;
    }
    entry.ifindex = interface.ifindex;
    entry.layer3 = interface.layer3 ? 1 : 0;
    if (auto written = write_slot(table_map, *slot, entry); !written) return tl::unexpected(written.error());
    watched.push_back({interface.name, interface.ifindex, entry.domain, interface.layer3, {}, {}});
  }
  return watched;
}

}  // namespace spidd
