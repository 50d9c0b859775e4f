// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From the kernel's monotonic clock to the wall clock and back, so that one instant always has one name.
//
// A flow is named by its start: converting the same kernel time twice must give the same Timestamp even when the wall
// clock was stepped in between. So the offset in force at an instant is remembered, not recomputed. The conversion
// never runs backwards: a forward step of the wall clock is followed, a backward step is not (records then carry times
// that much ahead until the wall clock catches up or the daemon restarts).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "userspace/base/time.h"

namespace spidd {

class KernelClock {
 public:
  // A wall clock that moved less than this against the monotonic clock has not been stepped.
  static constexpr Duration kStep = std::chrono::milliseconds(50);

  KernelClock();
  // With given readings of both clocks, for tests.
  KernelClock(std::uint64_t monotonic_ns, Timestamp wall);

  // Takes notice of a step of the wall clock. Cheap; once a second is enough.
  void refresh();
  void refresh(std::uint64_t monotonic_ns, Timestamp wall);

  Timestamp to_wall(std::uint64_t monotonic_ns) const;
  // What to_wall() adds to that time.
  Duration offset_at(std::uint64_t monotonic_ns) const;
  // The kernel time with that name; nothing if no kernel time has it.
  std::optional<std::uint64_t> to_monotonic(Timestamp wall) const;
  Timestamp now() const;

 private:
  // From monotonic time `from` on, `offset` is added.
  struct Segment {
    std::uint64_t from = 0;
    Duration offset{};
  };
  static constexpr std::size_t kSegments = 16;  // older steps are forgotten

  std::array<Segment, kSegments> segments_{};
  std::size_t count_ = 1;
};

// CLOCK_MONOTONIC and CLOCK_MONOTONIC_COARSE in nanoseconds: the clocks of bpf/abi.h.
std::uint64_t monotonic_now_ns();
std::uint64_t coarse_now_ns();

}  // namespace spidd
