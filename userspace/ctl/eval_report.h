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
  TunnelFigures without_ssh;                   // ssh-tunnel: 20 packets do not tell it from ssh
  std::vector<ConfusionCell> confusion;        // of families
  std::vector<ConfusionCell> label_confusion;  // of labels
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

// Labels that are no tunnels, or those that are: shares of their flows, and means over the labels of these shares,
// kNothing if there are none.
struct StrangerSums {
  StrangerRow flows;
  std::uint64_t labels = 0;
  double named = kNothing;
  double right = kNothing;
  double alerts = kNothing;
  double blocks = kNothing;
};

struct StrangerReport {
  unsigned moment = kFinal;
  std::vector<StrangerRow> labels;
  StrangerSums plain;
  StrangerSums tunnels;
};

// Scores at all packets of the flows of a label.
struct ScoreReport {
  std::string label;
  std::vector<float> own;
  std::vector<float> rival;
};

// What the figures of a part lose without a meter: differences of shares, positive where the meter does harm to
// accuracy, macro F1 or recall, or where it prevents false alerts.
struct AblationRow {
  std::string meter;
  Figure accuracy;
  Figure macro_f1;
  Figure alert_recall;
  Figure alert_false;
};

struct AblationReport {
  std::string part;
  unsigned moment = kFinal;
  std::vector<AblationRow> meters;  // that are scored
};

struct EvalReport {
  std::string method;                    // in words
  std::vector<MomentReport> moments;     // by part, then moment
  std::vector<MomentReport> with_local;  // of the same flows
  std::size_t learned_locally = 0;
  std::vector<StrangerReport> strangers;  // by moment
  std::vector<AblationReport> ablation;   // by part, then moment
  std::vector<ModelFigures> models;
  std::vector<ScoreReport> scores;
  std::size_t flows_in_use = 0;
  double flows_per_day = 0;
  double seconds = 0;
};

EvalReport make_report(const EvalInput& input, const EvalSettings& settings, const EvalRun& run, double flows_per_day);

// One object on standard output. Names do not change without a note in the changelog.
void print_json_report(const EvalInput& input, const EvalReport& report);

// One page that needs nothing but itself.
std::string html_report(const EvalInput& input, const EvalReport& report);

// A table (TSV) with a row for every flow that was judged: what it is, and what it was taken for at each moment.
std::string verdict_table(const EvalInput& input, const std::vector<JudgedFlow>& judged);

// `details`: a row for every family, label and tunnel label.
void print_report(const EvalInput& input, const EvalReport& report, bool details);

}  // namespace spidd
