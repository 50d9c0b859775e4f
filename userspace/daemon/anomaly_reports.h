// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says of itself, as the "result" of the request "spade" (userspace/daemon/README.md). On the thread of the
// watch.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "userspace/daemon/anomaly_watch.h"
#include "userspace/daemon/requests.h"
#include "userspace/report/counters.h"

namespace spidd {

// Of every verb but stats, which takes its time: AnomalyWatch::statistics().
nlohmann::ordered_json spade_report(const AnomalyWatch& watch, SpadeRequest::Verb verb);

// "spade" of the status: what is most worth knowing.
nlohmann::ordered_json spade_summary(const AnomalyWatch& watch);

// Counters of the section "spade" and, if there are any, of "incidents".
std::vector<StatsSection> spade_sections(const AnomalyWatch& watch);

}  // namespace spidd
