// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How spidctl shows what SPADE says of itself: the answers of the daemon's request "spade" as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace spidd {

// `verb` is one of status, tables, stats, survey, advise, incidents.
void print_spade(const std::string& verb, const nlohmann::ordered_json& answer);

// An event of type "incident".
void print_incident(const nlohmann::ordered_json& event);

}  // namespace spidd
