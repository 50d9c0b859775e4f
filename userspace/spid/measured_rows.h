// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a flow counted in which bins: a sequence of RowCount in rising order, in half the memory. Bins and counts lie
// apart, a byte each, because measuring and matching take 64 of them at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

namespace spidd {

inline constexpr unsigned kOriginalMeterCount = 34;  // the first ones
inline constexpr unsigned kMeterCount = 45;
inline constexpr unsigned kBinsPerMeter = 256;
inline constexpr unsigned kRowCount = kMeterCount * kBinsPerMeter;

// A row is one bin of one meter: row = meter * kBinsPerMeter + bin.
struct RowCount {
  std::uint16_t row;
  std::uint16_t count;
  bool operator==(const RowCount&) const = default;
};

class MeasuredRows {
 public:
  class Iterator;
  using value_type = RowCount;
  using const_iterator = Iterator;

  // Rows as they are kept: bin and count of each. What a byte does not hold of a count is in `carried`, times 256,
  // which is empty if all counts of the flow are below 256.
  struct Columns {
    std::span<const std::uint8_t> bins;
    std::span<const std::uint8_t> counts;
    std::span<const std::uint8_t> carried;

    std::size_t size() const { return bins.size(); }
    unsigned count(std::size_t i) const { return counts[i] + (carried.empty() ? 0U : 256U * carried[i]); }
    Columns part(std::size_t first, std::size_t size) const {
      Columns part{bins.subspan(first, size), counts.subspan(first, size), {}};
      if (!carried.empty()) part.carried = carried.subspan(first, size);
      return part;
    }
  };

  MeasuredRows() = default;
  MeasuredRows(std::initializer_list<RowCount> rows) {
    for (const RowCount row : rows) push_back(row);
  }

  std::size_t size() const { return bins_.size(); }
  bool empty() const { return bins_.empty(); }
  Iterator begin() const;
  Iterator end() const;
  Columns columns() const { return {bins_, counts_, carried_}; }                // meter by meter, by rising bin
  std::span<const std::uint16_t, kMeterCount> sizes() const { return sizes_; }  // rows of each meter
  Columns of_meter(unsigned meter) const;

  void clear();  // keeps the memory
  void reserve(std::size_t rows);
  // Requires: the row is higher than the last one and below kRowCount, the count is not 0.
  void push_back(RowCount row);
  // Requires: the sizes add up to that of the columns.
  void assign(const Columns& columns, std::span<const std::uint16_t, kMeterCount> sizes);

  bool operator==(const MeasuredRows& other) const;

 private:
  std::vector<std::uint8_t> bins_;
  std::vector<std::uint8_t> counts_;
  std::vector<std::uint8_t> carried_;
  std::array<std::uint16_t, kMeterCount> sizes_{};
};

class MeasuredRows::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using iterator_concept = std::forward_iterator_tag;
  using value_type = RowCount;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = RowCount;

  Iterator() = default;
  RowCount operator*() const {
    const unsigned carried = rows_->carried_.empty() ? 0U : 256U * rows_->carried_[at_];
    return {static_cast<std::uint16_t>(meter_ * kBinsPerMeter + rows_->bins_[at_]),
            static_cast<std::uint16_t>(rows_->counts_[at_] + carried)};
  }
  Iterator& operator++() {
    ++at_;
    find_meter();
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator& other) const { return at_ == other.at_; }

 private:
  friend class MeasuredRows;
  Iterator(const MeasuredRows* rows, std::size_t at) : rows_(rows), at_(at), meter_end_(rows->sizes_[0]) {
    find_meter();
  }
  void find_meter() {
    while (at_ >= meter_end_ && meter_ + 1 < kMeterCount) meter_end_ += rows_->sizes_[++meter_];
  }

  const MeasuredRows* rows_ = nullptr;
  std::size_t at_ = 0;
  unsigned meter_ = 0;
  std::size_t meter_end_ = 0;  // the first row behind those of the meter
};

inline MeasuredRows::Iterator MeasuredRows::begin() const { return {this, 0}; }
inline MeasuredRows::Iterator MeasuredRows::end() const { return {this, size()}; }

}  // namespace spidd
