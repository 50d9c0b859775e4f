// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says in the formats of Snort's output plugins, for programs that read those. Source: spade.md 8.2. Pure
// functions; fields that SPADE does not know are empty. Times are UTC, as with Snort's -U. IPv6 endpoints, which the
// original never had, are written [2001:db8::1]:443.
#pragma once

#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/spade/alert.h"

namespace spidd {

enum class AlertFormat : std::uint8_t { eve, fast, full, csv, syslog };
Result<AlertFormat> parse_alert_format(std::string_view name);

// Each appends one line (full: some, and an empty one), with its end.
void append_alert(std::string& out, AlertFormat format, const SpadeAlert& alert);
void append_alert(std::string& out, AlertFormat format, const ThresholdAdjusted& adjustment);

}  // namespace spidd
