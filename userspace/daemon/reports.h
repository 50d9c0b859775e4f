// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the daemon says about itself, as the "result" of answers: userspace/daemon/README.md shows each by example.
// Control thread only.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "userspace/daemon/daemon.h"
#include "userspace/report/counters.h"

namespace spidd {

Result<nlohmann::ordered_json> status_report(Daemon& daemon, Timestamp now);
// JSON text: the flows are written as the events they are.
Result<std::string> flows_report(Daemon& daemon, std::size_t limit, Timestamp now);
// The live flow of this event_flow_id(), if there is one.
Result<std::optional<Flow>> live_flow(Daemon& daemon, std::uint64_t id);
// What a worker knows of it so far: of a flow that has not settled, too. None once its packets are gone.
Result<std::optional<SettledFlow>> unsettled_flow(Daemon& daemon, const FlowKey& key);
// The newest flows that ended, newest first.
Result<std::string> ended_flows_report(const Daemon& daemon, std::size_t limit);
Result<std::string> alerts_report(const Daemon& daemon, std::uint64_t since, std::size_t limit);
Result<nlohmann::ordered_json> ports_report(const Daemon& daemon, std::size_t limit);
Result<nlohmann::ordered_json> drops_report(const Daemon& daemon, std::size_t limit, Timestamp now);
nlohmann::ordered_json block_report(const ActiveBlock& active, Timestamp now);

// Whether the interface is still the one that was attached to: hooks go when an interface goes.
bool is_present(const WatchedInterface& interface);

// Counters of the study: sections "study", "learning" and "site". On its thread, or before it runs.
std::vector<StatsSection> study_sections(StudyState& state);

// Every counter there is. While the study is busy its counters are those it last gave.
Result<std::vector<StatsSection>> counter_sections(Daemon& daemon);

}  // namespace spidd
