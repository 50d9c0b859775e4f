// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Figures of an evaluation, put together once and then written as text, JSON or a page.
#pragma once

#include <string>
#include <vector>

#include "userspace/ctl/eval_run.h"

namespace spidd {

// One part at one moment.
struct MomentReport {
  std::string part;
  unsigned moment = kFinal;
  NameFigures families;
  NameFigures labels;
  NameFigures nearest;
  TunnelFigures tunnels;
  TunnelFigures without_ssh;  // ssh-tunnel: 20 packets do not tell it from ssh
  std::vector<ConfusionCell> confusion;
  double false_blocks_a_day = 0;
  double most_false_blocks_a_day = 0;  // with the upper limit of the share
};

// What became of the flows of a label that no model had.
struct StrangerRow {
  std::string label;
  bool is_tunnel = false;
  std::uint64_t flows = 0;
  std::uint64_t named = 0;
  std::uint64_t right = 0;   // named after their family: a sibling was trained
  std::uint64_t alerts = 0;  // named as a tunnel
  std::uint64_t blocks = 0;
};

struct StrangerReport {
  unsigned moment = kFinal;
  std::vector<StrangerRow> labels;
  StrangerRow plain;    // sum of the labels that are no tunnels
  StrangerRow tunnels;  // and of those that are
};

// Scores at all packets of the flows of a label.
struct ScoreReport {
  std::string label;
  std::vector<float> own;
  std::vector<float> rival;
};

struct EvalReport {
  std::string method;                    // in words
  std::vector<MomentReport> moments;     // by part, then moment
  std::vector<MomentReport> with_local;  // of the same flows
  std::size_t learned_locally = 0;
  std::vector<StrangerReport> strangers;  // by moment
  std::vector<ModelFigures> models;
  std::vector<ScoreReport> scores;
  std::size_t flows_in_use = 0;
  double flows_per_day = 0;
  double seconds = 0;
};

EvalReport make_report(const EvalInput& input, const EvalSettings& settings, EvalRun run, double flows_per_day);

// `details`: a row for every family, label and tunnel label.
void print_report(const EvalInput& input, const EvalReport& report, bool details);

}  // namespace spidd
