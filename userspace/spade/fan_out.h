// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How many different things were seen: exact while few, HyperLogLog of precision 10 (1 KiB, standard error 3.3 %)
// afterwards. Source: Flajolet et al. 2007 with linear counting for small numbers; spade.md 12.5. The caller hands in
// hashes that are keyed, so that nobody outside can choose values that collide.
#pragma once

#include <cstdint>
#include <vector>

namespace spidd {

class FanOut {
 public:
  static constexpr unsigned kPrecision = 10;
  static constexpr std::size_t kExact = 64;

  // True if it certainly was not there before: always right while exact().
  bool add(std::uint64_t hash);
  // Right while exact(), true afterwards.
  bool contains(std::uint64_t hash) const;
  double estimate() const;
  bool exact() const { return registers_.empty(); }
  std::size_t bytes() const;

 private:
  bool add_to_registers(std::uint64_t hash);

  std::vector<std::uint64_t> seen_;      // while exact
  std::vector<std::uint8_t> registers_;  // afterwards
};

}  // namespace spidd
