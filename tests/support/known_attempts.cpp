// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tests/support/known_attempts.h"

#include <arpa/inet.h>

#include <cstring>

#include "bpf/observe.h"

namespace spidd::test {
namespace {

spidd_number number_of(const IpAddress& address) {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes.data(), sizeof words);
  return {SPIDD_SWAP64(words[0]), SPIDD_SWAP64(words[1])};
}

// As the parser leaves it, as far as spidd_attempt_of() looks.
spidd_packet parsed(const Observation& observation) {
  spidd_packet packet{};
  packet.status = SPIDD_PARSE_FLOW;
  packet.protocol = static_cast<std::uint8_t>(observation.transport);
  packet.tcp_flags = observation.tcp_flags;
  packet.source_port = observation.source_port;
  packet.destination_port = observation.destination_port;
  spidd_packet_set_addresses(&packet, number_of(observation.source), number_of(observation.destination));
  spidd_packet_set_tail(&packet, observation.domain);
  return packet;
}

ConnectionAttempt attempt_of(const spidd_attempt_key& key) {
  ConnectionAttempt attempt;
  std::memcpy(attempt.client.bytes.data(), key.client.bytes, sizeof key.client.bytes);
  std::memcpy(attempt.server.bytes.data(), key.server.bytes, sizeof key.server.bytes);
  attempt.port = ntohs(key.port);
  attempt.transport = static_cast<Transport>(key.protocol);
  return attempt;
}

}  // namespace

bool KnownAttempts::count(const Observation& packet) {
  if (packet.kind != Observation::Kind::packet) return false;
  const spidd_packet raw = parsed(packet);
  for (const std::uint32_t direction : {SPIDD_TO_SERVER, SPIDD_TO_CLIENT}) {
    if (packet.transport == Transport::udp && packet.reply != (direction == SPIDD_TO_CLIENT)) continue;
    alignas(8) spidd_attempt_key key;
    const std::uint32_t kind = spidd_attempt_of(&raw, direction, &key);
    if (kind >= SPIDD_ATTEMPT_COUNTS) continue;
    const auto known = known_.find(attempt_of(key));
    if (known == known_.end()) continue;
    ++known->second[kind];
    return true;
  }
  return false;
}

void KnownAttempts::hand_on(const ConnectionAttempt& attempt, Counts& counts, Timestamp now, const Handle& handle) {
  constexpr std::uint8_t kFlags[] = {SPIDD_TCP_SYN, SPIDD_TCP_SYN | SPIDD_TCP_ACK, SPIDD_TCP_FIN | SPIDD_TCP_ACK,
                                     SPIDD_TCP_FIN | SPIDD_TCP_ACK};
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] == 0) continue;
    const bool from_client = kind == SPIDD_ATTEMPT_SYN || kind == SPIDD_ATTEMPT_CLIENT_FIN;
    Observation one;
    one.time = now;
    one.count = counts[kind];
    one.source = from_client ? attempt.client : attempt.server;
    one.destination = from_client ? attempt.server : attempt.client;
    (from_client ? one.destination_port : one.source_port) = attempt.port;
    one.domain = attempt.domain;
    one.transport = attempt.transport;
    if (attempt.transport == Transport::tcp)
      one.tcp_flags = kFlags[kind];
    else
      one.reply = !from_client;
    counts[kind] = 0;
    handle(one);
  }
}

void KnownAttempts::forget(const ConnectionAttempt& attempt, Timestamp now, const Handle& handle) {
  auto node = known_.extract(attempt);
  if (!node.empty()) hand_on(attempt, node.mapped(), now, handle);
}

void KnownAttempts::poll(Timestamp now, const Handle& handle) {
  for (auto& [attempt, counts] : known_) hand_on(attempt, counts, now, handle);
}

}  // namespace spidd::test
