// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's settings from a file in either form: the original's lines, or TOML (a [spade] part or a whole policy).
#pragma once

#include <string>
#include <vector>

#include "userspace/spade/snort_config.h"

namespace spidd {

// Of TOML there are no notes.
Result<SnortConfig> load_spade_config(const std::string& path);

// Warnings and what differs, each on a line of standard error.
void print_notes(const SnortConfig& config);

}  // namespace spidd
