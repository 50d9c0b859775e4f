// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How much more often than usual something is seen now: MIDAS with count-min sketches. The complement of rarity: floods
// and password guessing are frequent, hence normal to SPADE. Source: Bhatia et al., AAAI 2020 and TKDD 2022 (the
// relational and the filtering variant); spade.md 12.6. Not thread-safe; memory is fixed.
//
// A chi-square alone calls everything new a burst: a burst must also be many (`least`), and many times what is usual.
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
  std::uint32_t columns = 4096;   // a power of two; 48 bytes a column for each of the two keys: 384 KiB
  double current_decay = 0.5;     // what is left of the current counts after a tick: they are of about two ticks
  double threshold = 1000;        // score of a burst
  double least = 60;              // current count of a burst of one source
  double least_of_service = 600;  // of a service: everybody comes to work at the same time
  double times = 8;               // and so many times the usual count
  std::uint32_t warm_up = 120;    // ticks in which nothing is a burst, because nothing is usual yet
  // A burst is not added to the total: attacks do not become normal. What lasts for so many ticks does.
  std::uint32_t habit = 720;
};

struct Burst {
  double current = 0;  // about two ticks
  double usual = 0;    // in that time, as a mean of all that was learned
  double score = 0;
  bool burst = false;  // as the settings say
};

class BurstScore {
 public:
  // Requires: settings.columns is a power of two.
  BurstScore(const BurstSettings& settings, std::uint64_t seed);

  struct Bursts {
    Burst edge;     // of (source, destination, port)
    Burst service;  // of (destination, port)
  };
  // Adds the observation. Observations of an earlier tick count in the current one.
  Bursts add(const Observation& observation);

  std::size_t bytes() const { return bytes_of(settings_); }
  static std::size_t bytes_of(const BurstSettings& settings);

 private:
  struct Sketch {
    std::vector<float> current;
    std::vector<float> total;
    std::vector<std::uint32_t> held;  // ticks in a row that were not learned; the highest bit: this one is a burst
    double mass = 0;                  // of all that is current
  };
  static constexpr unsigned kRows = 4;

  void next_tick();
  Burst add(Sketch& sketch, std::uint64_t hash, float count, double least);

  BurstSettings settings_;
  std::uint64_t seed_;
  Sketch sketches_[2];
  std::int64_t tick_number_ = 0;
  double ticks_ = 0;  // 0: nothing seen
  std::uint32_t warm_ticks_ = 0;
};

}  // namespace spidd
