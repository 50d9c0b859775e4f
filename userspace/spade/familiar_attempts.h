// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which connection attempts tell SPADE nothing new, so that the kernel may count instead of send them: a client that is
// answered by the same service again and again, without an alert. Not thread-safe.
#pragma once

#include <cstdint>

#include "userspace/base/lru_table.h"
#include "userspace/capture/connection_attempt.h"

namespace spidd {

class FamiliarAttempts {
 public:
  struct Settings {
    std::uint32_t candidates = 16384;              // attempts watched; the longest unheard of go
    std::uint32_t answers = 16;                    // so many answers ...
    Duration within = std::chrono::minutes(10);    // ... within this make an attempt familiar
    Duration after_alert = std::chrono::hours(1);  // not before, once it raised an alert
  };

  explicit FamiliarAttempts(const Settings& settings) : settings_(settings), candidates_(settings.candidates) {}

  // The service answered the client (TCP SYN-ACK, UDP reply). True if the attempt is familiar from now on; it is then
  // forgotten here.
  bool answered(const ConnectionAttempt& attempt, Timestamp now);

  // An alert was about it.
  void alerted(const ConnectionAttempt& attempt, Timestamp now);

  std::uint32_t candidates() const { return candidates_.size(); }

 private:
  struct Candidate {
    Timestamp since;       // of the first of the answers counted
    Timestamp not_before;  // no answer counts before this
    std::uint32_t answers = 0;
  };

  Candidate& candidate(const ConnectionAttempt& attempt);

  Settings settings_;
  LruTable<ConnectionAttempt, Candidate> candidates_;
};

}  // namespace spidd
