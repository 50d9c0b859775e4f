// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Index and places of a table's entries.
#include "userspace/spade/entry_store.h"

#include "userspace/spade/entry_lists.h"

namespace spidd {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): the seed's expansion to keys.
std::uint64_t next_key(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

EntryStore::EntryStore(std::size_t max_entries, std::uint32_t lists, std::uint64_t seed)
    : max_entries_(max_entries),
      first_entry_(lists + 1),
      entries_(first_entry_ + max_entries),
      places_(first_entry_ + max_entries, MappedArray<EntryPlace>::kSmall + 8 * MappedArray<EntryPlace>::kPage),
      buckets_(max_entries / kEntriesABucket + kFirstBuckets) {
  for (std::uint64_t& key : keys_) key = next_key(seed);
  for (std::uint32_t list = 0; list < lists; ++list) {
    DueList::make_empty(*this, head(list));
    AgeList::make_empty(*this, head(list));
  }
  entries_[0].parent = ~EntryId{0};
  clear();
}

void EntryStore::clear() {
  bucket_count_ = kFirstBuckets;
  mask_ = 2 * kFirstBuckets - 1;
  for (std::size_t i = 0; i < kFirstBuckets; ++i) buckets_[i] = EntryBucket{};
  indexed_ = used_ = 0;
  untouched_ = first_entry_;
  free_ = 0;
  for (EntryId id = 1; id < first_entry_; ++id) {
    DueList::make_empty(*this, id);
    AgeList::make_empty(*this, id);
  }
}

void EntryStore::split_bucket() {
  const std::size_t added = bucket_count_++;
  EntryBucket& high = buckets_[added];
  EntryBucket& low = buckets_[added & (mask_ >> 1)];
  __builtin_prefetch(&low + 1, 1);
  const EntryBucket old = low;
  low = high = EntryBucket{};
  for (std::uint32_t i = 0; i < old.used; ++i) {
    EntryBucket& to = (old.hashes[i] & mask_) == added ? high : low;
    to.hashes[to.used] = old.hashes[i];
    to.ids[to.used++] = old.ids[i];
  }
  for (EntryId id = old.overflow; id != 0;) {
    const EntryId next = places_[id].next;
    put((places_[id].hash & mask_) == added ? high : low, id);
    id = next;
  }
  if (bucket_count_ > mask_) mask_ = 2 * mask_ + 1;
}

void EntryStore::take_from_overflow(EntryBucket& of, EntryId id) {
  EntryId* link = &of.overflow;
  while (*link != id) link = &places_[*link].next;
  *link = places_[id].next;
}

std::size_t EntryStore::bytes() const {
  return untouched_ * (sizeof(TableEntry) + sizeof(EntryPlace)) + bucket_count_ * sizeof(EntryBucket);
}

}  // namespace spidd
