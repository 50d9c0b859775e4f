// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The captures that `spidctl eval` judges: one or more sets of labelled flows, put together.
#pragma once

#include <string>
#include <vector>

#include "userspace/ctl/capture_source.h"

namespace spidd {

// What a flow is, whatever label it is trained as.
struct Truth {
  std::string label;
  bool is_tunnel = false;
};

struct EvalInput {
  struct Part {
    std::string name;
    std::size_t flows_end = 0;  // the part's flows end here; they begin where those of the part before end
    std::size_t flows = 0;
    std::size_t captures = 0;
    std::size_t groups = 0;
    LabelLosses losses;
  };

  TrainingSet set;  // all parts, names of one protocol made one, single variants split
  std::vector<Part> parts;
  std::vector<Truth> truths;  // of each flow

  // Number of the part, parts.size() if there is none of that name.
  std::size_t part_named(const std::string& name) const;
  std::size_t part_of(std::size_t flow) const;
};

// Declares the options that say where captures and labels are.
void declare_eval_input(CommandLine& line);

// "NAME:DIR", "NAME:DIR:LABELS" or "NAME:DIR:LABELS:MANIFEST".
Result<CaptureSource> parse_eval_source(const std::string& text);

Result<EvalInput> load_eval_input(const CommandLine& line);

// Puts a loaded set behind the others.
void add_part(EvalInput& input, const std::string& name, TrainingSet set);

}  // namespace spidd
