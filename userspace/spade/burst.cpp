// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts of the current tick are merged into the total when the tick ends; a cell that is in a burst gets its mean
// instead. Current counts are carried over in part, which adds the same part to the totals: means stay comparable.
// A count is the least of its cells, less what an average cell holds: in a flood of random keys all cells are full.
#include "userspace/spade/burst.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "userspace/capture/flow_hash.h"

namespace spidd {
namespace {

constexpr std::int64_t kTicksOneByOne = 16;  // after as many, next to nothing is left of a current count
constexpr double kMostTicks = 240'000;       // then the past counts half: two weeks of 5 seconds
constexpr std::uint32_t kInBurst = 1U << 31;

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
    sketch.total = sketch.current;
    sketch.held.assign(sketch.current.size(), 0);
  }
}

void BurstScore::next_tick() {
  const auto decay = static_cast<float>(settings_.current_decay);
  const auto ticks = static_cast<float>(ticks_);
  const float past = ticks_ < kMostTicks ? 1.0F : 0.5F;
  for (Sketch& sketch : sketches_) {
    for (std::size_t i = 0; i < sketch.current.size(); ++i) {
      std::uint32_t& held = sketch.held[i];
      const bool hold = (held & kInBurst) != 0 && (held & ~kInBurst) < settings_.habit;
      held = hold ? (held & ~kInBurst) + 1 : (held & kInBurst) != 0 ? held & ~kInBurst : 0;
      sketch.total[i] = past * (sketch.total[i] + (hold ? sketch.total[i] / ticks : sketch.current[i]));
      sketch.current[i] *= decay;
    }
    sketch.mass *= settings_.current_decay;
  }
  ticks_ = past * (ticks_ + 1);
}

Burst BurstScore::add(Sketch& sketch, std::uint64_t hash, float count, double least) {
  std::array<std::size_t, kRows> cells;
  float current = 0;
  float total = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const std::uint64_t mixed = fold_multiply(hash ^ seed_, 0xa0761d6478bd642f + 2 * row);
    cells[row] = row * settings_.columns + (mixed & (settings_.columns - 1));
    float& cell = sketch.current[cells[row]];
    cell += count;
    current = row == 0 ? cell : std::min(current, cell);
    total = row == 0 ? sketch.total[cells[row]] : std::min(total, sketch.total[cells[row]]);
  }
  sketch.mass += count;
  Burst burst;
  burst.current = std::max<double>(count, current - (sketch.mass - current) / settings_.columns);
  burst.usual = ticks_ > 1 ? total / (ticks_ - 1) : 0;
  burst.score = midas_score(burst.current, burst.current + total, ticks_);
  burst.burst = warm_ticks_ >= settings_.warm_up && burst.current + 0.5 >= least &&
                burst.current >= settings_.times * burst.usual && burst.score >= settings_.threshold;
  if (burst.burst)
    for (const std::size_t cell : cells) sketch.held[cell] |= kInBurst;
  return burst;
}

BurstScore::Bursts BurstScore::add(const Observation& observation) {
  const std::int64_t tick = observation.time.time_since_epoch() / settings_.tick;
  if (ticks_ == 0) {
    ticks_ = 1;
    tick_number_ = tick;
  }
  if (tick_number_ < tick)
    warm_ticks_ =
        static_cast<std::uint32_t>(std::min<std::int64_t>(warm_ticks_ + (tick - tick_number_), settings_.warm_up));
  for (std::int64_t i = 0; i < kTicksOneByOne && tick_number_ < tick; ++i, ++tick_number_) next_tick();
  if (tick_number_ < tick) {
    for (Sketch& sketch : sketches_) {
      std::fill(sketch.current.begin(), sketch.current.end(), 0.0F);
      sketch.mass = 0;
    }
    ticks_ = std::min(ticks_ + static_cast<double>(tick - tick_number_), kMostTicks);
    tick_number_ = tick;
  }

  const std::uint8_t* source = observation.source.bytes.data();
  const std::uint8_t* destination = observation.destination.bytes.data();
  const std::uint64_t port = static_cast<std::uint64_t>(observation.transport) << 16 | observation.destination_port;
  const auto count = static_cast<float>(observation.count);
  return {add(sketches_[0], flow_hash(source, destination, seed_ ^ port), count, settings_.least),
          add(sketches_[1], flow_hash(destination, destination, seed_ ^ port), count, settings_.least_of_service)};
}

std::size_t BurstScore::bytes_of(const BurstSettings& settings) {
  constexpr std::size_t kSketches = std::extent_v<decltype(sketches_)>;
  return kSketches * kRows * settings.columns * (2 * sizeof(float) + sizeof(std::uint32_t));
}

}  // namespace spidd
