// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The score of matcher.h against counters that are still growing: no tables are made, the logarithms are taken at each
// call. About 10 µs a comparison: for learning, not for every packet.
#pragma once

#include <span>
#include <vector>

#include "userspace/spid/protocol_model.h"
#include "userspace/spid/sparse_counters.h"

namespace spidd {

inline constexpr float kNothingShared = -1000.0F;  // score where flow and counters have no meter in common

// Immutable; any number of threads may use it.
class LogRatioScorer {
 public:
  // Against the background of the models of this view; provisional ones are no part of it.
  explicit LogRatioScorer(std::span<const ProtocolModel> models, View view = View::both);

  // Bits per measurement above the background.
  float score(const Fingerprint& flow, const SparseCounters& counters) const;
  // The same as if the flow had not been added to the counters before.
  float score_left_out(const Fingerprint& flow, const SparseCounters& counters) const;
  // How well the first would be taken for the second.
  float score(const SparseCounters& flow, const SparseCounters& counters) const;

 private:
  std::vector<float> background_;  // share by row
};

}  // namespace spidd
