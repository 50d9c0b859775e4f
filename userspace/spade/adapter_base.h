// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the three adapters share: periods, the window of scores since the last adaptation, when to adapt, and what to do
// where ties make the target unreachable. Source: spade.md 7.1, 7.5.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "userspace/spade/threshold_observer.h"
#include "userspace/spade/top_scores.h"

namespace spidd {

// Numbers of a saved history, in order.
class HistoryReader {
 public:
  explicit HistoryReader(std::span<const double> numbers) : numbers_(numbers) {}

  // The next number; if there is none or it is not in [lowest, highest], ok() is false from then on.
  double next(double lowest, double highest);
  std::uint64_t next_count(std::uint64_t highest);  // a whole number
  double next_score();
  // As many as the next number says; the last `kept` of them.
  std::deque<double> next_scores(std::size_t kept);
  bool ok() const { return ok_; }
  bool at_end() const { return at_ == numbers_.size(); }

 private:
  std::span<const double> numbers_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

class AdapterBase : public ThresholdAdapter {
 public:
  std::optional<ScoreValue> tick(const ScoreClock& clock, ScoreValue current) final;
  void add(ScoreValue value, std::uint32_t count, const ScoreClock& clock) final;
  std::optional<ScoreValue> after_packet(const ScoreClock& clock, ScoreValue current) final;
  std::optional<ScoreValue> reported(ScoreValue value, std::uint32_t count, ScoreValue current) final;
  std::optional<ScoreValue> held() const final { return held_; }
  std::vector<double> save() const final;
  Result<> restore(std::span<const double> state) final;

 protected:
  // `wished`: alerts a window until the first period is over.
  AdapterBase(double period_seconds, bool by_count, SpadeProfile profile, std::uint64_t wished);

  // Alerts a window, when a period has `scored` scores on average.
  virtual std::uint64_t wished_of(double scored) const = 0;
  // The new threshold after a window that is not empty.
  virtual double adapt(const TopScores& window, double current) = 0;
  virtual void save_history(std::vector<double>& numbers) const = 0;
  virtual void restore_history(HistoryReader& reader) = 0;
  virtual void forget_history() = 0;

  std::uint64_t wished() const { return wished_; }
  SpadeProfile profile() const { return profile_; }
  // How many scores a window keeps: more than are wished now, because the wish may grow while it lasts.
  std::uint64_t window_keeps() const;
  static void save_window(const TopScores& window, std::vector<double>& numbers);
  static void restore_window(HistoryReader& reader, TopScores& window);

 private:
  // Totals since the adapter's first packet, restarts not counted.
  std::uint64_t total(const ScoreClock& clock) const { return clock.total_packets + total_offset_; }
  std::uint64_t scored(const ScoreClock& clock) const { return clock.scored + scored_offset_; }
  void begin(const ScoreClock& clock);
  void break_tie(ScoreValue& threshold);
  std::optional<ScoreValue> close_window(const ScoreClock& clock, ScoreValue current);

  const std::int64_t period_seconds_;
  const bool by_count_;
  const SpadeProfile profile_;

  bool begun_ = false;             // since the start or the restart
  std::int64_t period_start_ = 0;  // Unix second
  std::int64_t now_ = 0;
  std::uint64_t periods_ = 0;  // complete ones
  std::uint64_t packets_a_period_ = 0;
  std::uint64_t last_adapted_ = 0;  // total()
  std::uint64_t last_total_ = 0;
  std::uint64_t last_scored_ = 0;
  std::uint64_t total_offset_ = 0;  // modulo 2^64
  std::uint64_t scored_offset_ = 0;
  std::uint64_t wished_;
  TopScores window_;

  // Where the scores around the wished rank are equal, bits decide: the lowest that would have done in the last
  // windows, because bits drift with the size of the table; and once the wished number is reached, the threshold is
  // held above the tie for the rest of the window.
  // What is excluded, or cancelled by an answer, takes nothing of that number.
  static constexpr std::size_t kTieWindows = 24;
  std::deque<double> tie_bits_;
  std::optional<ScoreValue> tie_;   // from where on scores count
  std::optional<ScoreValue> held_;  // the threshold that was in force before
  std::uint64_t over_tie_ = 0;
};

}  // namespace spidd
