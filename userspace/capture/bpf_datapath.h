// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel side as the daemon owns it: BPF file system, objects, maps, rings and the hooks of every interface.
//
// Everything is pinned: when the daemon is killed, the kernel goes on enforcing what was decided until it expires, and
// the next start() with the same pin directory takes the running programs over without a gap. stop() is the clean end:
// it detaches and unpins everything.
//
// Layout of the pin directory: `maps/NAME`, `hooks/DIRECTION-IFINDEX-KIND` (a link; for dispatcher and clsact, whose
// attachment has no link, the program).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_counters.h"
#include "userspace/capture/bpf_objects.h"
#include "userspace/capture/bpf_rings.h"
#include "userspace/capture/bpf_settings.h"
#include "userspace/capture/bpf_source.h"
#include "userspace/capture/interface_hooks.h"
#include "userspace/capture/observation_source.h"

struct spidd_config;

namespace spidd {

// The maps that enforcement writes. Borrowed: valid as long as the BpfDatapath.
struct DropMapHandles {
  int drop_flow = -1;
  int drop_endpoint = -1;
  int drop_prefix = -1;
  int drop_hits = -1;
  int never_block = -1;
  spidd_config* config = nullptr;  // shared with the kernel
};

// Owned by the control thread. The sources it opens belong to the workers and may outlive it.
class BpfDatapath {
 public:
  // Builds up everything and attaches; needs root (or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and CAP_SYS_ADMIN to
  // mount a BPF file system or to join a libxdp dispatcher). On an error nothing of this call stays attached; what an
  // earlier daemon left running keeps running.
  static Result<BpfDatapath> start(const BpfSettings& settings);

  BpfDatapath(BpfDatapath&&) noexcept;
  BpfDatapath& operator=(BpfDatapath&&) = delete;
  // Releases what the process holds. Pinned programs keep running, as after a crash: call stop() to end them.
  ~BpfDatapath();

  // Detaches every hook and removes the pin directory. With `keep` it leaves all of it in place: the kernel goes on
  // enforcing until the entries expire. The first error is returned, the rest is still cleaned up.
  Result<> stop(bool keep = false);

  const std::vector<WatchedInterface>& interfaces() const { return interfaces_; }
  // What the administrator should know about a start that succeeded, one sentence each.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // True if an earlier daemon's maps were found and taken over (drop entries and flows included).
  bool took_over() const { return took_over_; }
  const std::string& pin_directory() const { return pin_directory_; }

  // The records of ring `worker` (0..workers-1). Once for each worker.
  Result<std::unique_ptr<BpfSource>> open_source(unsigned worker);

  // What SPADE sees. Once; an error if observation_limit is 0.
  Result<std::unique_ptr<ObservationSource>> open_observations();

  DropMapHandles drop_maps() const;

  // Read by system calls, see bpf_counters.h for their cost.
  Result<DatapathCounters> counters() const;
  Result<std::vector<PortCounters>> ports() const;  // those with traffic; empty if port_counters is off
  // Calls `visit` for every flow the kernel knows, in no order; at most `limit`. Returns how many.
  Result<std::size_t> flows(std::size_t limit, const std::function<void(const KernelFlow&)>& visit) const;

  // Gives up every capability that is not needed any more. Without dispatcher and clsact that is all of them: maps,
  // rings and links are used through the descriptors held. Call after the start steps and before any thread is
  // started (capabilities belong to threads). Returns the names of those kept, e.g. {"net_admin"}.
  Result<std::vector<std::string>> drop_privileges() const;

 private:
  BpfDatapath() = default;

  // The start steps, in this order.
  Result<> open_pin_directory();
  Result<> open_maps(bool programs_attached);
  Result<> fill_config();
  Result<> create_rings();
  Result<> create_observation_ring();
  Result<> attach_interfaces(const std::vector<InterfaceInfo>& interfaces, std::vector<Hook>& previous);

  BpfSettings settings_;
  std::string pin_directory_;
  UniqueFd lock_;  // of the pin directory: one daemon each
  bool took_over_ = false;
  std::vector<std::string> warnings_;
  BpfObjects objects_;
  std::vector<std::optional<BpfRing>> rings_;  // empty once a source has it
  std::optional<BpfRing> observation_ring_;    // the same
  spidd_config* config_ = nullptr;             // shared with the kernel
  std::vector<WatchedInterface> interfaces_;
  std::vector<Hook> hooks_;
};

// Removes what a daemon with these settings (the two directories of them) left in the kernel: hooks, links, maps. Fine
// if there is nothing; an error while that daemon is alive.
Result<> remove_pinned_datapath(const BpfSettings& settings);

}  // namespace spidd
