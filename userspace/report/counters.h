// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What every counter of spidd means, in one table, and the text form in which Prometheus reads them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "userspace/report/events.h"

namespace spidd {

struct CounterInfo {
  std::string_view name;
  std::string_view help;  // a phrase, without a full stop
  bool gauge = false;     // a state of now, which may go down
};

// Counters of the kernel programs, of the engine, of enforcement and of the event log. A name means the same
// everywhere.
std::span<const CounterInfo> counter_infos();

// "" for a counter that is not in the table.
std::string_view counter_help(std::string_view name);

// Appends the sections in the Prometheus text format 0.0.4: spidd_NAME_total{section="SECTION"} VALUE, of a gauge
// spidd_NAME, all values of a name together, with HELP and TYPE.
void append_prometheus(std::string& out, std::span<const StatsSection> sections);

}  // namespace spidd
