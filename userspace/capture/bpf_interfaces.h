// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel's table of watched interfaces: which observation domain a packet of an interface belongs to.
#pragma once

#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/bpf_settings.h"
#include "userspace/capture/interface_hooks.h"

namespace spidd {

// Writes `interfaces` into the table (map `interfaces`) and removes all others from it. Flows and drop entries name an
// interface by its domain, so one that an earlier run registered keeps its domain and its slot; packets on their way
// are never without an entry. Error if the interface numbers collide in the table more often than it can resolve.
Result<std::vector<WatchedInterface>> register_interfaces(int table, const std::vector<InterfaceInfo>& interfaces);

}  // namespace spidd
