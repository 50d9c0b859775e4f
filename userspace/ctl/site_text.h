// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl site` shows of the answers (userspace/daemon/site_requests.h).
#pragma once

#include <nlohmann/json.hpp>

namespace spidd {

void print_site_status(const nlohmann::ordered_json& status);
void print_site_review(const nlohmann::ordered_json& review);
// `done`: "accepted", "rejected", ... What was refused goes to standard error; returns whether anything was.
bool print_site_outcome(const nlohmann::ordered_json& outcome, const char* done);

}  // namespace spidd
