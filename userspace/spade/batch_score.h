// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How many of a number of equal packets are over a threshold, as if they had come one by one (spade.md 12.2): each of
// them makes the next one more normal.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "userspace/spade/detector.h"

namespace spidd {

struct BatchScore {
  std::uint32_t insufficient = 0;  // too few observations: the first so many
  std::uint32_t over = 0;          // over the threshold
  Detector::Score top;             // of the first that is over
};

// Below 0 a threshold is never reached.
inline bool is_over(const ScoreValue& value, const ScoreValue& threshold) {
  return threshold.score >= 0 && value >= threshold;
}

// Of `count` packets, how many come before there are `minimum` observations with the next one.
inline std::uint32_t packets_missing(double minimum, double have, std::uint32_t count, bool grows) {
  const double missing = minimum - 1 - have;
  if (minimum <= 0 || missing <= 0) return 0;
  return grows && missing < count ? static_cast<std::uint32_t>(std::ceil(missing)) : count;
}

// `grows`: each packet is recorded before the next one is scored. `feed(ScoreValue, count)` gets the scores, in order;
// of many packets neighbours together, with the score of the middle one.
template <class Feed>
BatchScore score_batch(const Detector& detector, const Detector::Counts& counts, std::uint32_t count, bool grows,
                       const ScoreValue& threshold, Feed&& feed) {
  BatchScore batch;
  const DetectorSettings& settings = detector.settings();
  batch.insufficient =
      std::max(packets_missing(settings.min_observations, counts.first->at[detector.gate_level()], count, grows),
               packets_missing(settings.min_observations_destination, counts.first->at[1], count, grows));
  if (batch.insufficient == count) return batch;

  std::uint32_t next = batch.insufficient;
  const auto score = [&](std::uint32_t i) { return detector.score(counts, grows ? i : 0); };
  std::optional<Detector::Score> first = score(next);
  if (!grows || count - next == 1) {
    if (!first) return batch;
    feed(first->value, count - next);
    if (is_over(first->value, threshold)) batch.over = count - next;
    batch.top = *first;
    return batch;
  }

  // Scores fall from packet to packet, but for the very first: it can be undefined, or normal where nothing is known of
  // its destination (D1).
  if (!first || !is_over(first->value, threshold)) {
    const std::optional<Detector::Score> second = score(next + 1);
    if (!second) return batch;
    if (!first || is_over(second->value, threshold)) {
      if (first) feed(first->value, 1);
      first = second;
      next++;
    }
  }
  batch.top = *first;
  if (is_over(first->value, threshold)) {
    std::uint32_t over = 1;
    std::uint32_t not_over = count - next + 1;
    while (not_over - over > 1) {
      const std::uint32_t middle = over + (not_over - over) / 2;
      (is_over(score(next + middle - 1)->value, threshold) ? over : not_over) = middle;
    }
    batch.over = over;
  }
  constexpr std::uint32_t kSingly = 4;
  for (std::uint32_t done = 0; done < count - next;) {
    const std::uint32_t size = done < kSingly ? 1 : std::min(done, count - next - done);
    feed(score(next + done + (size - 1) / 2)->value, size);
    done += size;
  }
  return batch;
}

}  // namespace spidd
