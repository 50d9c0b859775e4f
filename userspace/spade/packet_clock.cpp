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

// Hostile captures have times at both ends of what can be said.
Timestamp sum(Timestamp time, Duration duration) {
  Duration::rep count = 0;
  if (__builtin_add_overflow(time.time_since_epoch().count(), duration.count(), &count))
    return duration > Duration::zero() ? Timestamp::max() : Timestamp::min();
  return Timestamp(Duration(count));
}

Duration distance(Timestamp later, Timestamp earlier) {
  Duration::rep count = 0;
  if (__builtin_sub_overflow(later.time_since_epoch().count(), earlier.time_since_epoch().count(), &count))
    return Duration::max();
  return Duration(count);
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

Timestamp SteadyTime::of(Timestamp time, const PacketClock& clock) {
  const Timestamp here = steady(time);
  if (!clock.now() || !is_beyond(*clock.now(), here)) {
    behind_ = 0;
    return here;
  }
  if (behind_ == 0 || is_beyond(here, last_) || is_beyond(last_, here)) {
    behind_ = 0;
    step_ = distance(*clock.now(), here);
  }
  last_ = here;
  const Timestamp judged = sum(here, step_);
  if (++behind_ < kPackets) return judged;
  behind_ = 0;
  ahead_ = sum(Timestamp(ahead_), step_).time_since_epoch();
  return judged;
}

Timestamp SteadyTime::steady(Timestamp dated) const { return sum(dated, ahead_); }
Timestamp SteadyTime::dated(Timestamp steady) const { return sum(steady, -ahead_); }

}  // namespace spidd
