// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How right the verdicts were: figures over flows whose truth is known. Flows of one group (scenario variant, source
// environment) err together, so intervals come from drawing whole groups again (bootstrap).
//
// A flow is "known" if a model of its label existed when it was judged, else "novel". Figures are of known flows; what
// became of novel ones is told apart. Means over classes come twice: of the classes that can be known (kLeastFlows
// flows from kLeastGroups groups or more), and of all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spidd {

inline constexpr std::uint64_t kLeastFlows = 5;
inline constexpr std::uint64_t kLeastGroups = 2;

struct Outcome {
  std::string label;   // truth
  std::string family;  // truth
  bool is_tunnel = false;
  bool known = false;
  std::uint32_t group = 0;
  std::string named;   // family given, "" = none
  bool alert = false;  // tunnel category under the alert rule
  bool block = false;  // and under the block rule
};

// A share or a mean in 0..1 with the limits of its 95 % interval.
struct Figure {
  double value = 0;
  double low = 0;
  double high = 0;
};

// One row of a table: a family for names, a label for tunnels.
struct ClassFigures {
  std::string name;
  std::uint64_t flows = 0;   // known
  std::uint64_t groups = 0;  // of these flows
  std::uint64_t right = 0;   // named rightly; for tunnels: alerts
  std::uint64_t wrong = 0;   // flows of another family that were given this name; for tunnels: blocks
  double precision = 0;
  double recall = 0;
  double f1 = 0;

  bool can_be_known() const { return flows >= kLeastFlows && groups >= kLeastGroups; }
};

struct NameFigures {
  std::vector<ClassFigures> families;  // by name
  std::uint64_t known = 0;
  std::uint64_t novel = 0;
  Figure precision;      // of known flows given a name, how many have the right family
  Figure precision_all;  // the same, novel flows included: a novel flow can only be right by its family
  Figure recall;         // of known flows, how many have the right family
  Figure macro_f1;       // mean over the families that can be known
  Figure macro_f1_all;   // mean over all families of known flows
  Figure novel_named;    // of novel flows, how many were given a name
};

struct TunnelFigures {
  std::vector<ClassFigures> labels;  // by name
  std::uint64_t tunnels = 0;         // known
  std::uint64_t benign = 0;          // known and novel
  Figure alert_recall;               // mean over the tunnel labels that can be known
  Figure alert_recall_all;           // mean over all tunnel labels
  Figure alert_false;                // of benign flows
  Figure block_recall;               // as alert_recall
  Figure block_false;
};

NameFigures evaluate_names(std::span<const Outcome> outcomes, unsigned resamples = 1000);

// `excepted` is listed, but enters no mean; "" excepts none.
TunnelFigures evaluate_tunnels(std::span<const Outcome> outcomes, const std::string& excepted = "",
                               unsigned resamples = 1000);

}  // namespace spidd
