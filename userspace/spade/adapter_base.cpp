// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A saved history is a list of numbers: kFormat, the fields of AdapterBase in the order of save(), the window, then the
// adapter's own.
#include "userspace/spade/adapter_base.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spidd {
namespace {

constexpr double kFormat = 2;
constexpr double kOldestFormat = 1;                // did not have the length of a period
constexpr double kMostCount = 9007199254740992.0;  // 2^53: whole numbers are exact up to here
constexpr double kLongestPeriod = 1e9;             // seconds
constexpr double kHighest = std::numeric_limits<double>::max();

}  // namespace

double HistoryReader::next(double lowest, double highest) {
  if (!ok_ || at_ == numbers_.size() || !(numbers_[at_] >= lowest && numbers_[at_] <= highest)) {
    ok_ = false;
    return lowest;
  }
  return numbers_[at_++];
}

std::uint64_t HistoryReader::next_count(std::uint64_t highest) {
  const double number = next(0, static_cast<double>(highest));
  if (number != std::floor(number)) ok_ = false;
  return ok_ ? static_cast<std::uint64_t>(number) : 0;
}

double HistoryReader::next_score() { return next(-kHighest, kHighest); }

std::deque<double> HistoryReader::next_scores(std::size_t kept) {
  std::deque<double> scores;
  const std::uint64_t size = next_count(numbers_.size());
  for (std::uint64_t i = 0; i < size && ok_; ++i) {
    scores.push_back(next_score());
    if (scores.size() > kept) scores.pop_front();
  }
  return scores;
}

AdapterBase::AdapterBase(double period_seconds, bool by_count, SpadeProfile profile, std::uint64_t wished)
    : period_seconds_(static_cast<std::int64_t>(std::clamp(period_seconds, 1.0, kLongestPeriod))),
      by_count_(by_count),
      profile_(profile),
      wished_(std::max<std::uint64_t>(wished, 1)),
      window_(window_keeps()) {}

std::uint64_t AdapterBase::window_keeps() const { return std::max<std::uint64_t>(4096, 8 * wished_ + 2); }

void AdapterBase::begin(const ScoreClock& clock) {
  if (begun_) return;
  begun_ = true;
  // After a restart the time and the packets in between do not count: the period goes on where it was.
  period_start_ = clock.second - (now_ - period_start_);
  now_ = clock.second;
  if (last_total_ > 0 || periods_ > 0) {
    total_offset_ = last_total_ - clock.total_packets;
    scored_offset_ = last_scored_ - clock.scored;
  }
}

std::optional<ScoreValue> AdapterBase::tick(const ScoreClock& clock, ScoreValue current) {
  begin(clock);
  if (clock.second < now_) return std::nullopt;
  now_ = clock.second;
  const std::int64_t passed = now_ - period_start_;
  if (passed <= period_seconds_) return std::nullopt;

  const bool first = periods_ == 0;
  const std::int64_t crossed = (passed - 1) / period_seconds_;
  periods_ += static_cast<std::uint64_t>(crossed);
  period_start_ += crossed * period_seconds_;
  packets_a_period_ = std::max<std::uint64_t>(total(clock) / periods_, 1);
  wished_ = std::max<std::uint64_t>(wished_of(static_cast<double>(scored(clock)) / static_cast<double>(periods_)), 1);
  window_.want(window_keeps());
  return first || !by_count_ ? close_window(clock, current) : std::nullopt;
}

void AdapterBase::add(ScoreValue value, std::uint32_t count, const ScoreClock& clock) {
  begin(clock);
  window_.add(value, count);
}

std::optional<ScoreValue> AdapterBase::after_packet(const ScoreClock& clock, ScoreValue current) {
  begin(clock);
  last_total_ = total(clock);
  last_scored_ = scored(clock);
  if (by_count_ && periods_ > 0 && last_total_ - last_adapted_ >= packets_a_period_)
    return close_window(clock, current);
  return std::nullopt;
}

std::optional<ScoreValue> AdapterBase::reported(ScoreValue value, std::uint32_t count, ScoreValue current) {
  if (!tie_ || held_ || value < *tie_) return std::nullopt;
  over_tie_ += count;
  if (over_tie_ < wished_) return std::nullopt;
  held_ = current;
  return ScoreValue{tie_->score, kHighest};
}

std::optional<ScoreValue> AdapterBase::close_window(const ScoreClock& clock, ScoreValue current) {
  last_adapted_ = last_total_ = total(clock);
  last_scored_ = scored(clock);
  const std::optional<ScoreValue> released = held_;
  held_.reset();
  over_tie_ = 0;
  // No scores: nothing is known of what they would have been.
  if (window_.empty()) return released;

  ScoreValue threshold{adapt(window_, released.value_or(current).score), 0};
  tie_.reset();
  if (profile_ == SpadeProfile::documented) break_tie(threshold);
  window_.clear();
  window_.want(window_keeps());
  return threshold;
}

