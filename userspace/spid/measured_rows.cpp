// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/measured_rows.h"

#include <algorithm>
#include <numeric>

namespace spidd {

MeasuredRows::Columns MeasuredRows::of_meter(unsigned meter) const {
  const auto first = std::accumulate(sizes_.begin(), sizes_.begin() + meter, std::size_t{0});
  return columns().part(first, sizes_[meter]);
}

void MeasuredRows::clear() {
  bins_.clear();
  counts_.clear();
  carried_.clear();
  sizes_.fill(0);
}

void MeasuredRows::reserve(std::size_t rows) {
  bins_.reserve(rows);
  counts_.reserve(rows);
  carried_.reserve(rows);
}

void MeasuredRows::push_back(RowCount row) {
  if (row.count > 0xff && carried_.empty()) carried_.resize(size());
  bins_.push_back(static_cast<std::uint8_t>(row.row % kBinsPerMeter));
  counts_.push_back(static_cast<std::uint8_t>(row.count));
  if (row.count > 0xff || !carried_.empty()) carried_.push_back(static_cast<std::uint8_t>(row.count >> 8));
  ++sizes_[row.row / kBinsPerMeter];
}

void MeasuredRows::assign(const Columns& columns, std::span<const std::uint16_t, kMeterCount> sizes) {
  bins_.assign(columns.bins.begin(), columns.bins.end());
  counts_.assign(columns.counts.begin(), columns.counts.end());
  carried_.assign(columns.carried.begin(), columns.carried.end());
  std::ranges::copy(sizes, sizes_.begin());
}

bool MeasuredRows::operator==(const MeasuredRows& other) const { return std::ranges::equal(*this, other); }

}  // namespace spidd
