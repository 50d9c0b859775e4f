// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Index and places of a table's entries.
#include "userspace/spade/entry_store.h"

namespace spidd {
namespace {

constexpr std::size_t kFirstBuckets = 256;

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
      buckets_(max_entries + kFirstBuckets) {
  for (std::uint64_t& key : keys_) key = next_key(seed);
  for (std::uint32_t list = 0; list < lists; ++list) {
    DueList::make_empty(*this, head(list));
    AgeList::make_empty(*this, head(list));
  }
  clear();
}

void EntryStore::clear() {
  bucket_count_ = kFirstBuckets;
  mask_ = 2 * kFirstBuckets - 1;
  for (std::size_t i = 0; i < kFirstBuckets; ++i) buckets_[i] = 0;
  indexed_ = used_ = 0;
  untouched_ = first_entry_;
  free_ = 0;
  for (EntryId id = 1; id < first_entry_; ++id) {
    DueList::make_empty(*this, id);
    AgeList::make_empty(*this, id);
  }
}

std::uint32_t EntryStore::hash(EntryId parent, const FeatureValue& value) const {
  const std::uint64_t sum = keys_[0] + keys_[1] * static_cast<std::uint32_t>(value.low) + keys_[2] * (value.low >> 32) +
                            keys_[3] * static_cast<std::uint32_t>(value.high) + keys_[4] * (value.high >> 32) +
                            keys_[5] * parent;
  return static_cast<std::uint32_t>(sum >> 32);
}

std::size_t EntryStore::bucket(std::uint32_t hash) const {
  const std::size_t index = hash & mask_;
  return index < bucket_count_ ? index : index & (mask_ >> 1);
}

EntryId EntryStore::find(EntryId parent, const FeatureValue& value) const {
  for (EntryId id = buckets_[bucket(hash(parent, value))]; id != 0; id = entries_[id].next) {
    const TableEntry& entry = entries_[id];
    if (entry.value == value && entry.parent == parent) return id;
  }
  return 0;
}

EntryId EntryStore::insert(EntryId parent, const FeatureValue& value) {
  EntryId id = free_;
  if (id != 0) {
    free_ = entries_[id].next;
  } else {
    id = untouched_++;
  }
  ++used_;
  TableEntry& entry = entries_[id];
  entry = TableEntry{};
  entry.value = value;
  entry.parent = parent;
  entry.hash = hash(parent, value);
  EntryId& first = buckets_[bucket(entry.hash)];
  entry.next = first;
  first = id;
  if (++indexed_ > bucket_count_ && bucket_count_ < buckets_.size()) split_bucket();
  return id;
}

void EntryStore::split_bucket() {
  const std::size_t added = bucket_count_++;
  buckets_[added] = 0;
  EntryId* link = &buckets_[added & (mask_ >> 1)];
  while (*link != 0) {
    TableEntry& entry = entries_[*link];
    if ((entry.hash & mask_) != added) {
      link = &entry.next;
      continue;
    }
    const EntryId moved = *link;
    *link = entry.next;
    entry.next = buckets_[added];
    buckets_[added] = moved;
  }
  if (bucket_count_ > mask_) mask_ = 2 * mask_ + 1;
}

void EntryStore::hide(EntryId id) {
  EntryId* link = &buckets_[bucket(entries_[id].hash)];
  while (*link != id) link = &entries_[*link].next;
  *link = entries_[id].next;
  --indexed_;
}

void EntryStore::release(EntryId id) {
  entries_[id].depth = 0;
  entries_[id].next = free_;
  free_ = id;
  --used_;
}

std::size_t EntryStore::bytes() const { return untouched_ * sizeof(TableEntry) + bucket_count_ * sizeof(EntryId); }

}  // namespace spidd
