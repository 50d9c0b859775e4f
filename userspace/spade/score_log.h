// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The content of SPADE's log file: what the detectors did since the start, what advisers say, what tables hold. Source:
// spade.md 7.8, 7.9. Pure functions of what is asked of Spade.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "userspace/spade/adviser.h"
#include "userspace/spade/settings.h"
#include "userspace/spade/spade.h"

namespace spidd {

// Packets, and a paragraph for every detector.
std::string detector_log(const SpadeStatistics& statistics);

// "spade-stats" of one table: entropies, probabilities, conditional probabilities. Addresses are written as addresses;
// the profile 030125 writes IPv4 as numbers, as the original does. Of each list at most `most_lines` lines.
std::string table_log(const Spade::TableView& view, const StatisticsSettings& wanted, SpadeProfile profile,
                      std::size_t most_lines = 100000);

// All of it, in the original's order: detectors, advisers, tables.
std::string score_log(const SpadeStatistics& statistics, std::span<const ThresholdAdviser* const> advisers,
                      std::span<const Spade::TableView> tables, const StatisticsSettings& wanted, SpadeProfile profile);

}  // namespace spidd
