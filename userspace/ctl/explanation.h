// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Why a flow is nearer to one model than to another: what each meter adds to both scores. Pure, for `spidctl explain`.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "userspace/daemon/settled_answer.h"
#include "userspace/spid/matcher.h"

namespace spidd {

struct Explanation {
  struct Side {
    std::uint16_t model = kNoModel;
    double score = 0;       // as the matcher has it; the sum of the parts
    double divergence = 0;  // of the original
    std::array<float, kMeterCount> parts{};
  };
  Side best;
  Side second;                   // of another family; no model if there is none
  std::vector<unsigned> meters;  // that measured something, by what they add to the difference, most first

  // For the better model; against zero if there is only one.
  double difference(unsigned meter) const {
    return static_cast<double>(best.parts[meter]) - static_cast<double>(second.parts[meter]);
  }
};

// `against`: label to compare the best model with; "" = the best of another family. `database` is what the matcher was
// built from.
Result<Explanation> explain_flow(const Matcher& matcher, const ModelDatabase& database, const MeasuredFlow& flow,
                                 const std::string& against);

std::string explanation_text(const Explanation& explanation, const Matcher& matcher, const MeasuredFlow& flow);
nlohmann::ordered_json explanation_json(const Explanation& explanation, const Matcher& matcher,
                                        const MeasuredFlow& flow);

}  // namespace spidd
