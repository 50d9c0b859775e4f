// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel as a source of observations: the packets it sends, and the counts of connection attempts that it only
// counts because somebody said that seeing them tells nothing new.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_rings.h"
#include "userspace/capture/connection_attempt.h"
#include "userspace/capture/kernel_clock.h"
#include "userspace/capture/observation.h"

namespace spidd {

// Belongs to one thread. Never blocks: the kernel does not wake readers.
class ObservationSource {
 public:
  using Handle = std::function<void(const Observation&)>;

  // Both descriptors are the source's own.
  ObservationSource(BpfRing ring, UniqueFd known_attempts, std::size_t max_known);

  // Hands on at most `max` observations, oldest first; returns how many were taken from the ring.
  std::size_t drain(const Handle& handle, std::size_t max);

  // From now on the kernel only counts this attempt's SYNs, answers and FINs; poll() hands the counts on. False if
  // there is no room, or it is known already.
  bool know(const ConnectionAttempt& attempt);
  // The kernel sends them again; what it counted since the last poll() is handed on.
  void forget(const ConnectionAttempt& attempt, const Handle& handle);
  void forget_all(const Handle& handle);
  bool knows(const ConnectionAttempt& attempt) const { return known_.contains(attempt); }
  // Hands on what was counted since the last call: one observation for each kind of packet, `count` of them, client
  // port 0. Forgets attempts of which nothing came for `idle`. One system call an attempt (about 0.5 µs).
  void poll(const Handle& handle, Duration idle);

  std::size_t known() const { return known_.size(); }
  Timestamp now() const { return clock_.now(); }
  std::size_t pending_bytes() const { return ring_.pending(); }
  std::size_t ring_bytes() const { return ring_.bytes(); }
  // Observations that could not be decoded: not handed on.
  std::uint64_t undecodable() const { return undecodable_; }
  // know() that failed for want of room.
  std::uint64_t not_known() const { return not_known_; }

 private:
  struct Known {
    std::array<std::uint64_t, 4> seen{};  // by enum spidd_attempt_count, at the last poll
    Timestamp active;                     // when something last came
  };

  // True if anything was counted since.
  bool hand_on(const ConnectionAttempt& attempt, Known& known, const Handle& handle);

  BpfRing ring_;
  UniqueFd known_attempts_;
  std::size_t max_known_;
  KernelClock clock_;
  std::uint64_t clock_refreshed_ns_ = 0;  // coarse
  std::unordered_map<ConnectionAttempt, Known> known_;
  Observation observation_;
  std::uint64_t undecodable_ = 0;
  std::uint64_t not_known_ = 0;
};

}  // namespace spidd
