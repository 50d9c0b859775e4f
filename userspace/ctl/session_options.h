// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The limits of the sessions of SPID 0.4.6 as options of the commands that have --strict.
#pragma once

#include "userspace/base/command_line.h"
#include "userspace/flow/strict_sessions.h"

namespace spidd {

inline constexpr std::uint32_t kMostSessionFrames = 255;

// Declares --session-frames, --max-sessions and --session-timeout.
void add_session_options(CommandLine& line);

// What they say; the original's limits where they say nothing.
Result<StrictSessions::Limits> session_limits(const CommandLine& line, std::uint32_t most_frames = kMostSessionFrames);

}  // namespace spidd
