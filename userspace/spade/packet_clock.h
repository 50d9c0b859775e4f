// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The time of packets, where a single one can be dated wrong: a packet far in the future would make everything that was
// learned too old to matter. More than a day ahead it is judged at the present; when the next packet is ahead too,
// there was a real gap. Not thread-safe.
#pragma once

#include <optional>

#include "userspace/base/time.h"

namespace spidd {

class PacketClock {
 public:
  static constexpr Duration kLongestStep = std::chrono::hours(24);

  // When a packet that is dated `time` is to be judged: then, but for an outlier. A time in the past stays as it is.
  // The clock follows the second of two packets in a row that are ahead and within a day of each other. Of two that
  // are a longer time apart but in order it takes the earlier, so that it does not stand still where packets are rare.
  Timestamp time_of(Timestamp time);
  // Time passes without packets: known to be right. A clock that goes back is ignored.
  void advance(Timestamp now);
  // Nothing before the first packet.
  std::optional<Timestamp> now() const { return now_; }

 private:
  std::optional<Timestamp> now_;
  std::optional<Timestamp> ahead_;  // of the last packet, if it was an outlier
};

// Time that goes on where the clock that dates packets is set back by more than a day, or was that much ahead when the
// first ones came: packets behind are judged at the present, at the distances that they have from each other, and
// kPackets of them in a row show that it is the clock, not they. Not thread-safe.
class SteadyTime {
 public:
  static constexpr unsigned kPackets = 8;

  // The steady time of a packet that is dated `time`. `clock`: of steady time.
  Timestamp of(Timestamp time, const PacketClock& clock);
  // To steady time and back, for what is not dated by a packet.
  Timestamp steady(Timestamp dated) const;
  Timestamp dated(Timestamp steady) const;
  bool is_dated() const { return ahead_ == Duration::zero(); }  // steady time is that of the packets

 private:
  Duration ahead_{};  // of steady time

  // Of packets that are behind in a row.
  unsigned behind_ = 0;
  Duration step_{};
  Timestamp last_;
};

}  // namespace spidd
