// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/sparse_counters.h"

#include <algorithm>
#include <limits>

namespace spidd {

namespace {

std::uint32_t saturating_sum(std::uint32_t a, std::uint32_t b) {
  return a + std::min(b, std::numeric_limits<std::uint32_t>::max() - a);
}

}  // namespace

template <class Rows>
void SparseCounters::add_rows(const Rows& other, std::size_t most_rows) {
  std::vector<Row> sum;
  sum.reserve(rows_.size() + other.size());
  auto mine = rows_.begin();
  for (const auto& row : other) {
    while (mine != rows_.end() && mine->row < row.row) sum.push_back(*mine++);
    if (mine != rows_.end() && mine->row == row.row)
      sum.push_back({row.row, saturating_sum(mine++->count, row.count)});
    else
      sum.push_back({row.row, row.count});
  }
  sum.insert(sum.end(), mine, rows_.end());
  rows_ = std::move(sum);
  count_measurements();
  trim(most_rows);
}

void SparseCounters::add(const Fingerprint& flow, std::size_t most_rows) { add_rows(flow.rows, most_rows); }

void SparseCounters::merge(const SparseCounters& other, std::size_t most_rows) { add_rows(other.rows(), most_rows); }

bool SparseCounters::subtract(const Fingerprint& flow) {
  std::vector<Row> rest = rows_;
  auto mine = rest.begin();
  for (const RowCount& row : flow.rows) {
    mine = std::lower_bound(mine, rest.end(), row.row, [](const Row& a, std::uint16_t b) { return a.row < b; });
    if (mine == rest.end() || mine->row != row.row || mine->count < row.count) return false;
    mine->count -= row.count;
  }
  std::erase_if(rest, [](const Row& row) { return row.count == 0; });
  rows_ = std::move(rest);
  count_measurements();
  return true;
}

void SparseCounters::trim(std::size_t most_rows) {
  if (rows_.size() <= most_rows) return;
  const auto share = [this](const Row& row) {
    const unsigned meter = row.row / kBinsPerMeter;
    return is_scored(meter) ? row.count / static_cast<double>(measurements_[meter]) : 0.0;
  };
  // Of equals the lower row stays, so that the result does not depend on the sorting.
  std::ranges::nth_element(rows_, rows_.begin() + static_cast<std::ptrdiff_t>(most_rows),
                           [&](const Row& a, const Row& b) {
                             const double share_a = share(a);
                             const double share_b = share(b);
                             return share_a != share_b ? share_a > share_b : a.row < b.row;
                           });
  rows_.resize(most_rows);
  std::ranges::sort(rows_, {}, &Row::row);
  rows_.shrink_to_fit();
  count_measurements();
}

void SparseCounters::count_measurements() {
  measurements_.fill(0);
  for (const Row& row : rows_) measurements_[row.row / kBinsPerMeter] += row.count;
}

void SparseCounters::add_to(ProtocolModel& model) const {
  for (const Row& row : rows_) {
    const std::uint32_t before = model.counters[row.row];
    model.counters[row.row] = saturating_sum(before, row.count);
    model.measurements[row.row / kBinsPerMeter] += model.counters[row.row] - before;
  }
}

Result<SparseCounters> SparseCounters::from_rows(std::vector<Row> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].row >= kRowCount) return fail("bin {} of {}", rows[i].row, kRowCount);
    if (rows[i].count == 0) return fail("bin {} is counted, but never seen", rows[i].row);
    if (i > 0 && rows[i].row <= rows[i - 1].row) return fail("bin {} after bin {}", rows[i].row, rows[i - 1].row);
  }
  SparseCounters counters;
  counters.rows_ = std::move(rows);
  counters.count_measurements();
  return counters;
}

}  // namespace spidd
