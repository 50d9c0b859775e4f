// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the readers of capture formats hand out.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "userspace/capture/byte_stream.h"

namespace spidd {

// One frame; `bytes` is valid until the next one is read.
struct CapturedFrame {
  std::span<const std::uint8_t> bytes;
  std::uint32_t wire_length = 0;  // on the wire, at least bytes.size(): the capture may have cut the frame
  std::uint16_t link_type = 0;    // LINKTYPE_ number of its interface, see tcpdump.org/linktypes.html
  std::uint64_t time_ns = 0;      // since the Unix epoch, at most the largest std::int64_t
};

enum class FrameStatus : std::uint8_t {
  frame,
  end,      // the file ended where a frame may end
  damaged,  // nothing more can be read
};

// No capturing program writes larger frames (libpcap's limit too, but for USB).
inline constexpr std::uint32_t kMostCaptured = 256 * 1024;

// Numbers of a file whose writer had this machine's byte order, or the other one.
class FileNumbers {
 public:
  explicit FileNumbers(bool swapped = false) : swapped_(swapped) {}

  std::uint16_t u16(const std::uint8_t* at) const;
  std::uint32_t u32(const std::uint8_t* at) const;
  std::uint64_t u64(const std::uint8_t* at) const;

 private:
  bool swapped_;
};

inline std::uint16_t FileNumbers::u16(const std::uint8_t* at) const {
  std::uint16_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}
inline std::uint32_t FileNumbers::u32(const std::uint8_t* at) const {
  std::uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap32(value) : value;
}
inline std::uint64_t FileNumbers::u64(const std::uint8_t* at) const {
  std::uint64_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap64(value) : value;
}

}  // namespace spidd
