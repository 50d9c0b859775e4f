// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl train` learns from, by its options: trees and tables of labelled captures, captures with a filter and a
// label, or a flow of the running daemon.
#pragma once

#include <string>
#include <vector>

#include "userspace/ctl/capture_source.h"

namespace spidd {

// The flows of one directory (or capture, with --label): those before `flows_end` that are of no source before.
struct SourceFlows {
  std::string name;
  std::size_t flows_end = 0;
};

// `existing`: the models that will be added to; labels that they have keep their family and category, and it is an
// error to say another.
Result<TrainingSet> load_training(const CommandLine& line, const ModelDatabase& existing, FlowRules rules,
                                  std::vector<SourceFlows>& sources);

// --from-flow: one model of one flow.
Result<ModelDatabase> learn_live_flow(const CommandLine& line, const std::string& socket_path,
                                      const ModelDatabase& existing);

// A row (TSV) for every label and transport: what its models were made of, and how many flows each source gave.
Result<void> write_provenance(const std::string& path, const ModelDatabase& learned, const TrainingSet& set,
                              const std::vector<bool>& use, const std::vector<SourceFlows>& sources);

}  // namespace spidd
