// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/top_scores.h"

#include <algorithm>

namespace spidd {
namespace {

bool higher(const TopScores::Entry& a, const TopScores::Entry& b) { return a.value > b.value; }

}  // namespace

void TopScores::want(std::uint64_t wanted) { wanted_ = std::min(std::max<std::uint64_t>(wanted, 1), kMostKept); }

void TopScores::add(ScoreValue value, std::uint64_t count) {
  if (count == 0) return;
  // More than that of equal ones is never asked for.
  count = std::min(count, kMostKept);
  if (kept_ >= wanted_ && value <= heap_.front().value) return;
  heap_.push_back({value, count});
  std::push_heap(heap_.begin(), heap_.end(), higher);
  kept_ += count;
  while (heap_.size() > 1 && kept_ - heap_.front().count >= wanted_) {
    kept_ -= heap_.front().count;
    std::pop_heap(heap_.begin(), heap_.end(), higher);
    heap_.pop_back();
  }
}

void TopScores::clear() {
  heap_.clear();
  kept_ = 0;
}

void RankedScores::add(const TopScores& window) {
  entries_.insert(entries_.end(), window.entries().begin(), window.entries().end());
  std::sort(entries_.begin(), entries_.end(), higher);
  size_ += window.kept();
}

ScoreValue RankedScores::at(std::uint64_t rank) const {
  for (const TopScores::Entry& entry : entries_) {
    if (rank <= entry.count) return entry.value;
    rank -= entry.count;
  }
  return {};
}

ScoreValue mean(ScoreValue a, ScoreValue b) {
  return {a.score + (b.score - a.score) / 2, a.raw_bits + (b.raw_bits - a.raw_bits) / 2};
}

}  // namespace spidd
