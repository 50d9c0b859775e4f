// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Threshold random walk: does a source that contacts hosts for the first time know where it is going? Source: Jung,
// Paxson, Berger, Balakrishnan 2004; spade.md 11.2, 12.7.4. Every first contact moves the walk: up if it fails, down if
// it succeeds; at the upper end the source is a scanner.
//
// Two departures. The walk does not end at "benign" but is held kFloorSteps below the start, because a host that was
// good for a year may be infected today. And a step can be taken back, because a late answer is an answer.
#pragma once

#include <algorithm>
#include <cstdint>

namespace spidd {

class ThresholdRandomWalk {
 public:
  // theta0 = 0.8, theta1 = 0.2: both steps are ln 4. alpha = beta = 0.01: the upper end is ln 99 = 3.31 steps.
  static constexpr int kFloorSteps = -2;
  static constexpr int kScannerSteps = 4;

  void failure() { steps_ = static_cast<std::int16_t>(std::min(steps_ + 1, kMostSteps)); }
  void success() { steps_ = static_cast<std::int16_t>(std::max(steps_ - 1, kFloorSteps)); }
  // What was called a failure was a success.
  void answered_late() {
    success();
    success();
  }
  bool scanner() const { return steps_ >= kScannerSteps; }
  int steps() const { return steps_; }

 private:
  static constexpr int kMostSteps = 1000;
  std::int16_t steps_ = 0;
};

}  // namespace spidd
