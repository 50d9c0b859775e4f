// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How numbers, text and addresses stand in a state file (state_file.h): written to a string, read from one payload.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/base/ip_address.h"

namespace spidd::state_bytes {

template <std::unsigned_integral T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}
inline void put(std::string& out, std::int64_t value) { put(out, static_cast<std::uint64_t>(value)); }
inline void put(std::string& out, double value) { put(out, std::bit_cast<std::uint64_t>(value)); }
inline void put(std::string& out, std::string_view text) {
  text = text.substr(0, 0xffff);
  put(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}
inline void put_network_order(std::string& out, std::uint64_t word) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 0xff);
}
inline void put(std::string& out, const IpAddress& address) {
  out.append(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
}

// Reads one part's payload; `good` turns false for ever where it ends too early.
class PartReader {
 public:
  PartReader(std::string_view payload, std::size_t offset) : rest_(payload), offset_(offset) {}

  template <std::unsigned_integral T>
  T number() {
    T value = 0;
    const std::string_view bytes = take(sizeof(T));
    for (std::size_t i = bytes.size(); i-- > 0;)
      value = static_cast<T>(value << 8 | static_cast<std::uint8_t>(bytes[i]));
    return value;
  }
  std::int64_t signed_number() { return static_cast<std::int64_t>(number<std::uint64_t>()); }
  double real() { return std::bit_cast<double>(number<std::uint64_t>()); }
  std::string text() { return std::string(take(number<std::uint16_t>())); }
  IpAddress address() {
    IpAddress address;
    const std::string_view bytes = take(address.bytes.size());
    std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
    return address;
  }
  std::uint64_t network_word() {
    std::uint64_t word = 0;
    for (const char byte : take(8)) word = word << 8 | static_cast<std::uint8_t>(byte);
    return word;
  }

  bool good() const { return good_; }
  bool at_end() const { return rest_.empty() || !good_; }
  // Read to the last byte, and no further.
  bool complete() const { return good_ && rest_.empty(); }
  std::size_t offset() const { return offset_; }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) good_ = false;
    if (!good_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    offset_ += size;
    return bytes;
  }

  std::string_view rest_;
  std::size_t offset_;
  bool good_ = true;
};

}  // namespace spidd::state_bytes
