// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/packet_clock.h"

#include <algorithm>

namespace spidd {

namespace {

// In seconds, as nanoseconds between the ends of time do not fit.
bool is_beyond(Timestamp later, Timestamp earlier) {
  using std::chrono::seconds;
  return std::chrono::floor<seconds>(later) - std::chrono::floor<seconds>(earlier) >
         std::chrono::duration_cast<seconds>(PacketClock::kLongestStep);
}

}  // namespace

Timestamp PacketClock::time_of(Timestamp time) {
  if (!now_) now_ = time;
  if (is_beyond(time, *now_)) {
    const std::optional<Timestamp> before = ahead_;
    ahead_ = time;
    if (!before || is_beyond(*before, time)) return *now_;
    if (is_beyond(time, *before)) return *(now_ = before);
  }
  ahead_.reset();
  now_ = std::max(*now_, time);
  return time;
}

void PacketClock::advance(Timestamp now) {
  if (now_) now_ = std::max(*now_, now);
}

}  // namespace spidd
