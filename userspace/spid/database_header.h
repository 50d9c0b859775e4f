// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What holds for all models of a directory, in its file database.json (format: policy/models/README.md). Private to
// spid/ but for background_hash() and thresholds_fit().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/spid/protocol_model.h"

namespace spidd {

inline constexpr std::string_view kHeaderFile = "database.json";

// Of what thresholds depend on beside their own model: the counters of all models that make up the background, whatever
// their names and order, and the constants of the profile.
std::uint64_t background_hash(const ModelDatabase& database);

// False if there are thresholds, and they were found among other models than these, or nobody knows among which.
bool thresholds_fit(const ModelDatabase& database);

// A file that is damaged, of another version or of other meters gives an error that begins with `name` and the line.
// Fills everything of the database but the models.
Result<void> parse_header(std::string_view text, const std::string& name, ModelDatabase& database);

std::string format_header(const ModelDatabase& database);

}  // namespace spidd
