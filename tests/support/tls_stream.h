// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bytes that look like TLS records (RFC 8446 5.1) to whoever reads headers only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/packet_builder.h"

namespace spidd::test {

// Records of these types and lengths, one after the other. Their content is no header anywhere.
inline Bytes tls_stream(std::initializer_list<std::pair<std::uint8_t, std::size_t>> records) {
  Bytes stream;
  for (const auto& [type, length] : records) {
    stream.insert(stream.end(),
                  {type, 3, 3, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
    stream.resize(stream.size() + length, 0xee);
  }
  return stream;
}

inline Bytes slice(const Bytes& bytes, std::size_t begin, std::size_t end) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.begin() + static_cast<std::ptrdiff_t>(end)};
}

// What a walk found in one packet: "22:200 20:1"; `types` are two bits each, type - 20.
template <class Lengths>
std::string headers_text(unsigned count, unsigned types, const Lengths& lengths) {
  std::string text;
  for (unsigned i = 0; i < count; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string(20 + (types >> (2 * i) & 3)) + ':' + std::to_string(lengths[i]);
  }
  return text;
}

}  // namespace spidd::test
