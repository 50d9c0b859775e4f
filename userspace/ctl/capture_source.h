// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Labelled captures as `spidctl train` and `spidctl eval` are told of them: options that both have, and what they mean.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/command_line.h"
#include "userspace/spid/training_set.h"

namespace spidd {

// One directory of captures, and what is known about them.
struct CaptureSource {
  std::string name;
  std::string directory;
  std::string labels;    // "": the folders say the labels
  std::string manifest;  // may be ""
};

// Declares --labels, --taxonomy, --manifest, --source, --same and --category.
void declare_capture_sources(CommandLine& line);

// The words of the command line as directories; the n-th --labels, --manifest and --source are about the n-th. Without
// a name a source is named after its directory.
std::vector<CaptureSource> capture_sources(const CommandLine& line);

Result<TrainingSet> load_captures(const CommandLine& line, const CaptureSource& source,
                                  FlowRules rules = FlowRules::engine);

// Whoever measures as the original does takes its sessions, too.
inline FlowRules flow_rules(MeterRules rules, const StrictSessions::Limits& limits) {
  return {rules == MeterRules::strict, limits};
}

// What became of captures that are damaged or missing, on standard error: the first few, and how many more there are.
void print_damaged(const char* command, const TrainingSet& set);

// Each "LABEL=OTHER": flows of LABEL are trained as OTHER.
Result<void> merge_names(TrainingSet& set, const std::vector<std::string>& same);

}  // namespace spidd
