// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The capabilities of this process: checking those that loading and attaching need, and giving up the rest.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace spidd {

// An error that names what is missing unless the process may load programs, attach them and read packets.
Result<> check_privileges();

// Whether this thread has the capability (a number of linux/capability.h) in effect.
bool has_capability(unsigned capability);

// Keeps only `capabilities` (numbers of linux/capability.h), in the effective, permitted and bounding sets, and forbids
// gaining others by executing programs. Capabilities belong to threads: call it while there is only one. Returns the
// names of those kept; one that the process never had is not among them.
Result<std::vector<std::string>> keep_capabilities(std::span<const unsigned> capabilities);

}  // namespace spidd
