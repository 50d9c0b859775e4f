// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models of labelled flows from which flows can be taken out again: the models of one fold of a cross-validation cost
// as much as the flows of the fold, not as much as all the others.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "userspace/spid/profile.h"
#include "userspace/spid/trainer.h"

namespace spidd {

class FoldModels {
 public:
  static constexpr std::size_t kNone = ~std::size_t{0};

  // Models of the flows for which `use` is true, as train_models() makes them. The set and the fingerprints must
  // outlive this.
  FoldModels(const TrainingSet& set, const FlowFingerprints& fingerprints, std::vector<bool> use);

  // Of the flows that are in at the moment; models without a flow stay, empty. `captures` are those of all flows.
  const ModelDatabase& database() const { return database_; }

  // What train_models() makes of the flows that are used and not `out`.
  ModelDatabase without(const std::vector<bool>& out) const;

  // Requires: the flows are in, or out.
  void take_out(const std::vector<bool>& flows);
  void put_back(const std::vector<bool>& flows);

  // For each flow that is `tested` and each of its views, appends the score of the model of its own label to
  // scores_of[index of the model]: to the bit what a matcher made of database() gives. Requires: no classic profile.
  void score_own(const std::vector<bool>& tested, std::vector<std::vector<float>>& scores_of,
                 Profile profile = Profile::background) const;

  // Of database().models; kNone if there is no such model.
  std::size_t index_of(const std::string& label, Transport transport, View view) const;

  using ModelsOfFlow = std::array<std::size_t, 3>;  // index of the model of each view, or kNone

 private:
  const TrainingSet& set_;
  const FlowFingerprints& fingerprints_;
  std::vector<bool> use_;
  ModelDatabase database_;
  std::vector<ModelsOfFlow> models_of_;  // of all flows of the set
};

}  // namespace spidd
