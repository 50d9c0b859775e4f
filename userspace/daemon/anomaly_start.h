// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Beginning and end of SPADE in the daemon, and what a reload changes.
#pragma once

#include <string>
#include <vector>

#include "userspace/daemon/daemon.h"

namespace spidd {

bool spade_is_on(const Daemon& daemon);

// Nothing to do if SPADE is off. `interfaces`: names by observation domain.
Result<> start_anomaly_watch(Daemon& daemon, std::vector<std::string> interfaces);
// It still reports what it has, so outputs and enforcer are still needed.
void stop_anomaly_watch(Daemon& daemon);

// Of the new policy. What its tables know goes on where the new settings still want it. `before`: the old settings.
void tell_anomaly_watch(Daemon& daemon, const SpadeSettings& before);

}  // namespace spidd
