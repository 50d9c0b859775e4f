// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Who and what was seen most, in bounded memory. Linear in the few entries they have.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spidd {

// The most frequent keys of a stream (space-saving: Metwally, Agrawal, El Abbadi, ICDT 2005). A key that was seen more
// often than 1/Places of all is in it; `count` may be too high by what the key in its place had before.
template <class Key, std::size_t Places>
class SpaceSaving {
 public:
  struct Entry {
    Key key;
    std::uint64_t count;
  };
  static constexpr std::size_t kPlaces = Places;

  void add(const Key& key, std::uint64_t count = 1) {
    const auto known = std::ranges::find(entries_, key, &Entry::key);
    if (known != entries_.end()) {
      known->count += count;
    } else if (entries_.size() < Places) {
      entries_.push_back({key, count});
    } else {
      const auto least = std::ranges::min_element(entries_, {}, &Entry::count);
      *least = {key, least->count + count};
    }
  }

  void merge(const SpaceSaving& other) {
    for (const Entry& entry : other.entries_) add(entry.key, entry.count);
  }

  std::span<const Entry> entries() const { return entries_; }

  // Most frequent first.
  std::vector<Entry> sorted() const {
    std::vector<Entry> sorted = entries_;
    std::ranges::stable_sort(sorted, std::greater{}, &Entry::count);
    return sorted;
  }

 private:
  std::vector<Entry> entries_;
};

// How many flows each key gave, and how many of them lately. Where there is no place left, the key with the fewest
// goes: size() is then the least there were.
template <class Key, std::size_t Places>
class Shares {
 public:
  struct Entry {
    Key key;
    std::uint32_t flows = 0;
    std::uint32_t lately = 0;
  };
  static constexpr std::size_t kPlaces = Places;

  const Entry* find(const Key& key) const {
    const auto known = std::ranges::find(entries_, key, &Entry::key);
    return known == entries_.end() ? nullptr : &*known;
  }

  void add(const Key& key, std::uint32_t flows = 1, std::uint32_t lately = 1) {
    const auto known = std::ranges::find(entries_, key, &Entry::key);
    if (known != entries_.end()) {
      known->flows += flows;
      known->lately += lately;
    } else if (entries_.size() < Places) {
      entries_.push_back({key, flows, lately});
    } else {
      *std::ranges::min_element(entries_, {}, &Entry::flows) = {key, flows, lately};
    }
  }

  void merge(const Shares& other) {
    for (const Entry& entry : other.entries_) add(entry.key, entry.flows, entry.lately);
  }

  // What is lately from here on.
  void begin_anew() {
    for (Entry& entry : entries_) entry.lately = 0;
  }

  std::size_t size() const { return entries_.size(); }
  bool full() const { return entries_.size() == Places; }
  std::span<const Entry> entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace spidd
