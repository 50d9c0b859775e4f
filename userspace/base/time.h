// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Time as the engine knows it: nanoseconds since the Unix epoch, of the capture or of the wall clock. The engine never
// asks for the time itself: it is told with every record, so that a replay behaves like the live run.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace spidd {

using Duration = std::chrono::nanoseconds;
using Timestamp = std::chrono::sys_time<Duration>;

// UTC as Suricata's EVE writes it: 2026-11-21T19:04:35.123456+0000
std::string format_timestamp(Timestamp time);

// "90s", "10m", "1h", "7d", "250ms" or a sum such as "1h30m". Negative, empty and overflowing values are errors.
Result<Duration> parse_duration(std::string_view text);

// The shortest of the forms above that says the duration to the second: "1h30m", "45s", "0s".
std::string format_duration(Duration duration);

Timestamp wall_clock_now();

}  // namespace spidd
