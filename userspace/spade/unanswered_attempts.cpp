// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attempts in the order of their time: the oldest goes first.
#include "userspace/spade/unanswered_attempts.h"

namespace spidd {

void UnansweredAttempts::add(const Observation& packet, std::int64_t second) {
  const WaitingKey key = WaitingKey::of(packet, packet.transport == Transport::tcp ? 0 : 1);
  auto slot = attempts_.find(key);
  if (slot == decltype(attempts_)::kNone) {
    if (attempts_.full()) {
      attempts_.erase(attempts_.oldest());
      forgotten_++;
    }
    slot = attempts_.insert(key);
  } else {
    attempts_.touch(slot);
  }
  attempts_[slot] = {packet, second};
}

std::optional<Observation> UnansweredAttempts::take_answered_by(const Observation& packet, std::int64_t second) {
  const auto slot = attempts_.find(WaitingKey::answered_by(packet, packet.transport == Transport::tcp ? 0 : 1));
  if (slot == decltype(attempts_)::kNone) return std::nullopt;
  const Attempt attempt = attempts_[slot];
  attempts_.erase(slot);
  if (second - attempt.second > kLongestSeconds) return std::nullopt;
  return attempt.packet;
}

}  // namespace spidd
