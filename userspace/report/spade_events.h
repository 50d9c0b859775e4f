// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says as JSON objects, like those of events.h: EVE-style alerts with the original's generator, signature
// ids and texts, and what it rests on as numbers. userspace/report/README.md shows them.
#pragma once

#include <string>
#include <string_view>

#include "userspace/spade/alert.h"

namespace spidd {

// Each appends one JSON object, without a line end. The time is the packet's; `interface` is where it was seen, "" if
// that is not known.
void append_json(std::string& out, const SpadeAlert& alert, std::string_view interface);
void append_json(std::string& out, const ThresholdAdjusted& adjustment);

}  // namespace spidd
