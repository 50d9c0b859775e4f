// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The [spade] part of the policy file, and writing it. What a setting means: userspace/spade/settings.h. Kept in step
// with policy/README.md and packaging/man/spid-policy.5.
#pragma once

#include <string>

#include "userspace/policy/config_table.h"
#include "userspace/spade/settings.h"

namespace spidd {

// Reads [spade] of `file`; mistakes are noted there. Without any [[spade.detector]]: the distributed set.
SpadeSettings read_spade_part(ConfigTable& file);

// A file of a [spade] part alone, or a whole policy of which the part is taken.
Result<SpadeSettings> parse_spade_part(std::string_view text, const std::string& path_for_messages);

// The part as TOML, which read back gives the same settings. Keys that have their
// default are left out.
std::string spade_part_text(const SpadeSettings& settings);

}  // namespace spidd
