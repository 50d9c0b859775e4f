// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/familiar_attempts.h"

#include <algorithm>

namespace spidd {

FamiliarAttempts::Candidate& FamiliarAttempts::candidate(const ConnectionAttempt& attempt) {
  auto slot = candidates_.find(attempt);
  if (slot == candidates_.kNone) {
    if (candidates_.full()) candidates_.erase(candidates_.oldest());
    slot = candidates_.insert(attempt);
  }
  candidates_.touch(slot);
  return candidates_[slot];
}

bool FamiliarAttempts::answered(const ConnectionAttempt& attempt, Timestamp now) {
  Candidate& known = candidate(attempt);
  if (now < known.not_before) return false;
  if (known.answers == 0 || now - known.since > settings_.within) {
    known.since = now;
    known.answers = 0;
  }
  if (++known.answers < settings_.answers) return false;
  candidates_.erase(candidates_.find(attempt));
  return true;
}

void FamiliarAttempts::alerted(const ConnectionAttempt& attempt, Timestamp now) {
  Candidate& known = candidate(attempt);
  known.not_before = std::max(known.not_before, now + settings_.after_alert);
  known.answers = 0;
}

}  // namespace spidd
