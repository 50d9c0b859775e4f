// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Pictures of an evaluation as SVG, to stand in a page: colours are the page's (CSS classes), text is escaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/ctl/eval_report.h"

namespace spidd {

// & < > " ' as entities, control characters as spaces.
std::string html_escaped(std::string_view text);

// A row for every family, a column for every name given; the darker a cell, the larger its share of the row. Classes
// "right" and "wrong".
std::string confusion_picture(const std::vector<ConfusionCell>& cells);

// How far the scores of a label's flows are from those of the best other family. Classes "own" and "rival".
std::string score_picture(const ScoreReport& scores);

// Which of the bins of score_picture() a score falls into: half bits wide, the outer ones take the rest.
inline constexpr std::size_t kScoreBins = 24;
std::size_t score_bin(float score);

}  // namespace spidd
