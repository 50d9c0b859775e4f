// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Link layers of capture files: what stands before the IP header, for the types that the kernel's hooks never see. From
// the IP header on it is bpf/parse.h for all of them. Formats: tcpdump.org/linktypes.html.
#pragma once

#include <cstdint>
#include <span>

#include "bpf/parse.h"

namespace spidd {

class LinkLayer {
 public:
  // `link_type` is libpcap's DLT_ number. Requires supports(link_type).
  explicit LinkLayer(int link_type) : link_type_(link_type) {}

  static bool supports(int link_type);

  // Parses one frame of `wire_length` bytes of which `frame` was captured. Offsets in `packet` are the frame's. Returns
  // enum spidd_parse_status.
  int parse(std::span<const std::uint8_t> frame, std::uint32_t wire_length, std::uint16_t domain,
            spidd_packet& packet) const;

  // What a record says about where the payload stood: as if the IP packet had come in an untagged Ethernet frame, so
  // that the attribute meters measure the same whatever the capture's link type. Tags of real Ethernet frames count.
  std::uint16_t recorded_offset(const spidd_packet& packet) const;

 private:
  int link_type_;
};

}  // namespace spidd
