// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From labelled flows to models. Counters only add up, so a model of a subset is the same work as a model of all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "userspace/spid/profile.h"
#include "userspace/spid/training_set.h"

namespace spidd {

struct TrainingRules {
  unsigned payload_packets = kRecordLimit;  // of a flow that are measured
  unsigned flows_per_capture = 60;          // of one label; the first ones
  unsigned flows_per_group = 20;            // of one label, spread over the group; models learn no more from one source
  unsigned min_flows = 5;                   // labels with fewer get no model
};

// Which flows of the set may be used at all under the rules: a limit per label and capture, and enough flows of a
// label.
std::vector<bool> select_flows(const TrainingSet& set, const TrainingRules& rules);

// Those of the flows for which `use` is true that models are made of: a limit per label and group.
std::vector<bool> spread_flows(const TrainingSet& set, const std::vector<bool>& use, const TrainingRules& rules);

// Fingerprints of flows, by View: of all packets of a flow that has both directions, and of those of one direction. A
// view that a flow does not have is empty.
struct FlowFingerprints {
  std::array<std::vector<Fingerprint>, 3> views;  // one a flow of the set each

  const std::vector<Fingerprint>& operator[](View view) const { return views[static_cast<std::size_t>(view)]; }
};

// What the sensor sees of a flow: both directions, or one. A direction without payload is seen if its packets are
// (`answered`): that it says nothing is a fact about the flow.
View view_of(std::span<const PayloadPacket> packets, bool answered);

// Of the flows for which `use` is true; others stay empty.
FlowFingerprints measure_flows(const TrainingSet& set, const std::vector<bool>& use, unsigned payload_packets,
                               MeterRules rules = MeterRules::corrected);

// Models of the flows for which `use` is true, of every view. `fingerprints` as measure_flows() gives them.
ModelDatabase train_models(const TrainingSet& set, const FlowFingerprints& fingerprints, const std::vector<bool>& use);

// Spreads the groups of the flows for which `use` is true over folds, so that the groups of each label go to different
// folds. Returns the fold of every group of the set.
std::vector<unsigned> folds_of_groups(const TrainingSet& set, const std::vector<bool>& use, unsigned folds);

// Sets the threshold of every model that is not a tunnel from scores that flows of its label get from models made
// without their group: the second percentile, but 0 to 0.6. `use` as select_flows() gives it, `fingerprints` of these.
// Requires: no classic profile.
void calibrate_thresholds(const TrainingSet& set, const FlowFingerprints& fingerprints, const std::vector<bool>& use,
                          const TrainingRules& rules, ModelDatabase& database, Profile profile = Profile::background);

}  // namespace spidd
