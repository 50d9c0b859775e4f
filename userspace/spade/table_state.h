// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inside of a ProbabilityTable: probability_table.cpp finds and counts, table_decay.cpp scales and forgets,
// table_room.cpp makes room, table_content.cpp shows and restores.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "userspace/spade/entry_lists.h"
#include "userspace/spade/entry_store.h"
#include "userspace/spade/probability_table.h"

namespace spidd {

// What entropy() needs of the entries below one parent.
struct EntropySums {
  double counts = 0;      // C
  double log_counts = 0;  // Q: of c log2 c
  std::uint32_t step = 0;
};

struct ProbabilityTable::State {
  // Lists of the store.
  static constexpr std::uint32_t kCalendarSteps = 512;  // a power of two; what is due later is looked at earlier
  static constexpr std::uint32_t kOverdue = kCalendarSteps;
  static constexpr std::uint32_t kNewcomers = kCalendarSteps + 1;
  static constexpr std::uint32_t kSettled = kCalendarSteps + 2;  // seen once, but older than the newcomers
  static constexpr std::uint32_t kLists = kCalendarSteps + 3;

  static constexpr std::size_t kNoLookUp = 0;
  // Beyond these a table does not decay in the life of a machine, or is never rid of an entry; both would be unbounded
  // work.
  static constexpr double kLargestFactor = 1 - 1e-7;
  static constexpr double kSmallestCutoff = 1e-9;
  // Of Timestamp, and more: 290 years.
  static constexpr std::int64_t kLastSecond = std::int64_t{1} << 33;

  State(std::vector<Feature> features_in, const Decay& decay_in, std::size_t max_entries_in, std::uint64_t seed)
      : features(std::move(features_in)),
        decay(decay_in),
        max_entries(std::max(max_entries_in, kMinEntries)),
        factor(decay.factor > 0 ? decay.factor : 0),
        cutoff(decay.cutoff > kSmallestCutoff ? decay.cutoff : kSmallestCutoff),
        decays(decay.interval_minutes != 0 && factor < kLargestFactor),
        log_factor(std::log(factor)),
        steps_of_one(steps_of(1)),
        store(max_entries, kLists, seed) {}

  // False if it has fallen below the cutoff; it is then left as it is.
  bool catch_up(TableEntry& entry) const { return entry.step == step || scale_entry(entry); }
  bool scale_entry(TableEntry& entry) const;
  std::uint32_t steps_of(double count) const;
  void put_down(EntryId id) {
    if (!decays) return;
    const double count = store[id].count;
    const std::uint32_t steps = count == 1 ? steps_of_one : steps_of(count);
    DueList::append(store, EntryStore::head((step + steps) % kCalendarSteps), id);
  }
  bool is_overdue() const { return !DueList::is_empty(store, EntryStore::head(kOverdue)); }
  void look_at_overdue(std::size_t most);
  void scale(std::uint32_t steps);

  void forget(EntryId id);
  void give_up(EntryId id);
  void remove(EntryId id, double count);
  void release(EntryId id);
  void forget_all();
  bool make_room();
  bool give_up_a_settled();
  void leave_newcomers(EntryId id);
  void join_newcomers(EntryId id);

  EntryId find(EntryId parent, const FeatureValue& value) const {
    return store.find(store.hash(store.place(parent).hash, value), parent, value);
  }
  EntryId add_entry(std::uint32_t hash, EntryId parent, const FeatureValue& value, double count);
  bool is_last(std::span<const FeatureValue> values) const;
  void look_up(std::span<const FeatureValue> values);
  template <std::size_t size>
  void look_up_all(std::span<const FeatureValue, size> values);
  void record_new(std::span<const FeatureValue> values, double n);
  EntropySums& sums_of(EntryId parent);
  void change_sums(EntryId parent, std::size_t parent_depth, double from, double to) {
    if (tracked[parent_depth]) change_tracked_sums(parent, from, to);
  }
  void change_tracked_sums(EntryId parent, double from, double to);

  std::vector<Feature> features;
  Decay decay;
  std::size_t max_entries;
  double factor;
  double cutoff;
  bool decays;
  double log_factor;
  std::uint32_t steps_of_one;  // most are seen once

  EntryStore store;
  std::array<bool, kMaxDepth> tracked{};  // by depth of the parent
  bool tracks = false;                    // any of them
  MappedArray<EntropySums> sums;          // by parent; empty if nothing is tracked
  double total = 0;                       // N
  std::uint32_t step = 0;
  // The last look_up(), as long as nothing of it is added, forgotten or scaled: what is scored is recorded next.
  struct {
    std::array<FeatureValue, kMaxDepth> values;
    std::array<std::uint32_t, kMaxDepth> hashes;
    std::array<EntryId, kMaxDepth> path{};
    std::size_t size = kNoLookUp;
    std::size_t known = 0;
    EntryId dead = 0;  // what follows the known, if it is below the cutoff but not yet forgotten
  } last;
  std::size_t newcomers = 0;
  std::int64_t start_second = kNoSecond;
  std::int64_t last_scaled_second = kNoSecond;
  std::int64_t second = kNoSecond;
  Counters counters;
};

}  // namespace spidd
