// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The mixing behind every hash of a flow key: two addresses of 16 bytes and one word with the rest. Well mixed in all
// bits; not keyed, so that tables over it must bound their memory.
#pragma once

#include <cstdint>
#include <cstring>

namespace spidd {

inline std::uint64_t load64(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// The two halves of the 128-bit product, folded: every input bit reaches every output bit.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t flow_hash(const std::uint8_t* low, const std::uint8_t* high, std::uint64_t rest) {
  // Digits of pi and e: odd, with about half of their bits set.
  constexpr std::uint64_t kA = 0x243f6a8885a308d3;
  constexpr std::uint64_t kB = 0x13198a2e03707345;
  constexpr std::uint64_t kC = 0xb7e151628aed2a6b;
  const std::uint64_t mixed_low = fold_multiply(load64(low) ^ kA, load64(low + 8) ^ kB);
  const std::uint64_t mixed_high = fold_multiply(load64(high) ^ kB, load64(high + 8) ^ kC);
  return fold_multiply(mixed_low ^ rest ^ kC, mixed_high ^ kA);
}

}  // namespace spidd
