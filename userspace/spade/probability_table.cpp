// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Decay, forgetting and making room in a probability table.
//
// Every entry has the number of scalings that its count has gone through; whoever touches it multiplies by the factor
// once for each that it missed, so that counts are those of a pass over the whole table, to the bit. A calendar holds
// entries by the scaling at which they can be below the cutoff at the earliest; a scaling moves that day's to the
// overdue, and these are looked at in slices: forgotten, or put down for another day.
//
// Room is made among the newcomers: the youngest eighth of the table, in order of age. What was seen once only is given
// up, oldest newcomer first; what was seen again may settle, until seven eighths of the table have. So a flood of
// random keys churns in its eighth, whatever was there before it stays, and a new key has time to be seen again. What
// is given up was seen all the same: it goes on counting in N and above it, and decays there (2.4, 12.4). Else a flood
// would make everything else look common.
#include "userspace/spade/probability_table.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <utility>

#include "userspace/spade/entry_store.h"

namespace spidd {
namespace {

constexpr std::uint32_t kCalendarSteps = 512;  // a power of two; what is due later is looked at earlier
constexpr std::uint32_t kOverdue = kCalendarSteps;
constexpr std::uint32_t kNewcomers = kCalendarSteps + 1;
constexpr std::uint32_t kSettled = kCalendarSteps + 2;  // seen once, but older than the newcomers
constexpr std::uint32_t kLists = kCalendarSteps + 3;

constexpr std::size_t kOverdueASecond = 8192;
constexpr std::size_t kOverdueAnUpdate = 4;
constexpr int kTriesForRoom = 16;
constexpr std::size_t kNoLookUp = 0;

// Beyond these a table does not decay in the life of a machine, or is never rid of an entry; both would be unbounded
// work.
constexpr double kLargestFactor = 1 - 1e-7;
constexpr double kSmallestCutoff = 1e-9;
constexpr std::uint32_t kExactSteps = 2048;
// Of Timestamp, and more: 290 years.
constexpr std::int64_t kLastSecond = std::int64_t{1} << 33;

double c_log_c(double c) { return c > 0 ? c * std::log2(c) : 0; }

// What entropy() needs of the entries below one parent.
struct Sums {
  double counts = 0;      // C
  double log_counts = 0;  // Q: of c log2 c
  std::uint32_t step = 0;
};

std::uint64_t word(const IpAddress& address, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = at; i < at + 8; ++i) value = value << 8 | address.bytes[i];
  return value;
}

}  // namespace

std::string_view feature_name(Feature feature) {
  switch (feature) {
    case Feature::source:
      return "sip";
    case Feature::destination:
      return "dip";
    case Feature::source_port:
      return "sport";
    case Feature::destination_port:
      return "dport";
    case Feature::icmp_type_code:
      return "icmptype+code";
  }
  return {};
}

FeatureValue value_of(const IpAddress& address) { return {word(address, 0), word(address, 8)}; }

FeatureValue value_of(Feature feature, const Observation& observation) {
  switch (feature) {
    case Feature::source:
      return value_of(observation.source);
    case Feature::destination:
      return value_of(observation.destination);
    case Feature::source_port:
      return {0, observation.source_port};
    case Feature::destination_port:
      return {0, observation.destination_port};
    case Feature::icmp_type_code:
      return {0, observation.icmp_type * 256U + observation.icmp_code};
  }
  return {};
}

struct ProbabilityTable::State {
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
  std::uint32_t steps_to_cutoff(double count) const;
  std::uint32_t steps_of(double count) const;
  void put_down(EntryId id);
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
  void record_new(std::span<const FeatureValue> values, double n);
  Sums& sums_of(EntryId parent);
  void change_sums(EntryId parent, std::size_t parent_depth, double from, double to);

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
  MappedArray<Sums> sums;                 // by parent; empty if nothing is tracked
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
std::uint32_t ProbabilityTable::State::steps_to_cutoff(double count) const {
  if (!(count > cutoff)) return 1;
  if (count == 1) return steps_of_one;
  return steps_of(count);
}

std::uint32_t ProbabilityTable::State::steps_of(double count) const {
  const double steps = std::log(cutoff / count) / log_factor;
  return steps >= kCalendarSteps - 1 ? kCalendarSteps - 1 : std::max(1U, static_cast<std::uint32_t>(steps));
}

void ProbabilityTable::State::put_down(EntryId id) {
  if (!decays) return;
  DueList::append(store, EntryStore::head((step + steps_to_cutoff(store[id].count)) % kCalendarSteps), id);
}

void ProbabilityTable::State::look_at_overdue(std::size_t most) {
  const EntryId overdue = EntryStore::head(kOverdue);
  for (; most > 0 && is_overdue(); --most) {
    const EntryId id = store.place(overdue).due_next;
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
  if (sums.size() > 0) sums[0] = Sums{};
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
  if (id == last.dead || std::find(last.path.begin(), last.path.end(), id) != last.path.end()) last.size = kNoLookUp;
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
  const std::size_t size = values.size();
  std::array<const EntryBucket*, kMaxDepth> buckets;
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
  for (EntryId parent = 0; known < size; ++known) {
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
  if (known < size && known > 0) store.prefetch_to_insert(last.path[known - 1]);
}

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
  if (sums.size() > 0) sums[id] = Sums{0, 0, step};
  put_down(id);
  return id;
}

Sums& ProbabilityTable::State::sums_of(EntryId parent) {
  Sums& own = sums[parent];
  if (own.step != step) {
    const double missed = step - own.step;
    const double scale = std::pow(factor, missed);
    own.log_counts = scale > 0 ? scale * (own.log_counts + own.counts * missed * std::log2(factor)) : 0;
    own.counts *= scale;
    own.step = step;
  }
  return own;
}

void ProbabilityTable::State::change_sums(EntryId parent, std::size_t parent_depth, double from, double to) {
  if (!tracked[parent_depth] || (parent != 0 && store.place(parent).forgotten)) return;
  Sums& own = sums_of(parent);
  own.counts += to - from;
  own.log_counts += c_log_c(to) - c_log_c(from);
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
  second = std::clamp(second, -kLastSecond, kLastSecond);
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

double ProbabilityTable::entropy(std::span<const FeatureValue> prefix) const {
  State& s = *state_;
  assert(s.tracked[prefix.size()]);
  if (!s.is_last(prefix)) s.look_up(prefix);
  if (s.last.known < prefix.size()) return 0;
  const EntryId parent = prefix.empty() ? 0 : s.last.path[prefix.size() - 1];
  const Sums& own = s.sums_of(parent);
  return own.counts > 0 ? std::max(0.0, std::log2(own.counts) - own.log_counts / own.counts) : 0;
}

void ProbabilityTable::track_entropy(std::size_t depth) {
  State& s = *state_;
  assert(depth < s.features.size() && s.store.found() == 0);
  s.tracked[depth] = s.tracks = true;
  if (s.sums.size() == 0) s.sums = MappedArray<Sums>(s.store.first_entry() + s.max_entries);
}

std::size_t ProbabilityTable::entries() const { return state_->store.found(); }

std::size_t ProbabilityTable::bytes() const {
  const State& s = *state_;
  return s.store.bytes() + (s.sums.size() > 0 ? s.store.last_entry() * sizeof(Sums) : 0);
}

const ProbabilityTable::Counters& ProbabilityTable::counters() const { return state_->counters; }

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
    return second == kNoSecond || (second >= -kLastSecond && second <= kLastSecond);
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
  if (count <= 1) AgeList::append(s.store, EntryStore::head(kSettled), id);
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
