// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/fan_out.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace spidd {
bool FanOut::add(std::uint64_t hash) {
  if (!exact()) return add_to_registers(hash);
  if (contains(hash)) return false;
  seen_.push_back(hash);
  if (seen_.size() > kExact) {
    registers_.assign(kRegisters, 0);
    for (const std::uint64_t seen : seen_) add_to_registers(seen);
    std::vector<std::uint64_t>().swap(seen_);
  }
  return true;
}

bool FanOut::contains(std::uint64_t hash) const {
  return !exact() || std::find(seen_.begin(), seen_.end(), hash) != seen_.end();
}

bool FanOut::add_to_registers(std::uint64_t hash) {
  const std::uint64_t rest = hash << kPrecision | kRegisters >> 1;  // the set bit bounds the run of zeros
  const auto run = static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
  std::uint8_t& longest = registers_[hash >> (64 - kPrecision)];
  if (run <= longest) return false;
  longest = run;
  return true;
}

double FanOut::estimate() const {
  if (exact()) return static_cast<double>(seen_.size());
  constexpr auto kCount = static_cast<double>(kRegisters);
  double sum = 0;
  std::size_t empty = 0;
  for (const std::uint8_t run : registers_) {
    sum += std::ldexp(1.0, -run);
    empty += run == 0 ? 1 : 0;
  }
  const double estimate = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
  if (estimate <= 2.5 * kCount && empty > 0) return kCount * std::log(kCount / static_cast<double>(empty));
  return estimate;
}

bool FanOut::restore_registers(std::vector<std::uint8_t> registers) {
  constexpr std::uint8_t kLongestRun = 64 - kPrecision + 1;
  if (registers.size() != kRegisters || std::ranges::max(registers) > kLongestRun) return false;
  seen_.clear();
  registers_ = std::move(registers);
  return true;
}

std::size_t FanOut::bytes() const { return sizeof *this + seen_.capacity() * sizeof(seen_[0]) + registers_.capacity(); }

}  // namespace spidd
