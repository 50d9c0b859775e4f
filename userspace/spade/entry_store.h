// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The memory of a ProbabilityTable: entries that keep their place, an index to find them by
// parent and value, and lists that they stand in.
//
// All memory for `max_entries` is reserved at once and touched as it is needed. The index grows bucket by bucket
// (linear hashing, Litwin 1980), so that nothing is ever rehashed as a whole; its hash is universal for keys that are
// chosen without knowing the seed (multilinear hashing with half the multiplications, Lemire and Kaser 2014). Buckets
// hold hashes, so that most misses touch one cache line, most hits two. Not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "userspace/spade/mapped_array.h"
#include "userspace/spade/probability_table.h"

namespace spidd {

// 0: no entry, and the parent of those of the first level.
using EntryId = std::uint32_t;

// What every observation touches, two to a cache line.
struct alignas(32) TableEntry {
  static constexpr std::uint32_t kMostSteps = 0x7fffffff;

  FeatureValue value;
  double count = 0;  // as of `step`
  EntryId parent = 0;
  std::uint32_t step : 31 = 0;  // scalings of the table that `count` has gone through
  std::uint32_t seen_again : 1 = 0;
};
static_assert(sizeof(TableEntry) == 32);

// What only coming, going and looking for what is overdue touch.
struct alignas(32) EntryPlace {
  std::uint32_t hash = 0;
  EntryId next = 0;            // in its bucket's overflow; in the list of free entries
  std::uint32_t children = 0;  // that have this as parent, whether found or not
  EntryId due_previous = 0, due_next = 0;
  EntryId age_previous = 0, age_next = 0;
  std::uint8_t depth = 0;     // 1 for the first level; 0 where there is no entry
  bool forgotten = false;     // not found any more, stays for its children's sake
  bool on_probation = false;  // in the list of newcomers
};
static_assert(sizeof(EntryPlace) == 32);

// What finds entries by their hashes, one cache line.
struct alignas(64) EntryBucket {
  static constexpr std::uint32_t kPlaces = 7;
  std::uint32_t hashes[kPlaces];
  EntryId overflow;      // linked by `next`; only if all places are used
  EntryId ids[kPlaces];  // 0 from `used` on
  std::uint32_t used;

  // A bit for each place that has the hash, or the entry; those that are not used may have any hash.
  std::uint32_t places_of(std::uint32_t hash) const { return places(hashes, hash); }
  std::uint32_t place_of(EntryId id) const { return places(ids, id); }

 private:
  // Of an array and the word behind it. Without branches, as nobody can predict where in the bucket it is.
  std::uint32_t places(const std::uint32_t* words, std::uint32_t wanted) const {
    constexpr std::uint32_t kAll = (1U << kPlaces) - 1;
    using Four [[gnu::vector_size(16)]] = std::uint32_t;
    Four low, high;
    std::memcpy(&low, words, sizeof(low));
    std::memcpy(&high, words + 4, sizeof(high));
#ifdef __SSE2__
    using Floats [[gnu::vector_size(16)]] = float;
    const int low_bits = __builtin_ia32_movmskps(Floats(low == wanted));
    const int high_bits = __builtin_ia32_movmskps(Floats(high == wanted));
    return static_cast<std::uint32_t>(low_bits | high_bits << 4) & kAll;
#else
    using Two [[gnu::vector_size(16)]] = std::uint64_t;
    const Four bits = (Four(low == wanted) & Four{1, 2, 4, 8}) | (Four(high == wanted) & Four{16, 32, 64, 128});
    const Two halves = Two(bits);
    const std::uint64_t both = halves[0] | halves[1];
    return static_cast<std::uint32_t>(both | both >> 32) & kAll;
#endif
  }
};
static_assert(sizeof(EntryBucket) == 64);

class EntryStore {
 public:
  // `lists`: how many list heads there are, 0..lists-1.
  EntryStore(std::size_t max_entries, std::uint32_t lists, std::uint64_t seed);

  TableEntry& operator[](EntryId id) { return entries_[id]; }
  const TableEntry& operator[](EntryId id) const { return entries_[id]; }

  EntryPlace& place(EntryId id) { return places_[id]; }
  const EntryPlace& place(EntryId id) const { return places_[id]; }

  // Of a path: of its last value, and of what comes before, 0 for nothing. So the hashes of all levels are known before
  // the first of them is found, and memory is waited for once.
  std::uint32_t hash(std::uint32_t before, const FeatureValue& value) const {
    const auto product = [](std::uint64_t key_of_low, std::uint64_t key_of_high, std::uint64_t word) {
      return (key_of_low + static_cast<std::uint32_t>(word)) * (key_of_high + (word >> 32));
    };
    const std::uint64_t sum =
        keys_[0] + product(keys_[1], keys_[2], value.low) + product(keys_[3], keys_[4], value.high);
    return static_cast<std::uint32_t>((sum + keys_[5] * before) >> 32);
  }
  // Where a hash is looked for, until something is inserted or cleared.
  const EntryBucket& bucket_of(std::uint32_t hash) const { return buckets_[bucket(hash)]; }

