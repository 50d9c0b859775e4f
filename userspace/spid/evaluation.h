// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How right the verdicts were: figures over flows whose truth is known. Flows of one group (scenario variant, source
// environment) err together, so intervals come from drawing whole groups again (bootstrap).
//
// A flow is "known" if a model of its label existed when it was judged, else "novel". Figures are of known flows; what
// became of novel ones is told apart. Means over classes come twice: of the classes that can be known (kLeastFlows
// flows from kLeastGroups groups or more), and of all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace spidd {

inline constexpr std::uint64_t kLeastFlows = 5;
inline constexpr std::uint64_t kLeastGroups = 2;

struct Outcome {
  std::string label;       // truth
  std::string trained_as;  // the label it is trained as, where two names mean one protocol
  std::string family;      // truth
  bool is_tunnel = false;
  bool known = false;
  std::uint32_t group = 0;
  std::uint32_t capture = 0;
  std::string named;        // family given, "" = none
  std::string named_label;  // label given, "" = none
  std::string nearest;      // label of the nearest model, however far it is; "" if there is none to compare with
  bool alert = false;       // tunnel category under the alert rule
  bool block = false;       // and under the block rule
  float lead = 0;           // of the best tunnel over the best other model, bits
};

// What is taken for the name of a flow.
enum class NameLevel {
  family,  // what the engine says
  label,   // the finer name that it says
  nearest  // the label of the nearest model, whatever the thresholds
};

// A share or a mean in 0..1 with the limits of its 95 % interval. All of them kNothing (no number) where there was
// nothing to measure.
inline constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
struct Figure {
  double value = 0;
  double low = 0;
  double high = 0;
  // What it is for each set of groups that was drawn, kNothing for sets without any of what it is of; the sets are the
  // same for all figures of the same flows.
  std::vector<double> drawn{};
};

// By how much `changed` is above `figure`. Flows are compared with themselves, so the interval is narrower than those
// of the two. Requires: both are of the same flows, in the same order, with as many resamples.
Figure difference(const Figure& changed, const Figure& figure);

// One row of a table: a family or label for names, a label for tunnels.
struct ClassFigures {
  std::string name;
  std::uint64_t flows = 0;   // known
  std::uint64_t groups = 0;  // of these flows
  std::uint64_t captures = 0;
  std::uint64_t right = 0;  // named rightly; for tunnels: alerts
  std::uint64_t wrong = 0;  // flows of another name that were given this one; for tunnels: blocks
  double precision = 0;     // kNothing if no flow was given the name
  double recall = 0;
  double f1 = 0;

  bool can_be_known() const { return flows >= kLeastFlows && groups >= kLeastGroups; }
};

struct NameFigures {
  std::vector<ClassFigures> classes;  // by name
  std::uint64_t known = 0;
  std::uint64_t novel = 0;
  Figure precision;      // of known flows given a name, how many have the right one
  Figure precision_all;  // the same, novel flows included: a novel flow can only be right by its family
  Figure accuracy;       // of known flows, how many have the right name; none is wrong
  Figure macro_f1;       // mean over the classes that can be known
  Figure macro_f1_all;   // mean over all classes of known flows
  Figure novel_named;    // of novel flows, how many were given a name
};

// A label that is no tunnel, and its flows that were taken for one.
struct FalseFigures {
  std::string label;
  std::uint64_t flows = 0;
  std::uint64_t alerts = 0;
  std::uint64_t blocks = 0;
};

struct TunnelFigures {
  std::vector<ClassFigures> labels;      // by name
  std::vector<FalseFigures> false_ones;  // labels with an alert or block, most alerts first
  std::uint64_t tunnels = 0;             // known
  std::uint64_t benign = 0;              // known and novel
  std::uint64_t false_alerts = 0;
  std::uint64_t false_blocks = 0;
  Figure alert_recall;      // mean over the tunnel labels that can be known
  Figure alert_recall_all;  // mean over all tunnel labels
  Figure alert_flows;       // of all tunnel flows
  Figure alert_false;       // of benign flows
  Figure block_recall;      // as alert_recall
  Figure block_flows;
  Figure block_false;
  // Both kNothing without tunnels or without benign flows.
  double area = kNothing;         // under the ROC curve of the lead: a tunnel flow leads by more than a benign one
  double false_at_95 = kNothing;  // share of benign flows at the lead that 95 % of the tunnel flows have (labels weigh
                                  // the same)
};

NameFigures evaluate_names(std::span<const Outcome> outcomes, NameLevel level = NameLevel::family,
                           unsigned resamples = 1000);

// `excepted` is listed, but enters no mean; "" excepts none.
TunnelFigures evaluate_tunnels(std::span<const Outcome> outcomes, const std::string& excepted = "",
                               unsigned resamples = 1000);

// How often flows of one name were given another.
struct ConfusionCell {
  std::string truth;
  std::string named;  // "" = none
  std::uint64_t flows = 0;
  std::uint64_t captures = 0;

  bool right() const { return truth == named; }
};

// Of known flows; cells that are not empty, by truth and name.
std::vector<ConfusionCell> confusion_of(std::span<const Outcome> outcomes, NameLevel level = NameLevel::family);

// The cells that are wrong, most flows first.
std::vector<ConfusionCell> worst_confusions(std::vector<ConfusionCell> cells, std::size_t most);

// Upper limit of a share of which `hits` of `trials` were seen: the largest that makes so few hits no rarer than 5 %
// (Clopper and Pearson 1934, one-sided). Of 0 in n about 3/n. 1 if there were no trials.
double upper_limit(std::uint64_t hits, std::uint64_t trials);

}  // namespace spidd
