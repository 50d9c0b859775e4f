// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Segments of constant offset between the kernel's monotonic clock and the wall clock.
#include "userspace/capture/kernel_clock.h"

#include <time.h>

#include <algorithm>
#include <limits>

namespace spidd {
namespace {

std::uint64_t read_clock_ns(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

// Beyond this (292 years) a kernel time is nonsense from a damaged record, and adding the offset would overflow.
constexpr std::uint64_t kLatest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 4;

}  // namespace

std::uint64_t monotonic_now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
std::uint64_t coarse_now_ns() { return read_clock_ns(CLOCK_MONOTONIC_COARSE); }

KernelClock::KernelClock() : KernelClock(monotonic_now_ns(), wall_clock_now()) {}

KernelClock::KernelClock(std::uint64_t monotonic_ns, Timestamp wall) {
  segments_[0] = {0, wall.time_since_epoch() - Duration(monotonic_ns)};
}

void KernelClock::refresh() { refresh(monotonic_now_ns(), wall_clock_now()); }

void KernelClock::refresh(std::uint64_t monotonic_ns, Timestamp wall) {
  const Duration offset = wall.time_since_epoch() - Duration(monotonic_ns);
  if (offset - segments_[count_ - 1].offset < kStep) return;
  if (count_ == kSegments) {
    std::copy(segments_.begin() + 1, segments_.end(), segments_.begin());
    --count_;
  }
  segments_[count_++] = {monotonic_ns, offset};
}

Duration KernelClock::offset_at(std::uint64_t monotonic_ns) const {
  std::size_t segment = count_ - 1;
  while (segment > 0 && segments_[segment].from > monotonic_ns) --segment;
  return segments_[segment].offset;
}

Timestamp KernelClock::to_wall(std::uint64_t monotonic_ns) const {
  return Timestamp(Duration(std::min(monotonic_ns, kLatest)) + offset_at(monotonic_ns));
}

std::optional<std::uint64_t> KernelClock::to_monotonic(Timestamp wall) const {
  for (std::size_t segment = count_; segment-- > 0;) {
    const Duration since_boot = wall.time_since_epoch() - segments_[segment].offset;
    if (since_boot < Duration::zero()) continue;
    const auto monotonic_ns = static_cast<std::uint64_t>(since_boot.count());
    if (monotonic_ns >= segments_[segment].from || segment == 0) {
      if (to_wall(monotonic_ns) == wall) return monotonic_ns;
    }
  }
  return std::nullopt;
}

Timestamp KernelClock::now() const { return to_wall(monotonic_now_ns()); }

}  // namespace spidd
