// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts of the current tick are merged into the total when the tick ends; a cell whose score was too high gets its
// mean instead. Current counts are carried over in part, which adds the same part to the totals: means stay comparable.
#include "userspace/spade/burst.h"

#include <algorithm>
#include <array>

#include "userspace/capture/flow_hash.h"

namespace spidd {
namespace {

constexpr std::int64_t kTicksOneByOne = 16;  // after as many, next to nothing is left of a current count

}  // namespace

double midas_score(double current, double total, double tick) {
  if (tick <= 1 || total <= 0) return 0;
  const double excess = current - total / tick;
  return excess <= 0 ? 0 : excess * excess * tick * tick / (total * (tick - 1));
}

BurstScore::BurstScore(const BurstSettings& settings, std::uint64_t seed)
    : settings_(settings), seed_(fold_multiply(seed ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)) {
  for (Sketch& sketch : sketches_) {
    sketch.current.assign(std::size_t{kRows} * settings_.columns, 0);
    sketch.total = sketch.score = sketch.current;
  }
}

void BurstScore::next_tick() {
  const auto decay = static_cast<float>(settings_.current_decay);
  const auto limit = static_cast<float>(settings_.learning_threshold);
  const auto ticks = static_cast<float>(ticks_);
  for (Sketch& sketch : sketches_) {
    for (std::size_t i = 0; i < sketch.current.size(); ++i) {
      sketch.total[i] += sketch.score[i] < limit ? sketch.current[i] : sketch.total[i] / ticks;
      sketch.current[i] *= decay;
      sketch.score[i] = 0;
    }
  }
  ticks_ += 1;
}

double BurstScore::add(Sketch& sketch, std::uint64_t hash, float count) {
  std::array<std::size_t, kRows> cells;
  float current = 0;
  float total = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const std::uint64_t mixed = fold_multiply(hash ^ seed_, 0xa0761d6478bd642f + 2 * row);
    cells[row] = row * settings_.columns + (mixed & (settings_.columns - 1));
    sketch.current[cells[row]] += count;
    const float now = sketch.current[cells[row]];
    const float all = now + sketch.total[cells[row]];
    current = row == 0 ? now : std::min(current, now);
    total = row == 0 ? all : std::min(total, all);
  }
  const double score = midas_score(current, total, ticks_);
  for (const std::size_t cell : cells) sketch.score[cell] = static_cast<float>(score);
  return score;
}

double BurstScore::add(const Observation& observation) {
  const std::int64_t tick = observation.time.time_since_epoch() / settings_.tick;
  if (ticks_ == 0) {
    ticks_ = 1;
    tick_number_ = tick;
  }
  for (std::int64_t i = 0; i < kTicksOneByOne && tick_number_ < tick; ++i, ++tick_number_) next_tick();
  if (tick_number_ < tick) {
    for (Sketch& sketch : sketches_) std::fill(sketch.current.begin(), sketch.current.end(), 0.0F);
    ticks_ += static_cast<double>(tick - tick_number_);
    tick_number_ = tick;
  }

  const std::uint8_t* source = observation.source.bytes.data();
  const std::uint8_t* destination = observation.destination.bytes.data();
  const std::uint64_t port = static_cast<std::uint64_t>(observation.transport) << 16 | observation.destination_port;
  const auto count = static_cast<float>(observation.count);
  const double edge = add(sketches_[0], flow_hash(source, destination, seed_ ^ port), count);
  const double from = add(sketches_[1], flow_hash(source, source, seed_), count);
  const double to = add(sketches_[2], flow_hash(destination, destination, seed_ ^ port), count);
  return std::max({edge, from, to});
}

}  // namespace spidd
