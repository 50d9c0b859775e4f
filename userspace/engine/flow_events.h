// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From what the engine concludes to the events of report/: the same words for a capture file and for live traffic.
#pragma once

#include "userspace/engine/engine.h"
#include "userspace/report/events.h"

namespace spidd {

// `interface` is "" where there is none. The strings of the results live as long as their arguments do.
EventFlow event_flow(const Flow& flow, std::string_view interface);
// The label that is shown: "" if there is none, "tunnel" if the tool is not clear.
std::string_view shown_label(const Verdict& verdict, const ModelSummary* label);
EventSpid event_spid(const Verdict& verdict, const ModelSummary* label, bool with_tunnel_scores);
FlowEvent flow_event(const FlowView& view, const FlowTotals& totals, EndReason reason, const Policy& policy,
                     std::string_view interface);
// `blocked` is set as if every block the policy decides were made.
AlertEvent alert_event(const FlowView& view, const Decision& decision, const Policy& policy,
                       std::string_view interface);

}  // namespace spidd
