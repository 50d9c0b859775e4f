// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/session_options.h"

namespace spidd {

void add_session_options(CommandLine& line) {
  line.value("session-frames", "N", "strict sessions: frames of a session that may be measured", "20");
  line.value("max-sessions", "N", "strict sessions: followed at the same time, of those established and of the others",
             "1000");
  line.value("session-timeout", "DURATION", "strict sessions: silence after which a session ends", "60s");
}

Result<StrictSessions::Limits> session_limits(const CommandLine& line, std::uint32_t most_frames) {
  constexpr std::uint64_t kMostSessions = 1'000'000;
  constexpr Duration kLongestTimeout = std::chrono::hours(24);
  StrictSessions::Limits limits;
  const auto frames = line.number("session-frames", 1, most_frames);
  if (!frames) return error_of(frames);
  const auto sessions = line.number("max-sessions", 1, kMostSessions);
  if (!sessions) return error_of(sessions);
  const auto timeout = parse_duration(line.text("session-timeout"));
  if (!timeout) return error_of(timeout);
  if (*timeout > kLongestTimeout) return fail("--session-timeout {}: at most 24h", line.text("session-timeout"));
  limits.frames = static_cast<std::uint32_t>(*frames);
  limits.sessions = static_cast<std::uint32_t>(*sessions);
  limits.timeout = *timeout;
  return limits;
}

}  // namespace spidd
