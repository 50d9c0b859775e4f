// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a worker tells the control thread about its flows: copies, because the flows go on changing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "userspace/engine/engine.h"
#include "userspace/report/events.h"

namespace spidd {

struct FlowCounts {
  std::uint64_t live = 0;
  std::uint64_t identified = 0;
  std::uint64_t unknown = 0;
  std::uint64_t undecided = 0;
  std::map<std::string, std::uint64_t> labels;  // of the identified ones

  void add(const FlowCounts& other);
};

// Walks over all flows: some milliseconds for a hundred thousand.
FlowCounts count_flows(const Engine& engine);

struct LiveFlow {
  Flow flow;
  ModelSummary label;  // with an empty label unless identified
  std::string rule;    // that decided, "" = none
  FlowCounters counters;
  Timestamp last;
};

// The newest `limit` flows, newest first, without the source's counts.
std::vector<LiveFlow> copy_flows(Engine& engine, const Policy& policy, std::size_t limit);

// The live flow of this event_flow_id().
std::optional<Flow> find_flow(const Engine& engine, std::uint64_t id);

// Why there is nothing to explain of a flow that is not among the `recent` that settled last; `live`: if it is there.
std::string why_not_settled(std::uint64_t id, const std::optional<Flow>& live, std::uint64_t recent);

// A flow event with reason "live".
void append_json(std::string& out, const LiveFlow& live, std::string_view interface, Timestamp now);

}  // namespace spidd
