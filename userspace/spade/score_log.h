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
#include "userspace/spade/spade_state.h"

namespace spidd {

// Packets, and a paragraph for every detector.
std::string detector_log(const SpadeStatistics& statistics);

// What is asked for needs the entries of tables.
inline bool is_wanted(const StatisticsSettings& statistics) {
  return statistics.entropy || statistics.unconditional || statistics.conditional;
}

// "spade-stats" of one table as a snapshot has it: entropies, probabilities, conditional probabilities. Addresses are
// written as addresses; the profile 030125 writes IPv4 as numbers, as the original does. Of each list at most
// `most_lines` lines. Takes time in proportion to the table.
std::string table_log(const SpadeState::Table& table, const StatisticsSettings& wanted, SpadeProfile profile,
                      std::size_t most_lines = 100000);

// What stands before the tables, in the original's order: detectors, advisers.
std::string score_log(const SpadeStatistics& statistics, std::span<const ThresholdAdviser* const> advisers);

}  // namespace spidd
