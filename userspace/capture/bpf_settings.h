// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the administrator can set about the kernel side, and what each watched interface got. Plain data; the defaults
// are those of a daemon started with no configuration file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/time.h"

namespace spidd {

// Which hook sees the packets that arrive. `automatic` tries dispatcher, native and tc in this order; generic XDP is
// never used (it sees 64 kB super-packets without their segment size).
enum class IngressHook : std::uint8_t { automatic, dispatcher, native, tc };

// What the kernel does with dropped traffic once the daemon has been silent for `heartbeat_limit`.
enum class FailPolicy : std::uint8_t {
  keep,  // drop entries live until they expire (default)
  open,  // nothing is dropped until the daemon is back
};

struct BpfSettings {
  std::vector<std::string> interfaces;  // 1..64 names, no name twice

  // Where programs, maps and links live on when the daemon is gone; on a BPF file system, no dots in its last parts.
  // Two daemons on one machine need two directories.
  std::string pin_directory = "/sys/fs/bpf/spidd";
  // A BPF file system is mounted in STATE/bpf when /sys/fs/bpf cannot be one (containers with a read-only /sys).
  std::string state_directory = "/var/lib/spidd";

  std::uint32_t workers = 1;             // rings, 1..64
  std::uint32_t ring_bytes = 4U << 20U;  // of one ring; a power of two, at least a page
  std::uint32_t max_flows = 131072;      // entries of the kernel's flow table
  std::uint32_t max_drops = 16384;       // entries of each drop table
  std::uint32_t max_never_block = 1024;  // never-block prefixes
  // Packets that SPADE sees: at most this many a second and CPU; 0: SPADE is off.
  std::uint32_t observation_limit = 200000;
  std::uint32_t observation_ring_bytes = 8U << 20U;  // a power of two, at least a page
  std::uint32_t max_known_attempts = 16384;          // connection attempts that are counted instead of seen
  bool port_counters = true;                         // 8 MiB of kernel memory per possible CPU
  std::uint32_t new_flow_limit = 20000;              // new flows a second and CPU that get an entry; 0 = no limit
  Duration udp_idle = std::chrono::seconds(60);
  Duration tcp_idle = std::chrono::minutes(60);

  FailPolicy fail_policy = FailPolicy::keep;
  Duration heartbeat_limit = std::chrono::seconds(30);

  IngressHook ingress = IngressHook::automatic;
  bool use_tcx = true;  // false: clsact filters even where the kernel has tcx (6.6)
};

enum class HookKind : std::uint8_t { xdp_dispatcher, xdp_native, tcx, clsact };

// "xdp-dispatcher", "xdp-native", "tcx", "clsact".
std::string_view hook_kind_name(HookKind kind);

// An interface that is being watched.
struct WatchedInterface {
  std::string name;
  unsigned ifindex = 0;
  std::uint16_t domain = 0;  // observation domain in the flow keys of this interface
  bool layer3 = false;       // no Ethernet header (tun, wireguard)
  HookKind ingress = HookKind::tcx;
  HookKind egress = HookKind::tcx;
};

}  // namespace spidd
