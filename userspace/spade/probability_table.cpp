// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Finding and counting in a probability table.
#include "userspace/spade/probability_table.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "userspace/spade/table_state.h"

namespace spidd {
namespace {

constexpr std::size_t kOverdueASecond = 4096;
constexpr std::size_t kOverdueAnUpdate = 4;

}  // namespace

// Whether these were looked up last, or begin it.
bool ProbabilityTable::State::is_last(std::span<const FeatureValue> values) const {
  if (last.size < values.size()) return false;
  // As arithmetic: where they differ cannot be predicted.
  std::uint64_t different = 0;
  for (std::size_t level = 0; level < values.size(); ++level) {
    different |= (values[level].high ^ last.values[level].high) | (values[level].low ^ last.values[level].low);
  }
  return different == 0;
}

// Afterwards `last` is of these values.
void ProbabilityTable::State::look_up(std::span<const FeatureValue> values) {
  static_assert(kMaxDepth == 4);
  switch (values.size()) {
    case 1:
      return look_up_all(values.first<1>());
    case 2:
      return look_up_all(values.first<2>());
    case 3:
      return look_up_all(values.first<3>());
    case 4:
      return look_up_all(values.first<4>());
    default:
      last.size = kNoLookUp;
      last.known = 0;
      last.dead = 0;
  }
}

// The number of levels is known to the compiler, which saves a tenth of the instructions.
template <std::size_t size>
void ProbabilityTable::State::look_up_all(std::span<const FeatureValue, size> values) {
  std::array<const EntryBucket*, size> buckets;
  std::uint32_t before = 0;
  for (std::size_t level = 0; level < size; ++level) {
    last.values[level] = values[level];
    before = last.hashes[level] = store.hash(before, values[level]);
    buckets[level] = &store.bucket_of(before);
    __builtin_prefetch(buckets[level]);
  }
  // For what may be recorded next; here, as it takes as long as the memory that is waited for.
  while (store.room() < features.size() && make_room()) continue;
  last.size = size;
  last.dead = 0;
  std::size_t known = 0;
  EntryId parent = 0;
#pragma GCC unroll 4
  for (; known < size; ++known) {
    const EntryId id = store.find(*buckets[known], last.hashes[known], parent, values[known]);
    if (id == 0) break;
    if (!catch_up(store[id])) {
      last.dead = id;
      break;
    }
    last.path[known] = parent = id;
  }
  last.known = known;
  // What is scored is recorded next.
  if (parent != 0 && known < size) store.prefetch_to_insert(parent);
}

ProbabilityTable::ProbabilityTable(std::vector<Feature> features, const Decay& decay, std::size_t max_entries,
                                   std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(features), decay, max_entries, seed)) {
  assert(!state_->features.empty() && state_->features.size() <= kMaxDepth);
}
ProbabilityTable::~ProbabilityTable() = default;
ProbabilityTable::ProbabilityTable(ProbabilityTable&&) noexcept = default;
ProbabilityTable& ProbabilityTable::operator=(ProbabilityTable&&) noexcept = default;

const std::vector<Feature>& ProbabilityTable::features() const { return state_->features; }
const Decay& ProbabilityTable::decay() const { return state_->decay; }

void ProbabilityTable::advance(std::int64_t second) {
  State& s = *state_;
  second = std::clamp(second, -State::kLastSecond, State::kLastSecond);
  if (s.last_scaled_second == kNoSecond) {
    s.last_scaled_second = s.second = second;
    if (s.start_second == kNoSecond) s.start_second = second;
    return;
  }
  if (second <= s.second) return;
  s.second = second;
  if (!s.decays) return;
  const std::int64_t interval = std::int64_t{60} * s.decay.interval_minutes;
  const std::int64_t steps = (second - s.last_scaled_second - 1) / interval;
  if (steps > 0) {
    s.last_scaled_second += steps * interval;
    s.scale(static_cast<std::uint32_t>(steps));
  }
  s.look_at_overdue(kOverdueASecond);
}

ProbabilityTable::Counts ProbabilityTable::counts(std::span<const FeatureValue> values) const {
  State& s = *state_;
  s.look_up(values);
  Counts counts;
  counts.at[0] = s.total;
  for (std::size_t level = 0; level < s.last.known; ++level) counts.at[level + 1] = s.store[s.last.path[level]].count;
  return counts;
}

void ProbabilityTable::record(std::span<const FeatureValue> values, double n) {
  State& s = *state_;
  assert(values.size() == s.features.size() && n > 0);
  ++s.counters.updates;
  if (s.is_overdue()) s.look_at_overdue(kOverdueAnUpdate);
  if (!s.is_last(values)) s.look_up(values);
  if (s.last.known < values.size()) return s.record_new(values, n);
  EntryId parent = 0;
  for (std::size_t level = 0; level < values.size(); ++level) {
    const EntryId id = s.last.path[level];
    TableEntry& entry = s.store[id];
    if (s.tracks) s.change_sums(parent, level, entry.count, entry.count + n);
    entry.count += n;
    entry.seen_again = 1;
    parent = id;
  }
  s.total += n;
}

double ProbabilityTable::entropy(std::span<const FeatureValue> prefix) const {
  State& s = *state_;
  assert(s.tracked[prefix.size()]);
  if (!s.is_last(prefix)) s.look_up(prefix);
  if (s.last.known < prefix.size()) return 0;
  const EntryId parent = prefix.empty() ? 0 : s.last.path[prefix.size() - 1];
  const EntropySums& own = s.sums_of(parent);
  return own.counts > 0 ? std::max(0.0, std::log2(own.counts) - own.log_counts / own.counts) : 0;
}

void ProbabilityTable::track_entropy(std::size_t depth) {
  State& s = *state_;
  assert(depth < s.features.size() && s.store.found() == 0);
  s.tracked[depth] = s.tracks = true;
  if (s.sums.size() == 0) s.sums = MappedArray<EntropySums>(s.store.first_entry() + s.max_entries);
}

std::size_t ProbabilityTable::entries() const { return state_->store.found(); }

std::size_t ProbabilityTable::bytes() const {
  const State& s = *state_;
  return s.store.bytes() + (s.sums.size() > 0 ? s.store.last_entry() * sizeof(EntropySums) : 0);
}

const ProbabilityTable::Counters& ProbabilityTable::counters() const { return state_->counters; }

}  // namespace spidd
