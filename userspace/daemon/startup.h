// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Beginning and end of the daemon as two lists of named steps, and the reload in between.
#pragma once

#include "userspace/daemon/daemon.h"

namespace spidd {

// Runs the start steps in order. On an error, which names the step, everything that was begun is ended again.
Result<> start(Daemon& daemon);

// Runs the stop steps, whatever is there to stop; a failing one does not keep the others from running. Returns the
// first error.
Result<> stop(Daemon& daemon);

// Reads policy and models again and puts them into force, or keeps both and says why.
Result<> reload(Daemon& daemon);
// The same for the models alone: those of the files with those of the study.
Result<> reload_models(Daemon& daemon);
// Only if those of the study have changed. What fails is tried again at the next call.
Result<> reload_changed_models(Daemon& daemon);

// What start() and --check-config read.
Result<std::shared_ptr<const Policy>> read_policy(const DaemonConfig& config);
Result<ModelDatabase> read_models(const DaemonConfig& config);

// Logs the error; one of several lines (the mistakes of a file) line by line.
void log_mistakes(std::string_view context, const Error& error);

// "watching eth0 (xdp-native, tcx) in observe mode"
std::string describe(const Daemon& daemon);

}  // namespace spidd
