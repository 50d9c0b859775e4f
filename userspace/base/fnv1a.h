// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// FNV-1a, 64 bits: names for things, and sums against damage. Not against malice: who chooses the bytes chooses the
// hash.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace spidd {

class Fnv1a64 {
 public:
  constexpr void add(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3U; }
  constexpr void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) add(byte);
  }
  constexpr void add(std::string_view text) {
    for (const char byte : text) add(static_cast<std::uint8_t>(byte));
  }
  constexpr void add(std::uint16_t number) {  // big endian
    add(static_cast<std::uint8_t>(number >> 8U));
    add(static_cast<std::uint8_t>(number & 0xffU));
  }
  constexpr std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

constexpr std::uint64_t fnv1a64(std::string_view text) {
  Fnv1a64 hash;
  hash.add(text);
  return hash.value();
}

}  // namespace spidd