  EntryId find(std::uint32_t hash, EntryId parent, const FeatureValue& value) const {
    return find(bucket_of(hash), hash, parent, value);
  }
  EntryId find(const EntryBucket& in, std::uint32_t hash, EntryId parent, const FeatureValue& value) const {
    for (std::uint32_t places = in.places_of(hash); places != 0; places &= places - 1) {
      const EntryId id = in.ids[std::countr_zero(places)];
      if (is(id, parent, value)) return id;
    }
    for (EntryId id = in.overflow; id != 0; id = places_[id].next) {
      if (is(id, parent, value)) return id;
    }
    return 0;
  }
  // Requires: room() > 0, and that find() finds nothing. Sets value, parent and hash; in no list yet.
  EntryId insert(std::uint32_t hash, EntryId parent, const FeatureValue& value);
  // Bring in what insert() below this parent, and what hide() and release() of an entry will need. Inline, as g++ 12
  // takes calls of functions that only prefetch for calls that do nothing.
  [[gnu::always_inline]] void prefetch_to_insert(EntryId parent) const { __builtin_prefetch(&places_[parent], 1); }
  [[gnu::always_inline]] void prefetch_to_hide(EntryId id) const {
    __builtin_prefetch(&buckets_[bucket(places_[id].hash)], 1);
    __builtin_prefetch(&places_[entries_[id].parent], 1);
  }
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
  static constexpr std::size_t kEntriesABucket = 3;  // on average
  static constexpr std::size_t kFirstBuckets = 128;

  void put(EntryBucket& to, EntryId id);
  bool is(EntryId id, EntryId parent, const FeatureValue& value) const {
    const TableEntry& entry = entries_[id];
    return ((entry.value.high ^ value.high) | (entry.value.low ^ value.low) | (entry.parent ^ parent)) == 0;
  }
  std::size_t bucket(std::uint32_t hash) const {
    // As arithmetic: which of the two it is cannot be predicted.
    const std::size_t index = hash & mask_;
    const std::size_t not_split = -static_cast<std::size_t>(index >= bucket_count_);
    return index & ~(not_split & ((mask_ >> 1) + 1));
  }
  void split_bucket();
  void take_from_overflow(EntryBucket& of, EntryId id);

  std::size_t max_entries_;
  EntryId first_entry_;
  MappedArray<TableEntry> entries_;
  MappedArray<EntryPlace> places_;
  MappedArray<EntryBucket> buckets_;
  std::size_t bucket_count_ = 0;
  std::size_t mask_ = 0;  // bucket_count_ - 1 or more, all ones
  std::size_t indexed_ = 0;
  std::size_t used_ = 0;
  EntryId untouched_ = 0;
  EntryId free_ = 0;
  std::array<std::uint64_t, 6> keys_{};
};

inline void EntryStore::put(EntryBucket& to, EntryId id) {
  if (to.used < EntryBucket::kPlaces) {
    to.hashes[to.used] = places_[id].hash;
    to.ids[to.used++] = id;
  } else {
    places_[id].next = to.overflow;
    to.overflow = id;
  }
}

inline EntryId EntryStore::insert(std::uint32_t hash, EntryId parent, const FeatureValue& value) {
  EntryId id = free_;
  if (id != 0) {
    free_ = places_[id].next;
  } else {
    id = untouched_++;
  }
  ++used_;
  TableEntry& entry = entries_[id];
  entry = TableEntry{};
  entry.value = value;
  entry.parent = parent;
  EntryPlace& place = places_[id];
  place = EntryPlace{};
  place.hash = hash;
  put(buckets_[bucket(hash)], id);
  if (++indexed_ > kEntriesABucket * bucket_count_ && bucket_count_ < buckets_.size()) split_bucket();
  return id;
}

inline void EntryStore::hide(EntryId id) {
  EntryBucket& in = buckets_[bucket(places_[id].hash)];
  --indexed_;
  const std::uint32_t place = in.place_of(id);
  if (place == 0) return take_from_overflow(in, id);
  const int i = std::countr_zero(place);
  if (in.overflow == 0) {
    --in.used;
    in.hashes[i] = in.hashes[in.used];
    in.ids[i] = in.ids[in.used];
    in.ids[in.used] = 0;
  } else {
    const EntryId moved = in.overflow;
    in.overflow = places_[moved].next;
    in.hashes[i] = places_[moved].hash;
    in.ids[i] = moved;
  }
}

inline void EntryStore::release(EntryId id) {
  places_[id].depth = 0;
  places_[id].next = free_;
  free_ = id;
  --used_;
}

}  // namespace spidd
