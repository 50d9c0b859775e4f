// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The block format of Wireshark and tcpdump (draft-ietf-opsawg-pcapng): sections in either byte order, any number of
// interfaces with link types and clocks of their own, packets; all other blocks are passed over.
#pragma once

#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/pcap_frame.h"

namespace spidd {

class PcapngReader {
 public:
  static bool recognises(std::span<const std::uint8_t> magic);

  // Reads the first section's header. Requires: recognises(magic), which was taken from `stream`.
  static Result<PcapngReader> open(ByteStream& stream);

  // `why` is written if the result is damaged.
  FrameStatus next(ByteStream& stream, CapturedFrame& frame, std::string& why);

 private:
  struct Interface {
    std::uint16_t link_type = 0;
    std::uint32_t snap_length = 0;    // 0 = unlimited
    std::uint64_t multiplier = 1000;  // ticks to nanoseconds: times this,
    std::uint64_t divisor = 1;        // divided by this,
    unsigned shift = 0;               // and by 2 to the power of this
    std::int64_t offset_seconds = 0;
  };
  using Body = std::span<const std::uint8_t>;

  PcapngReader() = default;

  bool begin_section(std::span<const std::uint8_t> length_field, ByteStream& stream, std::string& why);
  bool add_interface(Body body, std::string& why);
  bool read_enhanced(Body body, bool obsolete_form, CapturedFrame& frame, std::string& why);
  bool read_simple(Body body, CapturedFrame& frame, std::string& why);
  static std::uint64_t nanoseconds(std::uint64_t ticks, const Interface& interface);

  FileNumbers numbers_;
  std::vector<Interface> interfaces_;  // of the section
  std::uint64_t last_time_ns_ = 0;     // for packets that carry none
};

}  // namespace spidd
