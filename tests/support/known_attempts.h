// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the kernel does with attempts that it only has to count (map known_attempts, bpf/observation.h), and what
// ObservationSource makes of the counts, without a kernel: for what PcapSource gives as_in_kernel.
#pragma once

#include <array>
#include <functional>
#include <map>

#include "userspace/capture/connection_attempt.h"

namespace spidd::test {

class KnownAttempts {
 public:
  using Handle = std::function<void(const Observation&)>;

  void know(const ConnectionAttempt& attempt) { known_.try_emplace(attempt); }
  void forget(const ConnectionAttempt& attempt, Timestamp now, const Handle& handle);
  bool knows(const ConnectionAttempt& attempt) const { return known_.contains(attempt); }

  // Whether the packet was counted, and so is not to be seen. A FIN is the client's if that attempt is known.
  bool count(const Observation& packet);
  // Hands on what was counted since the last call.
  void poll(Timestamp now, const Handle& handle);

  std::size_t size() const { return known_.size(); }

 private:
  using Counts = std::array<std::uint32_t, 4>;  // by enum spidd_attempt_count

  static void hand_on(const ConnectionAttempt& attempt, Counts& counts, Timestamp now, const Handle& handle);

  std::map<ConnectionAttempt, Counts> known_;
};

}  // namespace spidd::test
