// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The memory of a ProbabilityTable: entries of one cache line each that keep their place, an index to find them by
// parent and value, and lists that they stand in.
//
// All memory for `max_entries` is reserved at once and touched as it is needed. The index grows by one bucket with an
// entry (linear hashing, Litwin 1980), so that nothing is ever rehashed as a whole; its hash is universal for keys that
// are chosen without knowing the seed (multilinear hashing, Lemire and Kaser 2014). Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "userspace/spade/mapped_array.h"
#include "userspace/spade/probability_table.h"

namespace spidd {

// 0: no entry, and the parent of those of the first level.
using EntryId = std::uint32_t;

struct alignas(64) TableEntry {
  FeatureValue value;
  double count = 0;        // as of `step`
  std::uint32_t step = 0;  // scalings of the table that `count` has gone through
  std::uint32_t hash = 0;
  EntryId parent = 0;
  EntryId next = 0;            // in its bucket; in the list of free entries
  std::uint32_t children = 0;  // that have this as parent, whether found or not
  EntryId due_previous = 0, due_next = 0;
  EntryId age_previous = 0, age_next = 0;
  std::uint8_t depth = 0;     // 1 for the first level; 0 where there is no entry
  bool seen_again = false;    // more than once
  bool forgotten = false;     // not found any more, stays for its children's sake
  bool on_probation = false;  // in the list of newcomers
};
static_assert(sizeof(TableEntry) == 64);

class EntryStore {
 public:
  static constexpr std::size_t kBytesPerEntry = sizeof(TableEntry) + 2 * sizeof(EntryId);

  // `lists`: how many list heads there are, 0..lists-1.
  EntryStore(std::size_t max_entries, std::uint32_t lists, std::uint64_t seed);

  TableEntry& operator[](EntryId id) { return entries_[id]; }
  const TableEntry& operator[](EntryId id) const { return entries_[id]; }

  EntryId find(EntryId parent, const FeatureValue& value) const;
  // Requires: room() > 0, and that find() finds nothing. Sets value, parent and hash; in no list yet.
  EntryId insert(EntryId parent, const FeatureValue& value);
  // Takes it out of the index: find() does not find it any more.
  void hide(EntryId id);
  // Gives its place away. Requires: hidden, in no list.
  void release(EntryId id);
  // As new, in constant time.
  void clear();

  std::size_t found() const { return indexed_; }  // entries that find() can find
  std::size_t room() const { return max_entries_ - used_; }
  std::size_t bytes() const;
  // Where entries can be: first_entry() <= id < last_entry().
  EntryId first_entry() const { return first_entry_; }
  EntryId last_entry() const { return untouched_; }

  // List heads, to be used as neighbours: circular lists through `due_*` or `age_*`.
  static EntryId head(std::uint32_t list) { return list + 1; }

 private:
  std::uint32_t hash(EntryId parent, const FeatureValue& value) const;
  std::size_t bucket(std::uint32_t hash) const;
  void split_bucket();

  std::size_t max_entries_;
  EntryId first_entry_;
  MappedArray<TableEntry> entries_;
  MappedArray<EntryId> buckets_;
  std::size_t bucket_count_ = 0;
  std::size_t mask_ = 0;  // bucket_count_ - 1 or more, all ones
  std::size_t indexed_ = 0;
  std::size_t used_ = 0;
  EntryId untouched_ = 0;
  EntryId free_ = 0;
  std::array<std::uint64_t, 6> keys_{};
};

// Circular lists with a head, through one of the two pairs of links.
template <EntryId TableEntry::*Previous, EntryId TableEntry::*Next>
struct EntryLinks {
  static void make_empty(EntryStore& store, EntryId head) { store[head].*Previous = store[head].*Next = head; }
  static bool is_empty(const EntryStore& store, EntryId head) { return store[head].*Next == head; }

  static void append(EntryStore& store, EntryId head, EntryId id) {
    const EntryId last = store[head].*Previous;
    store[id].*Previous = last;
    store[id].*Next = head;
    store[last].*Next = id;
    store[head].*Previous = id;
  }
  // Nothing for what is in no list.
  static void remove(EntryStore& store, EntryId id) {
    TableEntry& entry = store[id];
    if (entry.*Next == 0) return;
    store[entry.*Previous].*Next = entry.*Next;
    store[entry.*Next].*Previous = entry.*Previous;
    entry.*Previous = entry.*Next = 0;
  }
  // All of `from` to the end of `to`.
  static void splice(EntryStore& store, EntryId to, EntryId from) {
    if (is_empty(store, from)) return;
    const EntryId first = store[from].*Next;
    const EntryId last = store[from].*Previous;
    const EntryId end = store[to].*Previous;
    store[end].*Next = first;
    store[first].*Previous = end;
    store[last].*Next = to;
    store[to].*Previous = last;
    make_empty(store, from);
  }
};
using DueList = EntryLinks<&TableEntry::due_previous, &TableEntry::due_next>;
using AgeList = EntryLinks<&TableEntry::age_previous, &TableEntry::age_next>;

}  // namespace spidd
