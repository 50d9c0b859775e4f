// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which hook an interface gets for each direction, and taking over the hooks an earlier daemon left pinned.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_counters.h"
#include "userspace/capture/bpf_objects.h"
#include "userspace/capture/bpf_settings.h"

namespace spidd {

// An interface of the network namespace this process is in.
struct InterfaceInfo {
  std::string name;
  unsigned ifindex = 0;
  bool layer3 = false;  // frames start with the IP header
};

// Error for the administrator if there is none of that name or its link type cannot be watched.
Result<InterfaceInfo> find_interface(const std::string& name);

// One program attached to one interface and direction. `pin` keeps it attached when the process ends: it is the pinned
// link, or the pinned program where the attachment itself is kept by the kernel (clsact) or by libxdp (dispatcher).
struct Hook {
  HookDirection direction = HookDirection::ingress;
  unsigned ifindex = 0;
  HookKind kind = HookKind::tcx;
  std::string pin;
};

// What is pinned in `directory`, by its file names. Empty if there is no such directory.
std::vector<Hook> list_pinned_hooks(const std::string& directory);

// Attaches hooks and pins them in one directory. Remembers what the kernel refused, so that ten interfaces do not try
// ten times. Control thread only; borrows what it is given.
class HookAttacher {
 public:
  HookAttacher(BpfObjects& objects, const BpfSettings& settings, std::string directory,
               std::vector<std::string>& warnings);

  // `previous`: the hook an earlier daemon left there. It is taken over without a gap if its kind is still wanted and
  // the interface is still the same, else it is removed first.
  Result<Hook> attach(const InterfaceInfo& interface, HookDirection direction, std::optional<Hook> previous);

 private:
  Result<Hook> attach_ingress(const InterfaceInfo& interface);
  Result<Hook> attach_tc(const InterfaceInfo& interface, HookDirection direction);
  Result<Hook> attach_kind(const InterfaceInfo& interface, HookDirection direction, HookKind kind);
  Result<> take_over(const Hook& previous);
  bool still_wanted(const InterfaceInfo& interface, const Hook& previous) const;
  std::string pin_path(unsigned ifindex, HookDirection direction, HookKind kind) const;

  BpfObjects& objects_;
  const BpfSettings& settings_;
  std::string directory_;
  std::vector<std::string>& warnings_;
  bool dispatcher_refused_ = false;
  bool tcx_refused_ = false;
};

// Detaches and unpins. Fine if the interface is gone.
Result<> detach_hook(const Hook& hook);

}  // namespace spidd
