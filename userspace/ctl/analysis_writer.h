// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl analyze` prints of the engine's conclusions: JSON lines or table rows, and the sums of the summary.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "userspace/engine/replay.h"

namespace spidd {

// Sums over all flows, by the name in the LABEL column. Filled by the writers of all workers.
struct AnalysisSummary {
  struct Sum {
    std::string category;
    std::uint64_t flows = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t alerts = 0;
    std::uint64_t drops = 0;

    Sum& operator+=(const Sum& other);
  };
  std::map<std::string, Sum> by_label;  // of flows without a label by their class: "unknown", "undecided"

  Sum total() const;
  // Thread-safe.
  void add(const std::map<std::string, Sum>& sums);

 private:
  std::mutex mutex_;
};

enum class AnalysisForm { json, rows, sums };  // sums: nothing of the flows but the summary

// The summary must outlive the writer, which adds its share when it is destroyed.
std::unique_ptr<ReplayWriter> make_analysis_writer(AnalysisForm form, std::shared_ptr<const Policy> policy,
                                                   AnalysisSummary& summary);

std::string analysis_header();  // column titles of the rows

}  // namespace spidd
