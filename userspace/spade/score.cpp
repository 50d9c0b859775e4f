// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Scores from counts: the formulas of spade.md 3.1 and 3.2.
#include "userspace/spade/score.h"

#include <cmath>
#include <numbers>

namespace spidd {

double one_more_probability(double count, double base) { return (count + 1) / (base + 1); }

std::optional<double> relative_score(double count, double base) {
  if (!(base > 0)) return std::nullopt;
  if (count == 0) return 1;  // in a flood nearly all, and what the formula says
  return 1 - std::log(count + 1) / std::log(base + 1);
}

double raw_score(double probability) { return -std::log2(probability); }

double legacy_raw_score(double probability) { return -std::log(probability / std::numbers::ln2); }

double alerting_count(double base, double threshold) { return std::pow(base + 1, 1 - threshold) - 1; }

}  // namespace spidd
