// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Why a flow is named as it is, or has no name: the model that it is named after or that came nearest to it, what that
// had to reach, and what each meter adds to its score and to that of the model it is compared with. Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "userspace/engine/classification.h"

namespace spidd {

// What was measured of the flow.
struct FlowToExplain {
  Transport transport = Transport::tcp;
  View view = View::both;
  const Fingerprint& fingerprint;
  RuledOut ruled_out;
};

struct Explanation {
  struct Side {
    std::uint16_t model = kNoModel;
    double score = 0;       // as the matcher has it; the sum of the parts
    double divergence = 0;  // of the original
    std::array<float, kMeterCount> parts{};
  };
  Candidate standing;
  VerdictClass verdict_class = VerdictClass::unknown;  // by the scores alone: label, tunnel or unknown
  std::string reason;                                  // for people, why the candidate holds or does not
  Side best;                                           // the candidate
  Side second;  // what stands in its way, else the nearest of another family; no model if there is none
  std::vector<unsigned> meters;  // that measured something, by what they add to the difference, most first

  // For the better model; against zero if there is only one.
  double difference(unsigned meter) const {
    return static_cast<double>(best.parts[meter]) - static_cast<double>(second.parts[meter]);
  }
};

// How the models compare with the flow.
struct Comparison {
  std::vector<Matcher::Score> scores;
  Match match;
};

// `against`: label to compare the candidate with; "" = as said above. `comparison`: what the verdict rests on if it is
// not the models of the flow's transport and view.
Result<Explanation> explain_flow(const Matcher& matcher, const ClassificationRules& rules, const FlowToExplain& flow,
                                 const std::string& against, const Comparison* comparison = nullptr);

}  // namespace spidd
