// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Whether a packet is on the lists of what is not reported (Xsips, Xdips, Xsports, Xdports). Source: spade.md 5.2.
#pragma once

#include "userspace/capture/observation.h"
#include "userspace/spade/settings.h"

namespace spidd {

// On one of the lists: values of a list and lists are alternatives.
bool is_excluded(const ReportExclusions& exclusions, const Observation& packet);

}  // namespace spidd
