// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Scores from counts. Source: spade.md 3.1, 3.2. Pure functions.
#pragma once

#include <optional>

namespace spidd {

// P of one more observation like this: (count + 1) / (base + 1). 0 <= count <= base.
double one_more_probability(double count, double base);

// 1 - ln(count + 1) / ln(base + 1): 1 never seen, 0 always seen. Nothing if base is 0.
std::optional<double> relative_score(double count, double base);

// -log2 P, bits.
double raw_score(double probability);
// The original's units before 2002: -ln(P / ln 2).
double legacy_raw_score(double probability);

// The largest count that still reaches `threshold` as a relative score: (base + 1)^(1 - threshold) - 1.
double alerting_count(double base, double threshold);

}  // namespace spidd
