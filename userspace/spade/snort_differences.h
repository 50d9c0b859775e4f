// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What an administrator who knew the original should know: where Spade v030125.1 did not do what these settings say,
// and spidd does. Source: spade.md 9. One sentence each, only those that these settings make matter.
#pragma once

#include <string>
#include <vector>

#include "userspace/spade/settings.h"

namespace spidd {

std::vector<std::string> differences_from_original(const SpadeSettings& settings);

}  // namespace spidd
