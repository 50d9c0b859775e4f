// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The original's "preprocessor spade-detect:" line. Source: spade.md 5.2.
#pragma once

#include "userspace/spade/settings.h"
#include "userspace/spade/snort_lines.h"

namespace spidd {

// Mistakes and warnings go into `remarks`. The id is empty if the line has none.
DetectorSettings read_snort_detector(const SnortLine& line, SnortLines& remarks, SpadeProfile profile);

}  // namespace spidd
