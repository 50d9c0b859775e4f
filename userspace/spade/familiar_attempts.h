// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which connection attempts tell SPADE nothing new, so that the kernel may count instead of send them: a client that is
// answered by the same service again and again, without any of its packets, or of the answers, being suspicious. What
// is counted has no client port and comes up to a second late: that changes no score by more than 0.001 and no wait for
// a response, because nobody waits for what is not suspicious (spade.md 12.2, tests/unit/spade/aggregation_test.cpp).
//
// How it is used, for every observation: spade.observe(observation), whose sink calls suspected(), what that returns is
// to be seen again if it was counted; then seen(), what that returns may be counted. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "userspace/base/lru_table.h"
#include "userspace/capture/connection_attempt.h"
#include "userspace/spade/settings.h"

namespace spidd {

class FamiliarAttempts {
 public:
  struct Settings {
    std::uint32_t candidates = 16384;                  // attempts watched; the longest unheard of go
    std::uint32_t answers = 16;                        // so many answers ...
    Duration within = std::chrono::minutes(10);        // ... within this make an attempt familiar
    Duration after_suspicion = std::chrono::hours(1);  // not before
  };

  FamiliarAttempts(const Settings& settings, const SpadeSettings& spade);

  // The attempt that is familiar from now on, because this packet answers it (TCP SYN-ACK, UDP reply); it is then
  // forgotten here.
  std::optional<ConnectionAttempt> seen(const Observation& observation);

  // A packet is over a threshold. The attempts that the kernel may have counted it in: none, one, or two because nobody
  // knows whether a FIN is the client's.
  struct Suspects {
    std::array<ConnectionAttempt, 2> each;
    std::size_t count = 0;
  };
  Suspects suspected(const Observation& packet);

  std::uint32_t candidates() const { return candidates_.size(); }

 private:
  struct Candidate {
    Timestamp since;       // of the first of the answers counted
    Timestamp not_before;  // no answer counts before this
    std::uint32_t answers = 0;
  };

  Candidate& candidate(const ConnectionAttempt& attempt);

  Settings settings_;
  bool enabled_ = true;
  LruTable<ConnectionAttempt, Candidate> candidates_;
};

}  // namespace spidd
