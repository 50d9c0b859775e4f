// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bounded hash table whose entries stand in least-recently-used order, in one of several lists. Entries are named by
// slot numbers that stay valid until the entry is erased; references stay valid too, because entries never move.
// Memory grows with use and never beyond the limit. Why not a standard map: no allocation per entry, 8 bytes of index
// an entry, and the order for free. Not thread-safe.
//
// A value that holds its own key need not be stored beside it: `kKey` is the member of Value that is the key. It must
// not be changed while the entry is in the table.
//
// Invariants: (1) every used slot is in exactly one list and once in the index; (2) within a list, `oldest` to `newest`
// is the order of the last touch(); (3) the index is at most half full, so that probes stay short.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

namespace spidd {

template <class Key, class Value, unsigned Lists = 1, auto kKey = nullptr>
class LruTable {
 public:
  using Slot = std::uint32_t;
  static constexpr unsigned kSlotBits = 29;  // leaves room for the number of the list beside a slot
  static constexpr Slot kNone = (Slot{1} << kSlotBits) - 1;
  static_assert(Lists <= 8);

  // Requires: 0 < limit < kNone.
  explicit LruTable(std::uint32_t limit) : limit_(limit) {
    ends_.fill({kNone, kNone});
    index_.assign(64, {});
  }

  std::uint32_t size() const { return size_; }
  std::uint32_t size(unsigned list) const { return list_size_[list]; }
  bool full() const { return size_ >= limit_; }

  Slot find(const Key& key) const {
    const std::uint32_t hash = hash_of(key);
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const IndexCell cell = index_[i];
      if (cell.slot_plus_one == 0) return kNone;
      if (cell.hash == hash && key_of(entry(cell.slot_plus_one - 1)) == key) return cell.slot_plus_one - 1;
    }
  }

  // Requires: !full() and the key is not in the table. The value is value-initialised; the entry is the newest of
  // `list`.
  Slot insert(const Key& key, unsigned list = 0) {
    assert(!full());
    if ((size_ + 1) * 2 > index_.size()) grow_index();
    Slot slot = free_;
    if (slot != kNone) {
      free_ = entry(slot).next;
    } else {
      slot = next_unused_++;
      if (slot / kChunk >= chunks_.size()) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
    }
    Entry& e = entry(slot);
    e.value = Value{};
    key_of(e) = key;
    place(hash_of(key), slot);
    link(slot, list);
    ++size_;
    return slot;
  }

  void erase(Slot slot) {
    unindex(slot);
    unlink(slot);
    Entry& e = entry(slot);
    e.value = Value{};
    e.next = free_;
    free_ = slot;
    --size_;
  }

  // Makes the entry the newest of `list`, taking it out of the list it was in.
  void touch(Slot slot, unsigned list = 0) {
    if (entry(slot).list == list && ends_[list].newest == slot) return;
    unlink(slot);
    link(slot, list);
  }

  Value& operator[](Slot slot) { return entry(slot).value; }
  const Value& operator[](Slot slot) const { return entry(slot).value; }
  const Key& key(Slot slot) const { return key_of(entry(slot)); }
  unsigned list(Slot slot) const { return entry(slot).list; }
  Slot oldest(unsigned list = 0) const { return ends_[list].oldest; }
  Slot newer(Slot slot) const { return entry(slot).next; }  // within its list; kNone after the newest

  // What an entry takes, its share of the index included, when the limit is reached. Up to there the index may have
  // twice as many cells.
  static constexpr std::size_t bytes_per_entry() { return sizeof(Entry) + 2 * sizeof(IndexCell); }

 private:
  static constexpr std::uint32_t kChunk = 1024;

  static constexpr bool kStoresKey = std::is_null_pointer_v<decltype(kKey)>;
  struct OwnKey {
    Key key{};
  };
  struct NoKey {};
  struct Entry : std::conditional_t<kStoresKey, OwnKey, NoKey> {
    Value value{};
    Slot prev : kSlotBits = kNone;
    Slot list : 32 - kSlotBits = 0;
    Slot next = kNone;  // also the free list
  };
  struct IndexCell {
    std::uint32_t hash = 0;
    std::uint32_t slot_plus_one = 0;  // 0 = empty
  };
  struct Ends {
    Slot oldest;
    Slot newest;
  };

  // Works for const and other entries.
  template <class AnyEntry>
  static auto& key_of(AnyEntry& entry) {
    if constexpr (kStoresKey) {
      return entry.key;
    } else {
      return entry.value.*kKey;
    }
  }
  static std::uint32_t hash_of(const Key& key) {
    const std::uint64_t hash = std::hash<Key>{}(key);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32));
  }
  std::size_t mask() const { return index_.size() - 1; }
  Entry& entry(Slot slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  const Entry& entry(Slot slot) const { return chunks_[slot / kChunk][slot % kChunk]; }

  void place(std::uint32_t hash, Slot slot) {
    std::size_t i = hash & mask();
    while (index_[i].slot_plus_one != 0) i = (i + 1) & mask();
    index_[i] = {hash, slot + 1};
  }

  void grow_index() {
    std::vector<IndexCell> old(index_.size() * 2);
    old.swap(index_);
    for (const IndexCell& cell : old)
      if (cell.slot_plus_one != 0) place(cell.hash, cell.slot_plus_one - 1);
  }

  // Linear probing without tombstones: the cells behind the hole that may move closer to their home do so.
  void unindex(Slot slot) {
    std::size_t hole = hash_of(key_of(entry(slot))) & mask();
    while (index_[hole].slot_plus_one != slot + 1) hole = (hole + 1) & mask();
    for (std::size_t i = (hole + 1) & mask(); index_[i].slot_plus_one != 0; i = (i + 1) & mask()) {
      const std::size_t home = index_[i].hash & mask();
      if (((i - home) & mask()) >= ((i - hole) & mask())) {
        index_[hole] = index_[i];
        hole = i;
      }
    }
    index_[hole] = {};
  }

  void link(Slot slot, unsigned list) {
    Entry& e = entry(slot);
    Ends& ends = ends_[list];
    e.list = list & 7;
    e.prev = ends.newest & kNone;
    e.next = kNone;
    if (ends.newest != kNone)
      entry(ends.newest).next = slot;
    else
      ends.oldest = slot;
    ends.newest = slot;
    ++list_size_[list];
  }

  void unlink(Slot slot) {
    const Entry& e = entry(slot);
    Ends& ends = ends_[e.list];
    (e.prev == kNone ? ends.oldest : entry(e.prev).next) = e.next;
    if (e.next == kNone)
      ends.newest = e.prev;
    else
      entry(e.next).prev = e.prev;
    --list_size_[e.list];
  }

  std::uint32_t limit_;
  std::uint32_t size_ = 0;
  Slot free_ = kNone;
  Slot next_unused_ = 0;
  std::array<Ends, Lists> ends_;
  std::array<std::uint32_t, Lists> list_size_{};
  std::vector<IndexCell> index_;
  std::vector<std::unique_ptr<Entry[]>> chunks_;
};

}  // namespace spidd
