// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An explanation of a flow (userspace/daemon/explain_answer.h) as people read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace spidd {

// What an answer of another version lacks is "-" or 0.
std::string explanation_text(const nlohmann::ordered_json& explanation);

}  // namespace spidd
