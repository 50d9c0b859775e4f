// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The highest scores of a window, and no more of them than a limit: what thresholds are taken from. Source:
// spade.md 7.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "userspace/spade/threshold_observer.h"

namespace spidd {

ScoreValue mean(ScoreValue a, ScoreValue b);

class TopScores {
 public:
  // A target asks for as many scores as it allows alerts. No window keeps more than this: 1 MiB.
  static constexpr std::uint64_t kMostKept = 65536;

  struct Entry {
    ScoreValue value;
    std::uint64_t count = 0;
  };

  // Keeps the `wanted` highest, at least; never more than kMostKept.
  explicit TopScores(std::uint64_t wanted) { want(wanted); }

  // Later scores are kept as if it had been so from the start; what was given up does not come back.
  void want(std::uint64_t wanted);
  void add(ScoreValue value, std::uint64_t count);
  void clear();

  std::uint64_t kept() const { return kept_; }
  bool empty() const { return heap_.empty(); }
  const std::vector<Entry>& entries() const { return heap_; }  // in no order

 private:
  std::uint64_t wanted_ = 0;
  std::uint64_t kept_ = 0;   // sum of the counts
  std::vector<Entry> heap_;  // lowest first
};

// The scores of several windows in one descending order.
class RankedScores {
 public:
  void add(const TopScores& window);

  // The `rank`-th highest, from 1; 0 beyond the last.
  ScoreValue at(std::uint64_t rank) const;
  // The threshold that lets `wished` through: the mean of the scores of rank `wished` and the next.
  double ideal(std::uint64_t wished) const { return mean(at(wished), at(wished + 1)).score; }
  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Descending, equal ones together.
  const std::vector<TopScores::Entry>& entries() const { return entries_; }

 private:
  std::vector<TopScores::Entry> entries_;
  std::uint64_t size_ = 0;
};

}  // namespace spidd
