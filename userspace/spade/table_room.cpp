// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Who comes into a table, and who gives way if it is full.
//
// Room is made among the newcomers: the youngest eighth of the table, in order of age. What was seen once only is given
// up, oldest newcomer first; what was seen again may settle, until seven eighths of the table have. So a flood of
// random keys churns in its eighth, whatever was there before it stays, and a new key has time to be seen again. What
// is given up was seen all the same: it goes on counting in N and above it, and decays there (2.4, 12.4). Else a flood
// would make everything else look common.
#include <algorithm>

#include "userspace/spade/entry_lists.h"
#include "userspace/spade/table_state.h"

namespace spidd {
namespace {

constexpr int kTriesForRoom = 16;

}  // namespace

// Requires room, and that there is none.
EntryId ProbabilityTable::State::add_entry(std::uint32_t hash, EntryId parent, const FeatureValue& value,
                                           double count) {
  last.size = kNoLookUp;
  const EntryId id = store.insert(hash, parent, value);
  TableEntry& entry = store[id];
  entry.count = count;
  entry.step = step & TableEntry::kMostSteps;
  store.place(id).depth = static_cast<std::uint8_t>(parent == 0 ? 1 : store.place(parent).depth + 1);
  if (parent != 0) ++store.place(parent).children;
  if (sums.size() > 0) sums[id] = EntropySums{0, 0, step};
  put_down(id);
  return id;
}

// Requires: last is of these values, not all of them known.
void ProbabilityTable::State::record_new(std::span<const FeatureValue> values, double n) {
  std::array<EntryId, kMaxDepth> path = last.path;
  const std::array<std::uint32_t, kMaxDepth> hashes = last.hashes;
  const std::size_t known = last.known;
  EntryId parent = 0;
  for (std::size_t level = 0; level < known; ++level) {
    TableEntry& entry = store[path[level]];
    change_sums(parent, level, entry.count, entry.count + n);
    entry.count += n;
    entry.seen_again = 1;
    parent = path[level];
  }
  if (last.dead != 0) {
    ++counters.forgotten;
    forget(last.dead);
  }
  std::size_t level = known;
  for (; level < values.size(); ++level) {
    if (store.room() == 0) {
      ++counters.refused;
      break;
    }
    path[level] = add_entry(hashes[level], parent, values[level], n);
    change_sums(parent, level, 0, n);
    parent = path[level];
  }
  total += n;
  // The deepest is the oldest, so that it is given up before its parent.
  for (std::size_t added = level; added > known; --added) join_newcomers(path[added - 1]);
}

// For room: N keeps its count, if it has not decayed away unnoticed.
void ProbabilityTable::State::give_up(EntryId id) {
  if (catch_up(store[id])) {
    ++counters.evicted;
    remove(id, store[id].count);
  } else {
    ++counters.forgotten;
    forget(id);
  }
}

void ProbabilityTable::State::remove(EntryId id, double count) {
  const auto is_in_last = [&] { return id == last.dead || std::ranges::find(last.path, id) != last.path.end(); };
  if (last.size != kNoLookUp && is_in_last()) last.size = kNoLookUp;
  change_sums(store[id].parent, store.place(id).depth - 1U, count, 0);
  store.hide(id);
  DueList::remove(store, id);
  leave_newcomers(id);
  store.place(id).forgotten = true;
  if (store.place(id).children == 0) release(id);
}

void ProbabilityTable::State::release(EntryId id) {
  while (id != 0) {
    const EntryId parent = store[id].parent;
    store.release(id);
    if (parent == 0 || --store.place(parent).children > 0 || !store.place(parent).forgotten) return;
    id = parent;
  }
}

void ProbabilityTable::State::join_newcomers(EntryId id) {
  AgeList::append(store, EntryStore::head(kNewcomers), id);
  store.place(id).on_probation = true;
  if (++newcomers <= max_entries / 8 || store.room() < kMaxDepth) return;
  const EntryId oldest = store.place(EntryStore::head(kNewcomers)).age_next;
  leave_newcomers(oldest);
  if (!store[oldest].seen_again) AgeList::append(store, EntryStore::head(kSettled), oldest);
}

void ProbabilityTable::State::leave_newcomers(EntryId id) {
  if (store.place(id).on_probation) --newcomers;
  store.place(id).on_probation = false;
  AgeList::remove(store, id);
}

// The youngest of those that were seen once, from before the newcomers.
bool ProbabilityTable::State::give_up_a_settled() {
  const EntryId settled = EntryStore::head(kSettled);
  EntryId id = store.place(settled).age_previous;
  for (int i = 0; i < kTriesForRoom && id != settled; ++i) {
    const EntryId older = store.place(id).age_previous;
    if (store[id].seen_again) {
      AgeList::remove(store, id);
    } else if (store.place(id).children == 0) {
      give_up(id);
      return true;
    }
    id = older;
  }
  return false;
}

bool ProbabilityTable::State::make_room() {
  if (newcomers < max_entries / 8 && give_up_a_settled()) return true;
  const EntryId head = EntryStore::head(kNewcomers);
  for (int i = 0; i < kTriesForRoom && newcomers > 0; ++i) {
    const EntryId id = store.place(head).age_next;
    TableEntry& entry = store[id];
    if (!entry.seen_again && store.place(id).children == 0) {
      store.prefetch_to_hide(store.place(store.place(id).age_next).age_next);
      give_up(id);
      return true;
    }
    leave_newcomers(id);
    if (store.found() - newcomers <= max_entries / 8 * 7) continue;
    if (give_up_a_settled()) return true;
    entry.seen_again = 0;
    join_newcomers(id);
  }
  return give_up_a_settled();
}

}  // namespace spidd
