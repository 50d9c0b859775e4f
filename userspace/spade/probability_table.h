// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A decayed joint count of header fields: how often was this destination, this port at this destination, ... seen?
// Source: spade.md 2.3, 2.4, 12.4. The counts are those of the original's trees, scaled step by step, without its pass
// over the whole table: entries catch up when they are touched, and a bounded sweep forgets those that nobody touches.
//
// Not thread-safe. Memory is bounded by the capacity; no call takes time in proportion to the table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/feature.h"
#include "userspace/spade/settings.h"

namespace spidd {

class ProbabilityTable {
 public:
  static constexpr std::size_t kMaxDepth = 4;
  static constexpr std::size_t kMinEntries = 1024;
  // bytes() of a full table is at most kFixedBytes + entries * kBytesPerEntry, index and entropy included.
  static constexpr std::size_t kFixedBytes = 56 << 10;
  static constexpr std::size_t kBytesPerEntry = 112;
  static constexpr std::int64_t kNoSecond = std::numeric_limits<std::int64_t>::min();  // the clock does not run yet

  // at[0]: N, the whole table, with what was given up or refused for want of room; at[k]: c(first k values). 0 for what
  // is not known; below an unknown value all are 0.
  struct Counts {
    std::array<double, kMaxDepth + 1> at{};
  };

  struct Counters {
    std::uint64_t updates = 0;    // record() calls
    std::uint64_t forgotten = 0;  // entries that decayed below the cutoff
    std::uint64_t evicted = 0;    // given up for room: seen once only, youngest first (see .cpp); N keeps them
    std::uint64_t refused = 0;    // observations that found no room at all: they count in N and known prefixes only
  };

  // `features`: 1..kMaxDepth, in tree order. `max_entries`: over all levels, at least 1,024. `seed` keys the hash.
  ProbabilityTable(std::vector<Feature> features, const Decay& decay, std::size_t max_entries, std::uint64_t seed);
  ~ProbabilityTable();
  ProbabilityTable(ProbabilityTable&&) noexcept;
  ProbabilityTable& operator=(ProbabilityTable&&) noexcept;

  const std::vector<Feature>& features() const;
  const Decay& decay() const;

  // Makes the table's clock `second` (Unix time): scales by one step for every whole interval that has gone by since
  // the first call (2.4.1). A clock that goes back is ignored.
  void advance(std::int64_t second);

  // Of the first `values.size()` features, as of the clock. In a full table, makes the room that record() of a new path
  // would need.
  Counts counts(std::span<const FeatureValue> values) const;

  // Adds `n` at every level. Requires: values.size() == features().size(), n > 0.
  void record(std::span<const FeatureValue> values, double n = 1);

  // H of the feature that follows `prefix`, given the prefix, in bits: log2 C - Q/C (3.4); 0 for an unknown prefix.
  // Requires: prefix.size() < features().size(), and the level was declared with track_entropy().
  double entropy(std::span<const FeatureValue> prefix) const;
  // Keep what entropy() of the level below prefixes of `depth` values needs. Before the first record().
  void track_entropy(std::size_t depth);

  std::size_t entries() const;  // live, over all levels
  std::size_t bytes() const;
  const Counters& counters() const;

  // Every live path of every level (depth 1 first below its parent), counts as of the clock.
  using Visit = std::function<void(std::span<const FeatureValue> path, double count)>;
  void for_each(const Visit& visit) const;

  // For state files: start of decay, last step, N; and one entry, parents first. Errors: restore_clock() on a table
  // that has a clock or entries; a path that is there already, whose parent is missing, or that was seen more often
  // than its parent; no room (Error::code ENOSPC). With kNoSecond as `last_scaled_second` the clock starts with the
  // next advance(), so that the time in between does not count (2.4.6); else that makes up for it.
  std::int64_t start_second() const;
  std::int64_t last_scaled_second() const;
  Result<> restore_clock(std::int64_t start_second, std::int64_t last_scaled_second, double total);
  Result<> restore(std::span<const FeatureValue> path, double count);

  // The same in slices, so that a table can be saved while it is used: appends what lives in the next `most` places
  // from `place` on, 0 at first, and returns where to go on, 0 at the end. `id` names an entry until it is gone,
  // when another can get it; the marks then differ. A parent can come after its children, and, if the table changes
  // between slices, be missing or counted less than they are.
  struct Stored {
    FeatureValue value;
    double count = 0;
    std::uint32_t id = 0;
    std::uint32_t parent = 0;  // 0: first level
    std::uint32_t mark = 0;    // of this entry, and of the parent that it has
    std::uint32_t parent_mark = 0;
  };
  std::uint32_t copy_slice(std::uint32_t place, std::uint32_t most, std::vector<Stored>& out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spidd
