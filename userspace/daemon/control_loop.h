// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the main thread does between start and stop: signals, requests, events for subscribers, and the daily round of
// every second (expiry, heartbeat, watchdog).
#pragma once

#include "userspace/daemon/daemon.h"

namespace spidd {

// Returns when SIGTERM or SIGINT came.
void run_control_loop(Daemon& daemon);

}  // namespace spidd
