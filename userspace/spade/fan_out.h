// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How many different things were seen: exact while few, HyperLogLog of precision 10 (1 KiB, standard error 3.3 %)
// afterwards. Source: Flajolet et al. 2007 with linear counting for small numbers; spade.md 12.5. The caller hands in
// hashes that are keyed, so that nobody outside can choose values that collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spidd {

class FanOut {
 public:
  static constexpr unsigned kPrecision = 10;
  static constexpr std::size_t kRegisters = std::size_t{1} << kPrecision;
  static constexpr std::size_t kExact = 64;
  static constexpr std::size_t kMostBytes = 1024;  // beyond its own size

  // True if it certainly was not there before: always right while exact().
  bool add(std::uint64_t hash);
  // Right while exact(), true afterwards.
  bool contains(std::uint64_t hash) const;
  double estimate() const;
  bool exact() const { return registers_.empty(); }
  std::size_t bytes() const;

  // For state files: what was added, while exact(); afterwards the registers. Restored only as they can be: kRegisters
  // of them, none beyond what a hash gives.
  const std::vector<std::uint64_t>& seen() const { return seen_; }
  const std::vector<std::uint8_t>& registers() const { return registers_; }
  bool restore_registers(std::vector<std::uint8_t> registers);

 private:
  bool add_to_registers(std::uint64_t hash);

  std::vector<std::uint64_t> seen_;      // while exact
  std::vector<std::uint8_t> registers_;  // afterwards
};

}  // namespace spidd
