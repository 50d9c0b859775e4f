// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The classic capture format: one header, then packets (draft-ietf-opsawg-pcap). Either byte order, microseconds or
// nanoseconds, and the variant with an interface number in every packet that some old Linux systems wrote.
#pragma once

#include <optional>

#include "userspace/base/result.h"
#include "userspace/capture/pcap_frame.h"

namespace spidd {

class PcapReader {
 public:
  // True if a file that begins with these four bytes is in this format.
  static bool recognises(std::span<const std::uint8_t> magic);

  // Reads the rest of the file header. Requires: recognises(magic), which was taken from `stream`.
  static Result<PcapReader> open(std::span<const std::uint8_t> magic, ByteStream& stream);

  // `why` is written if the result is damaged.
  FrameStatus next(ByteStream& stream, CapturedFrame& frame, std::string& why);

 private:
  struct Variant {
    std::uint32_t magic;
    std::uint32_t fraction_ns;
    std::uint32_t packet_header;
  };
  static const Variant* find_variant(std::span<const std::uint8_t> magic, bool& swapped);

  PcapReader(const Variant& variant, bool swapped) : variant_(&variant), numbers_(swapped) {}

  const Variant* variant_;
  FileNumbers numbers_;
  std::uint16_t link_type_ = 0;
};

}  // namespace spidd
