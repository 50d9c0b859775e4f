// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading the ring of observations and the counts of known attempts.
#include "userspace/capture/observation_source.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "bpf/abi.h"
#include "userspace/capture/observation_decoder.h"

namespace spidd {
namespace {

constexpr std::uint64_t kClockRefreshNs = 1'000'000'000;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;

struct CountedPacket {
  std::uint8_t tcp_flags;
  bool from_client;
};
// By enum spidd_attempt_count.
constexpr std::array<CountedPacket, SPIDD_ATTEMPT_COUNTS> kPackets = {
    {{kSyn, true}, {kSyn | kAck, false}, {kFin | kAck, true}, {kFin | kAck, false}}};

spidd_attempt_key abi_key(const ConnectionAttempt& attempt) {
  spidd_attempt_key key{};
  std::memcpy(key.client.bytes, attempt.client.bytes.data(), sizeof key.client);
  std::memcpy(key.server.bytes, attempt.server.bytes.data(), sizeof key.server);
  key.port = htons(attempt.port);
  key.protocol = static_cast<std::uint8_t>(attempt.transport);
  return key;
}

}  // namespace

ObservationSource::ObservationSource(BpfRing ring, UniqueFd known_attempts, std::size_t max_known)
    : ring_(std::move(ring)), known_attempts_(std::move(known_attempts)), max_known_(max_known) {}

std::size_t ObservationSource::drain(const Handle& handle, std::size_t max) {
  const std::uint64_t now = coarse_now_ns();
  if (now - clock_refreshed_ns_ > kClockRefreshNs) {
    clock_.refresh();
    clock_refreshed_ns_ = now;
  }
  return ring_.consume(max, [&](const std::byte* data, std::size_t length) {
    std::uint64_t time_ns = 0;
    if (length == sizeof(spidd_observation)) std::memcpy(&time_ns, data, sizeof time_ns);
    if (decode_observation({data, length}, clock_.offset_at(time_ns), observation_) != DecodeStatus::ok) {
      ++undecodable_;
      return;
    }
    handle(observation_);
  });
}

bool ObservationSource::know(const ConnectionAttempt& attempt) {
  if (known_.size() >= max_known_) {
    ++not_known_;
    return false;
  }
  const auto [place, fresh] = known_.try_emplace(attempt);
  if (!fresh) return false;
  place->second.active = clock_.now();
  const spidd_attempt_key key = abi_key(attempt);
  const spidd_attempt_counts zero{};
  if (bpf_map_update_elem(known_attempts_.get(), &key, &zero, BPF_ANY) == 0) return true;
  known_.erase(place);
  ++not_known_;
  return false;
}

bool ObservationSource::hand_on(const ConnectionAttempt& attempt, Known& known, const Handle& handle) {
  const spidd_attempt_key key = abi_key(attempt);
  spidd_attempt_counts counts{};
  if (bpf_map_lookup_elem(known_attempts_.get(), &key, &counts) != 0) return false;
  bool any = false;
  for (std::size_t kind = 0; kind < kPackets.size(); ++kind) {
    const std::uint64_t more = counts.value[kind] - known.seen[kind];
    if (more == 0) continue;
    any = true;
    known.seen[kind] = counts.value[kind];
    const CountedPacket packet = kPackets[kind];
    observation_ = {};
    observation_.time = clock_.now();
    observation_.count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(more, std::numeric_limits<std::uint32_t>::max()));
    observation_.source = packet.from_client ? attempt.client : attempt.server;
    observation_.destination = packet.from_client ? attempt.server : attempt.client;
    (packet.from_client ? observation_.destination_port : observation_.source_port) = attempt.port;
    observation_.domain = attempt.domain;
    observation_.transport = attempt.transport;
    if (attempt.transport == Transport::tcp) {
      observation_.tcp_flags = packet.tcp_flags;
    } else {
      observation_.reply = !packet.from_client;
    }
    handle(observation_);
  }
  if (any) known.active = clock_.now();
  return any;
}

void ObservationSource::forget(const ConnectionAttempt& attempt, const Handle& handle) {
  const auto found = known_.find(attempt);
  if (found == known_.end()) return;
  Known known = found->second;
  known_.erase(found);
  hand_on(attempt, known, handle);
  const spidd_attempt_key key = abi_key(attempt);
  bpf_map_delete_elem(known_attempts_.get(), &key);
}

void ObservationSource::forget_all(const Handle& handle) {
  while (!known_.empty()) forget(ConnectionAttempt(known_.begin()->first), handle);
}

void ObservationSource::poll(const Handle& handle, Duration idle) {
  const Timestamp now = clock_.now();
  for (auto each = known_.begin(); each != known_.end();) {
    if (hand_on(each->first, each->second, handle) || now - each->second.active < idle) {
      ++each;
      continue;
    }
    const spidd_attempt_key key = abi_key(each->first);
    bpf_map_delete_elem(known_attempts_.get(), &key);
    each = known_.erase(each);
  }
}

}  // namespace spidd
