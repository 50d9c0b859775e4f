// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// First packets that nobody has answered yet: SpadeExtensions::learn_answered_only learns them when the answer comes.
// Source: spade.md 12.7.1. Bounded: the oldest is given up for room. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/base/lru_table.h"
#include "userspace/spade/wait_queue.h"

namespace spidd {

class UnansweredAttempts {
 public:
  // An answer that comes later is none.
  static constexpr std::int64_t kLongestSeconds = 60;

  explicit UnansweredAttempts(std::uint32_t limit) : attempts_(limit) {}

  // A repeated attempt is the same attempt.
  void add(const Observation& packet, std::int64_t second);
  // The attempt that `packet` answers; it is not unanswered any more.
  std::optional<Observation> take_answered_by(const Observation& packet, std::int64_t second);

  std::size_t size() const { return attempts_.size(); }
  std::uint64_t forgotten() const { return forgotten_; }  // given up for room

 private:
  struct Attempt {
    Observation packet;
    std::int64_t second = 0;
  };

  LruTable<WaitingKey, Attempt> attempts_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace spidd
