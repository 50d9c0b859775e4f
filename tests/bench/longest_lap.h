// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The longest of many short calls, on a machine that has other work.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace spidd {

// The longest time between two laps, without those in which the kernel gave the processor to somebody else who wanted
// it. What the kernel itself takes, or has this thread wait for, counts.
class LongestLap {
 public:
  void lap() {
    const Clock::time_point now = Clock::now();
    const Clock::duration taken = now - before_;
    before_ = now;
    if (taken > longest_ || ++laps_ % 64 == 0) {
      const long switches = switches_now();
      if (switches == switches_) longest_ = std::max(longest_, taken);
      switches_ = switches;
      before_ = Clock::now();
    }
  }
  void skip() { before_ = Clock::now(); }
  double microseconds() const { return std::chrono::duration<double, std::micro>(longest_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  static long switches_now() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
  }

  Clock::time_point before_ = Clock::now();
  Clock::duration longest_{};
  long switches_ = switches_now();
  std::uint32_t laps_ = 0;
};

}  // namespace spidd
