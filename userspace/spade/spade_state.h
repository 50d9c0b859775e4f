// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE keeps over a restart, as plain data: filled by Spade, written and read by state_file.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/spade/incident_case.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/settings.h"
#include "userspace/spade/threshold_observer.h"

namespace spidd {

struct SpadeState {
  // One table; what it means is its conditions and features, so that a table is found again whatever decay is
  // configured now (2.1).
  struct Table {
    std::string conditions;  // Spade::TableView
    std::vector<Feature> features;
    Decay decay;  // with which the counts came about
    std::int64_t start_second = ProbabilityTable::kNoSecond;
    std::int64_t last_scaled_second = ProbabilityTable::kNoSecond;
    double total = 0;
    // From a file: parents before their children, `id` counts from 1.
    std::vector<ProbabilityTable::Stored> entries;
  };
  struct Threshold {
    std::string detector;  // id
    ScoreValue value;
    std::string scores;  // Detector::score_kind(); nothing: not known
  };
  // Of an adapter; `name` says of which. Advisers and surveys begin anew.
  struct History {
    std::string name;
    std::vector<double> values;
  };

  std::int64_t second = ProbabilityTable::kNoSecond;  // packet clock
  std::vector<Table> tables;
  std::vector<Threshold> thresholds;
  std::vector<History> histories;
  OpenIncidents incidents;
};

}  // namespace spidd
