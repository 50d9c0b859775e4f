// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says in the formats of Snort's output plugins, for programs that read those. Source: spade.md 8.2. Pure
// functions; fields that SPADE does not know are empty. Times are UTC, as with Snort's -U. IPv6 endpoints, which the
// original never had, are written [2001:db8::1]:443. Incidents, which it never had either, have the signature id 100
// and no packet, only the address they are about.
#pragma once

#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/report/incident_event.h"
#include "userspace/spade/alert.h"

namespace spidd {

inline constexpr unsigned kIncidentSid = 100;

enum class AlertFormat : std::uint8_t { eve, fast, full, csv, syslog };
Result<AlertFormat> parse_alert_format(std::string_view name);

// Each appends one line (full: some, and an empty one), with its end.
void append_alert(std::string& out, AlertFormat format, const SpadeAlert& alert);
void append_alert(std::string& out, AlertFormat format, const ThresholdAdjusted& adjustment);
void append_alert(std::string& out, AlertFormat format, const IncidentEvent& event);

}  // namespace spidd
