// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From what the engine concludes to the events of report/: the same words for a capture file and for live traffic.
#pragma once

#include "userspace/engine/engine.h"
#include "userspace/report/events.h"

namespace spidd {

// The views and spans in the results live as long as what `view` refers to.
EventFlow event_flow(const FlowView& view);
EventSpid event_spid(const FlowView& view, bool with_tunnel_scores);
FlowEvent flow_event(const FlowView& view, const FlowTotals& totals, EndReason reason, const Policy& policy);
AlertEvent alert_event(const FlowView& view, const Decision& decision, const Policy& policy);

}  // namespace spidd
