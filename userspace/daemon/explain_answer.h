// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The answer to "explain": why a flow has its name, or none. The daemon writes it of its own models; spidctl writes the
// same of captures, and of other models.
#pragma once

#include <nlohmann/json.hpp>

#include "userspace/daemon/settled_answer.h"
#include "userspace/engine/explanation.h"

namespace spidd {

// A flow as explanations see it.
MeasuredFlow measured_flow(const SettledFlow& flow, MeterRules rules);

// The verdict as it was given, null if none is known:
// {"state":"identified","class":"label","label":"ssh","basis":"scores","score":...,"margin":...,...}
nlohmann::ordered_json verdict_json(const SettledFlow& flow);

// Explains the flow by the models and rules given: {"proto":...,"verdict":`verdict`,"standing":{...},"best":{...},
// "second":{...},"meters":[...]}. By example: userspace/daemon/README.md. `against`, `comparison`: see explain_flow().
Result<nlohmann::ordered_json> answer_explain(const Matcher& matcher, const ClassificationRules& rules,
                                              const MeasuredFlow& flow, const nlohmann::ordered_json& verdict,
                                              const std::string& against, const Comparison* comparison = nullptr);

}  // namespace spidd
