// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The newest events in memory, for `spidctl alerts`: a ring of serialized events, each with a number that rises by one.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace spidd {

// Bounded by number and by bytes; the oldest go first. Thread-safe.
class RecentEvents {
 public:
  struct Limits {
    std::size_t events = 1000;
    std::size_t bytes = std::size_t{4} << 20U;
  };
  struct Event {
    std::uint64_t number = 0;  // the first ever is 1
    std::string json;
  };

  explicit RecentEvents(Limits limits) : limits_(limits) {}

  // Returns the event's number.
  std::uint64_t push(std::string json);

  // The events with numbers above `since` that are still there, oldest first; if there are more than `limit`, the
  // newest of them. A gap between `since` and the first number says how many were forgotten.
  std::vector<Event> after(std::uint64_t since, std::size_t limit) const;

  std::uint64_t last_number() const;  // 0 = none yet

 private:
  const Limits limits_;
  mutable std::mutex mutex_;
  std::deque<std::string> events_;  // the last one has number last_
  std::size_t bytes_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace spidd
