// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What adapters, advisers and surveys have in common: they watch one detector's scores and the clock. Source: spade.md
// 7.1. One object a detector and setting; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/settings.h"

namespace spidd {

// A score as adapters see it. Ties of the score (all first-seen keys score 1.0) are ordered by raw bits, so that a
// target can be met (7.5): a packet is over a threshold if (score, bits) >= (threshold.score, threshold.bits).
struct ScoreValue {
  double score = 0;
  double raw_bits = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the zero of an ordering for a pointer.
  auto operator<=>(const ScoreValue&) const = default;
};

// Totals of the engine that periods are measured by.
struct ScoreClock {
  std::int64_t second = 0;          // packet time, Unix
  std::uint64_t total_packets = 0;  // seen by SPADE
  std::uint64_t scored = 0;         // by this detector
};

class ThresholdAdapter {
 public:
  virtual ~ThresholdAdapter() = default;

  // On every new packet second, before the packets of that second are scored; a threshold if it changed.
  virtual std::optional<ScoreValue> tick(const ScoreClock& clock, ScoreValue current) = 0;
  // Every scored packet with enough observations, excluded and later cancelled ones too. `count`: equal ones.
  virtual void add(ScoreValue value, std::uint32_t count, const ScoreClock& clock) = 0;
  // By-count adaptation after a packet (7.1): a threshold if it is due.
  virtual std::optional<ScoreValue> after_packet(const ScoreClock& clock, ScoreValue current) = 0;
  // Of what was added, at once or later, `count` became an alert: a threshold if that was the last one wished.
  virtual std::optional<ScoreValue> reported(ScoreValue value, std::uint32_t count, ScoreValue current) = 0;

  // While as many as wished were reported, so that another threshold is in force until the next adaptation: the one
  // that was in force before.
  virtual std::optional<ScoreValue> held() const { return std::nullopt; }

  // History as numbers, for the state file; restore() refuses what save() of the same kind of adapter cannot have
  // written. A history that is longer than the settings ask for loses its beginning; periods of another length are
  // converted.
  virtual std::vector<double> save() const = 0;
  virtual Result<> restore(std::span<const double> state) = 0;
};

// `profile` decides D10 to D12 (spade.md 9) and whether ties are broken.
std::unique_ptr<ThresholdAdapter> make_adapter(const AdapterSettings& settings, SpadeProfile profile);
const std::string& adapter_detector(const AdapterSettings& settings);

}  // namespace spidd
