// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What becomes of counts with time.
//
// Every entry has the number of scalings that its count has gone through; whoever touches it multiplies by the factor
// once for each that it missed, so that counts are those of a pass over the whole table, to the bit. A calendar holds
// entries by the scaling at which they can be below the cutoff at the earliest; a scaling moves that day's to the
// overdue, and these are looked at in slices: forgotten, or put down for another day.
#include <algorithm>
#include <cmath>

#include "userspace/spade/entry_lists.h"
#include "userspace/spade/table_state.h"

namespace spidd {
namespace {

constexpr std::uint32_t kExactSteps = 2048;

double c_log_c(double c) { return c > 0 ? c * std::log2(c) : 0; }

}  // namespace

bool ProbabilityTable::State::scale_entry(TableEntry& entry) const {
  const std::uint32_t missed = step - entry.step;
  double count = entry.count;
  if (missed > kExactSteps) count *= std::pow(factor, missed - kExactSteps);
  for (std::uint32_t i = std::min(missed, kExactSteps); i > 0; --i) {
    count *= factor;
    if (count < cutoff) return false;
  }
  entry.count = count;
  entry.step = step & TableEntry::kMostSteps;
  return true;
}

// At least 1, and not more than it takes.
std::uint32_t ProbabilityTable::State::steps_of(double count) const {
  if (!(count > cutoff)) return 1;
  const double steps = std::log(cutoff / count) / log_factor;
  return steps >= kCalendarSteps - 1 ? kCalendarSteps - 1 : std::max(1U, static_cast<std::uint32_t>(steps));
}

void ProbabilityTable::State::look_at_overdue(std::size_t most) {
  const EntryId overdue = EntryStore::head(kOverdue);
  for (; most > 0 && is_overdue(); --most) {
    const EntryId id = store.place(overdue).due_next;
    store.prefetch_to_hide(store.place(id).due_next);
    if (catch_up(store[id])) {
      DueList::remove(store, id);
      put_down(id);
    } else {
      ++counters.forgotten;
      forget(id);
    }
  }
}

void ProbabilityTable::State::scale(std::uint32_t steps) {
  last.size = kNoLookUp;
  double scaled = total;
  if (steps > kExactSteps) scaled *= std::pow(factor, steps - kExactSteps);
  for (std::uint32_t i = std::min(steps, kExactSteps); i > 0; --i) scaled *= factor;
  // No count is above N: then nothing is left, and there is no need to look at every entry.
  if (scaled < cutoff * (1 - 1e-9)) {
    counters.forgotten += store.found();
    forget_all();
    return;
  }
  total = scaled;
  for (std::uint32_t i = 1; i <= std::min(steps, kCalendarSteps); ++i) {
    DueList::splice(store, EntryStore::head(kOverdue), EntryStore::head((step + i) % kCalendarSteps));
  }
  step += steps;
}

void ProbabilityTable::State::forget_all() {
  store.clear();
  newcomers = 0;
  total = 0;
  step = 0;
  if (sums.size() > 0) sums[0] = EntropySums{};
}

// A forgotten entry takes its count from the sums of its own tree, not from its parent's count (2.4.2).
void ProbabilityTable::State::forget(EntryId id) {
  const TableEntry& entry = store[id];
  const double count =
      entry.step == step ? entry.count : entry.count * std::pow(factor, static_cast<double>(step - entry.step));
  if (entry.parent == 0) total = std::max(0.0, total - count);
  remove(id, count);
  if (store.found() == 0) total = 0;
}

EntropySums& ProbabilityTable::State::sums_of(EntryId parent) {
  EntropySums& own = sums[parent];
  if (own.step != step) {
    const double missed = step - own.step;
    const double scale = std::pow(factor, missed);
    own.log_counts = scale > 0 ? scale * (own.log_counts + own.counts * missed * std::log2(factor)) : 0;
    own.counts *= scale;
    own.step = step;
  }
  return own;
}

void ProbabilityTable::State::change_tracked_sums(EntryId parent, double from, double to) {
  if (parent != 0 && store.place(parent).forgotten) return;
  EntropySums& own = sums_of(parent);
  own.counts += to - from;
  own.log_counts += c_log_c(to) - c_log_c(from);
}

}  // namespace spidd
