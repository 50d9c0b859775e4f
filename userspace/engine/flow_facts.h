// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From a verdict to what the policy and the memory of endpoints want to know.
#pragma once

#include "userspace/engine/endpoint_memory.h"
#include "userspace/policy/decision.h"
#include "userspace/spid/matcher.h"

namespace spidd {

inline constexpr unsigned kShortFlow = 3;  // payload packets: so few often have no name of their own

// The models to compare the flow with. One of which only one direction crosses the sensor has no packets at all of the
// other.
View model_view(const Flow& flow);

// kNoModel if there is none.
std::uint16_t find_model(std::span<const ModelSummary> models, std::string_view label, Transport transport, View view);

// What the flow itself says; nothing of its endpoint or its site.
FlowFacts facts_of(const Flow& flow, std::span<const ModelSummary> models);

// The flow as one of its endpoint's. Requires: its state is not undecided.
EndpointObservation observation_of(const Flow& flow, std::span<const ModelSummary> models, Timestamp now);

// Adds what the other flows to the endpoint say; the flow itself counts, and is in `record` if it was observed.
void add_endpoint(FlowFacts& facts, EndpointRecord record, const EndpointObservation& flow, bool observed);

}  // namespace spidd
