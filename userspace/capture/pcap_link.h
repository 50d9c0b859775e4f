// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Link layers of capture files: what stands before the IP header, for the types that the kernel's hooks never see. From
// the IP header on it is bpf/parse.h for all of them. Numbers and formats: tcpdump.org/linktypes.html.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bpf/parse.h"

namespace spidd {

enum LinkType : std::uint16_t {
  kLinkNull = 0,
  kLinkEthernet = 1,
  kLinkPpp = 9,
  kLinkRawOld = 12,
  kLinkPppHdlc = 50,
  kLinkPppEther = 51,
  kLinkRaw = 101,
  kLinkCiscoHdlc = 104,
  kLinkLoop = 108,
  kLinkLinuxCooked = 113,
  kLinkPppWithDirection = 204,
  kLinkIpv4 = 228,
  kLinkIpv6 = 229,
  kLinkLinuxCooked2 = 276,
};

bool link_supported(std::uint16_t link_type);
std::string link_name(std::uint16_t link_type);

// Parses one frame of `wire_length` bytes of which `frame` was captured. Offsets in `packet` are the frame's. Returns
// enum spidd_parse_status. Requires: link_supported(link_type).
int parse_frame(std::uint16_t link_type, std::span<const std::uint8_t> frame, std::uint32_t wire_length,
                std::uint16_t domain, spidd_packet& packet);

// What a record says about where the payload stood: as if the IP packet had come in an untagged Ethernet frame, so that
// the attribute meters measure the same whatever the capture's link type. Tags of real Ethernet frames count.
std::uint16_t recorded_offset(std::uint16_t link_type, const spidd_packet& packet);

}  // namespace spidd
