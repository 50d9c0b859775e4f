// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How much more often than usual something is seen now: MIDAS with count-min sketches. The complement of rarity: floods
// and password guessing are frequent, hence normal to SPADE. Source: Bhatia et al., AAAI 2020 and TKDD 2022 (the
// relational and the filtering variant); spade.md 12.6. Not thread-safe; memory is fixed.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/base/time.h"
#include "userspace/capture/observation.h"

namespace spidd {

// (a - s/t)^2 t^2 / (s (t - 1)): chi-square of `current` in tick `tick` against the mean of `total`, which includes it,
// over all ticks; 0 before the second tick, if total is 0, and for what is less than usual.
double midas_score(double current, double total, double tick);

struct BurstSettings {
  Duration tick = std::chrono::seconds(5);
  std::uint32_t columns = 16384;     // a power of two; 48 bytes a column for each of the three keys: 2.25 MiB
  double current_decay = 0.5;        // what is left of the current counts after a tick
  double learning_threshold = 1000;  // what scores higher is not added to the total: attacks do not become normal
};

class BurstScore {
 public:
  // Requires: settings.columns is a power of two.
  BurstScore(const BurstSettings& settings, std::uint64_t seed);

  // Adds the observation and gives the highest score of its (source, destination, port), its source, and its
  // (destination, port). Observations of an earlier tick count in the current one.
  double add(const Observation& observation);

 private:
  struct Sketch {
    std::vector<float> current;
    std::vector<float> total;
    std::vector<float> score;  // of the last add in the tick, for the filter
  };
  static constexpr unsigned kRows = 4;

  void next_tick();
  double add(Sketch& sketch, std::uint64_t hash, float count);

  BurstSettings settings_;
  std::uint64_t seed_;
  Sketch sketches_[3];
  std::int64_t tick_number_ = 0;  // 0: nothing seen
  double ticks_ = 0;
};

}  // namespace spidd
