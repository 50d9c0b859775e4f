// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's settings from a file in either form: the original's lines, or TOML (a [spade] part or a whole policy).
#pragma once

#include <string>
#include <vector>

#include "userspace/spade/snort_config.h"

namespace spidd {

// Of TOML there are no notes. `profile`: how the original's lines are taken.
Result<SnortConfig> load_spade_config(const std::string& path, SpadeProfile profile = SpadeProfile::documented);

// What the settings name and only spidd writes: the analysis of a capture must not write over what spidd has. One
// sentence each.
std::vector<std::string> files_not_written(const SpadeSettings& settings);

// Warnings and what differs, each on a line of standard error.
void print_notes(const SnortConfig& config);

}  // namespace spidd
