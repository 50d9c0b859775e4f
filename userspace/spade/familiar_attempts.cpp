// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/familiar_attempts.h"

#include <algorithm>
#include <utility>

#include "userspace/spade/packet_class.h"

namespace spidd {

namespace {

constexpr std::uint8_t kFin = 0x01;

bool is_answer(const Observation& observation) {
  if (observation.kind != Observation::Kind::packet) return false;
  if (observation.transport == Transport::tcp) return flag_group(observation.tcp_flags) == FlagGroup::synack;
  return observation.transport == Transport::udp && observation.reply;
}

FamiliarAttempts::Suspects counted_in(const Observation& packet) {
  FamiliarAttempts::Suspects suspects;
  if (packet.transport == Transport::tcp) {
    const FlagGroup group = flag_group(packet.tcp_flags);
    const bool fin = group == FlagGroup::teardown && (packet.tcp_flags & kFin) != 0;
    if (group != FlagGroup::synonly && group != FlagGroup::synack && !fin) return suspects;
    suspects.each[suspects.count++] = ConnectionAttempt::of(packet);
    if (!fin) return suspects;
    ConnectionAttempt& other = suspects.each[suspects.count++];
    other = suspects.each[0];
    std::swap(other.client, other.server);
    other.port = packet.destination_port;
  } else if (packet.transport == Transport::udp) {
    suspects.each[suspects.count++] = ConnectionAttempt::of(packet);
  }
  return suspects;
}

// A port of the client's is all that a count does not have.
bool asks_for_source_ports(const SpadeSettings& spade) {
  if (!spade.exclusions.source_ports.empty()) return true;
  return std::ranges::any_of(spade.detectors, [](const DetectorSettings& detector) {
    return (detector.type == DetectorType::closed_dport && detector.probability_mode <= 1) ||
           !detector.exclusions.source_ports.empty();
  });
}

}  // namespace

FamiliarAttempts::FamiliarAttempts(const Settings& settings, const SpadeSettings& spade)
    : settings_(settings), enabled_(!asks_for_source_ports(spade)), candidates_(settings.candidates) {}

FamiliarAttempts::Candidate& FamiliarAttempts::candidate(const ConnectionAttempt& attempt) {
  auto slot = candidates_.find(attempt);
  if (slot == candidates_.kNone) {
    if (candidates_.full()) candidates_.erase(candidates_.oldest());
    slot = candidates_.insert(attempt);
  }
  candidates_.touch(slot);
  return candidates_[slot];
}

std::optional<ConnectionAttempt> FamiliarAttempts::seen(const Observation& observation) {
  if (!enabled_ || !is_answer(observation)) return std::nullopt;
  const ConnectionAttempt attempt = ConnectionAttempt::of(observation);
  Candidate& known = candidate(attempt);
  const Timestamp now = observation.time;
  if (now < known.not_before) return std::nullopt;
  if (known.answers == 0 || now - known.since > settings_.within) {
    known.since = now;
    known.answers = 0;
  }
  if (++known.answers < settings_.answers) return std::nullopt;
  candidates_.erase(candidates_.find(attempt));
  return attempt;
}

FamiliarAttempts::Suspects FamiliarAttempts::suspected(const Observation& packet) {
  const Suspects suspects = enabled_ ? counted_in(packet) : Suspects{};
  for (std::size_t i = 0; i < suspects.count; ++i) {
    Candidate& known = candidate(suspects.each[i]);
    known.not_before = std::max(known.not_before, packet.time + settings_.after_suspicion);
    known.answers = 0;
  }
  return suspects;
}

}  // namespace spidd
