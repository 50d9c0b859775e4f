// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spidd {
namespace {

// Bins of scores between kLowest and about 1,600 (no score has more than 64 bits), each kGrowth wider than the one
// below: the middle of a bin is off by at most a thousandth.
constexpr double kLowest = 1e-6;
constexpr double kGrowth = 1.001 / 0.999;
constexpr std::size_t kBins = 10600;

std::size_t bin_of(double score) {
  if (!(score > kLowest)) return 0;
  const double bin = std::ceil(std::log(score / kLowest) / std::log(kGrowth));
  return std::min(static_cast<std::size_t>(bin), kBins - 1);
}

double middle_of(std::size_t bin) {
  if (bin == 0) return 0;
  return kLowest * std::pow(kGrowth, static_cast<double>(bin)) * 2 / (1 + kGrowth);
}

}  // namespace

void ScoreDistribution::add(double score, std::uint64_t count) {
  if (count == 0) return;
  lowest_ = size_ == 0 ? score : std::min(lowest_, score);
  highest_ = size_ == 0 ? score : std::max(highest_, score);
  size_ += count;
  if (!exact()) {
    bins_[bin_of(score)] += count;
    return;
  }
  scores_[score] += count;
  if (scores_.size() > kExactScores) fold();
}

void ScoreDistribution::fold() {
  bins_.assign(kBins, 0);
  for (const auto& [score, count] : scores_) bins_[bin_of(score)] += count;
  scores_.clear();
}

double ScoreDistribution::at_whole(std::uint64_t rank) const {
  if (rank <= 1) return lowest_;
  if (rank >= size_) return highest_;
  for (const auto& [score, count] : scores_) {
    if (rank <= count) return score;
    rank -= count;
  }
  for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
    if (rank <= bins_[bin]) return std::clamp(middle_of(bin), lowest_, highest_);
    rank -= bins_[bin];
  }
  return highest_;
}

double ScoreDistribution::at(double rank) const {
  if (size_ == 0) return 0;
  rank = std::clamp(rank, 1.0, static_cast<double>(size_));
  const double below = std::floor(rank);
  const double low = at_whole(static_cast<std::uint64_t>(below));
  if (rank == below) return low;
  return low + (rank - below) * (at_whole(static_cast<std::uint64_t>(below) + 1) - low);
}

std::string ScoreSurvey::Row::text() const {
  return fmt::format("{}\t{}\t{:.6f}\t{:.6f}\t{:.6f}\n", interval, count, median, percentile90, percentile99);
}

ScoreSurvey::ScoreSurvey(SurveySettings settings, SpadeProfile profile)
    : settings_(std::move(settings)), profile_(profile) {}

void ScoreSurvey::add(ScoreValue value, std::uint32_t count, const ScoreClock& clock) {
  if (!start_) start_ = clock.second;
  scores_.add(value.score, count);
}

std::size_t ScoreSurvey::tick(const ScoreClock& clock) {
  if (!start_) start_ = clock.second;
  const auto length = static_cast<std::int64_t>(std::clamp(settings_.interval_minutes * 60, 1.0, 1e9));
  if (clock.second - *start_ <= length) return 0;

  auto ended = static_cast<std::uint64_t>((clock.second - *start_ - 1) / length);
  *start_ += static_cast<std::int64_t>(ended) * length;
  std::size_t added = 1;
  rows_.push_back(current());
  scores_ = ScoreDistribution();
  ++interval_;
  --ended;
  if (ended > kRowsKept - 1) {
    interval_ += ended - (kRowsKept - 1);
    ended = kRowsKept - 1;
  }
  for (; ended > 0; --ended, ++interval_, ++added) rows_.push_back({.interval = interval_});
  while (rows_.size() > kRowsKept) rows_.pop_front();
  return added;
}

std::string ScoreSurvey::header() const {
  return fmt::format(
      "{:.2f} minute interval #\tPacket Count\tMedian Score\t90th Percentile Score\t99th Percentile Score\n",
      settings_.interval_minutes);
}

ScoreSurvey::Row ScoreSurvey::current() const {
  const auto percentile = [this](double part) {
    // D13: the original is one rank too high.
    return scores_.at(static_cast<double>(scores_.size() - 1) * part + (profile_ == SpadeProfile::v030125 ? 2 : 1));
  };
  if (scores_.size() == 0) return {.interval = interval_};
  return {interval_, scores_.size(), percentile(0.5), percentile(0.9), percentile(0.99)};
}

}  // namespace spidd