void AdapterBase::break_tie(ScoreValue& threshold) {
  RankedScores ranked;
  ranked.add(window_);
  const ScoreValue at_rank = ranked.at(wished_);
  if (ranked.size() <= wished_ || at_rank.score != ranked.at(wished_ + 1).score || threshold.score > at_rank.score)
    return;
  tie_bits_.push_back(mean(at_rank, ranked.at(wished_ + 1)).raw_bits);
  if (tie_bits_.size() > kTieWindows) tie_bits_.pop_front();
  tie_ = ScoreValue{at_rank.score, 0};
  if (threshold.score == at_rank.score)
    tie_->raw_bits = threshold.raw_bits = *std::min_element(tie_bits_.begin(), tie_bits_.end());
}

void AdapterBase::save_window(const TopScores& window, std::vector<double>& numbers) {
  numbers.push_back(static_cast<double>(window.entries().size()));
  for (const TopScores::Entry& entry : window.entries()) {
    numbers.push_back(entry.value.score);
    numbers.push_back(entry.value.raw_bits);
    numbers.push_back(static_cast<double>(entry.count));
  }
}

void AdapterBase::restore_window(HistoryReader& reader, TopScores& window) {
  const std::uint64_t entries = reader.next_count(TopScores::kMostKept);
  for (std::uint64_t i = 0; i < entries && reader.ok(); ++i) {
    const double score = reader.next_score();
    const ScoreValue value{score, reader.next_score()};
    window.add(value, reader.next_count(TopScores::kMostKept));
  }
}

std::vector<double> AdapterBase::save() const {
  std::vector<double> numbers{kFormat,
                              static_cast<double>(period_seconds_),
                              static_cast<double>(now_ - period_start_),
                              static_cast<double>(periods_),
                              static_cast<double>(packets_a_period_),
                              static_cast<double>(last_adapted_),
                              static_cast<double>(last_total_),
                              static_cast<double>(last_scored_),
                              static_cast<double>(wished_),
                              held_ ? 1.0 : 0.0,
                              held_.value_or(ScoreValue{}).score,
                              held_.value_or(ScoreValue{}).raw_bits};
  numbers.push_back(static_cast<double>(tie_bits_.size()));
  numbers.insert(numbers.end(), tie_bits_.begin(), tie_bits_.end());
  save_window(window_, numbers);
  save_history(numbers);
  return numbers;
}

Result<> AdapterBase::restore(std::span<const double> state) {
  if (begun_) return fail("an adapter that has seen packets cannot be given a history");
  constexpr auto kCount = static_cast<std::uint64_t>(kMostCount);
  HistoryReader reader(state);
  const auto period = static_cast<double>(period_seconds_);
  const double was = reader.next(kOldestFormat, kFormat) == kFormat ? reader.next(1, kLongestPeriod) : period;
  double elapsed = std::min(reader.next(0, kLongestPeriod), was);
  std::uint64_t periods = reader.next_count(kCount);
  std::uint64_t packets_a_period = reader.next_count(kCount);
  const std::uint64_t last_adapted = reader.next_count(kCount);
  const std::uint64_t last_total = reader.next_count(kCount);
  const std::uint64_t last_scored = reader.next_count(kCount);
  const std::uint64_t wished = reader.next_count(kCount);
  const bool held = reader.next_count(1) == 1;
  const double held_score = reader.next_score();
  const ScoreValue held_value{held_score, reader.next_score()};
  if (!reader.ok() || wished == 0 || last_adapted > last_total || last_scored > last_total ||
      (periods > 0) != (packets_a_period > 0))
    return fail("the adapter's history is damaged or of another version");

  std::deque<double> tie_bits(reader.next_count(kTieWindows));
  for (double& bits : tie_bits) bits = reader.next_score();
  TopScores window(TopScores::kMostKept);
  restore_window(reader, window);
  restore_history(reader);
  if (!reader.ok() || !reader.at_end()) {
    forget_history();
    return fail("the adapter's history does not fit its settings or is damaged");
  }
  if (was != period) {
    // The same time in periods of the length that they have now.
    elapsed += static_cast<double>(periods) * was;
    periods = static_cast<std::uint64_t>(std::min(elapsed / period, kMostCount));
    elapsed = std::clamp(elapsed - static_cast<double>(periods) * period, 0.0, period);
    packets_a_period = periods == 0 ? 0 : std::max<std::uint64_t>(last_total / periods, 1);
    const double scored = static_cast<double>(last_scored) / static_cast<double>(std::max<std::uint64_t>(periods, 1));
    if (periods > 0) wished_ = std::max<std::uint64_t>(wished_of(scored), 1);
  } else {
    wished_ = wished;
  }
  window.want(window_keeps());
  now_ = static_cast<std::int64_t>(elapsed);
  period_start_ = 0;
  periods_ = periods;
  packets_a_period_ = packets_a_period;
  last_adapted_ = last_adapted;
  last_total_ = last_total;
  last_scored_ = last_scored;
  if (held) held_ = held_value;
  tie_bits_ = std::move(tie_bits);
  window_ = std::move(window);
  return {};
}

}  // namespace spidd
