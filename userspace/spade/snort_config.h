// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The original's configuration, as Snort read it: "preprocessor spade...:" lines of a snort.conf or spade.conf, the
// forms before 2002 and all aliases included. Source: spade.md 5, 7. The result says the same in SpadeSettings; where
// the original did not do what it was told, or spidd does otherwise, a note says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/settings.h"
#include "userspace/spade/snort_lines.h"

namespace spidd {

struct SnortConfig {
  SpadeSettings settings;
  std::vector<std::string> notes;  // warnings ("FILE:LINE: ..."), then what differs from Spade v030125.1
};

// Whether the text has a line of SPADE, or includes a file that may: else it is no such configuration.
bool is_snort_config(std::string_view text);

// The error has one line "FILE:LINE: ..." for each mistake, at most 20. The profile 030125 takes the lines as Spade
// v030125.1 did (D14, D19).
Result<SnortConfig> parse_snort_config(std::string_view text, const std::string& path, const SnortInclude& include = {},
                                       SpadeProfile profile = SpadeProfile::documented);

// Follows includes.
Result<SnortConfig> load_snort_config(const std::string& path, SpadeProfile profile = SpadeProfile::documented);

}  // namespace spidd
