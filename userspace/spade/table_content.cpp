// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a probability table contains: to be shown, saved and brought back.
#include <algorithm>
#include <array>
#include <cerrno>

#include "userspace/spade/entry_lists.h"
#include "userspace/spade/table_state.h"

namespace spidd {

void ProbabilityTable::for_each(const Visit& visit) const {
  State& s = *state_;
  for (std::size_t depth = 1; depth <= s.features.size(); ++depth) {
    for (EntryId id = s.store.first_entry(); id < s.store.last_entry(); ++id) {
      TableEntry& entry = s.store[id];
      if (s.store.place(id).depth != depth || s.store.place(id).forgotten || !s.catch_up(entry)) continue;
      std::array<FeatureValue, kMaxDepth> path;
      bool live = true;
      for (EntryId at = id; at != 0 && live; at = s.store[at].parent) {
        live = !s.store.place(at).forgotten && s.catch_up(s.store[at]);
        path[s.store.place(at).depth - 1U] = s.store[at].value;
      }
      if (live) visit(std::span(path.data(), depth), entry.count);
    }
  }
}

std::int64_t ProbabilityTable::start_second() const { return state_->start_second; }
std::int64_t ProbabilityTable::last_scaled_second() const { return state_->last_scaled_second; }

Result<> ProbabilityTable::restore_clock(std::int64_t start_second, std::int64_t last_scaled_second, double total) {
  State& s = *state_;
  if (s.last_scaled_second != kNoSecond || s.store.found() != 0) return fail("the table is in use");
  if (!(total >= 0 && total <= 1e18)) return fail("the table cannot have {} observations", total);
  const auto possible = [](std::int64_t second) {
    return second == kNoSecond || (second >= -State::kLastSecond && second <= State::kLastSecond);
  };
  if (!possible(start_second) || !possible(last_scaled_second)) return fail("the table's clock is out of range");
  s.start_second = start_second;
  s.last_scaled_second = s.second = last_scaled_second;
  s.total = total;
  return {};
}

Result<> ProbabilityTable::restore(std::span<const FeatureValue> path, double count) {
  State& s = *state_;
  if (path.empty() || path.size() > s.features.size()) return fail("a path of {} values", path.size());
  EntryId parent = 0;
  for (const FeatureValue& value : path.first(path.size() - 1)) {
    parent = s.find(parent, value);
    if (parent == 0) return fail("an entry without the one above it");
  }
  const double most = parent == 0 ? s.total : s.store[parent].count;
  if (!(count > 0 && count <= most * (1 + 1e-9))) return fail("a count of {} below one of {}", count, most);
  if (s.find(parent, path.back()) != 0) return fail("an entry twice");
  if (s.store.room() == 0) return tl::unexpected<Error>(Error{"the table is full", ENOSPC});
  const EntryId id = s.add_entry(s.store.hash(s.store.place(parent).hash, path.back()), parent, path.back(), count);
  s.store[id].seen_again = count > 1 ? 1U : 0U;
  if (count <= 1) AgeList::append(s.store, EntryStore::head(State::kSettled), id);
  s.change_sums(parent, path.size() - 1, 0, count);
  return {};
}

std::uint32_t ProbabilityTable::copy_slice(std::uint32_t place, std::uint32_t most, std::vector<Stored>& out) const {
  State& s = *state_;
  const EntryId first = std::max(place, s.store.first_entry());
  const EntryId last = s.store.last_entry() - first > most ? first + most : s.store.last_entry();
  for (EntryId id = first; id < last; ++id) {
    TableEntry& entry = s.store[id];
    const EntryPlace& own = s.store.place(id);
    if (own.depth == 0 || own.forgotten || !s.catch_up(entry)) continue;
    out.push_back(Stored{entry.value, entry.count, id, entry.parent, own.hash, s.store.place(entry.parent).hash});
  }
  return last < s.store.last_entry() ? last : 0;
}

}  // namespace spidd
