// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The packet parser behind every link layer. Input: link layer, two bytes of length that the capture cut off, frame.
#include <array>
#include <cstring>
#include <memory>

#include "tests/fuzz/fuzz_check.h"
#include "userspace/capture/pcap_link.h"

namespace {

using namespace spidd;

constexpr std::array<std::uint16_t, 10> kLinkTypes{kLinkEthernet,         kLinkRaw,          kLinkNull,      kLinkLoop,
                                                   kLinkLinuxCooked,      kLinkLinuxCooked2, kLinkCiscoHdlc, kLinkPpp,
                                                   kLinkPppWithDirection, kLinkPppEther};

bool is_canonical(const spidd_flow_key& key) {
  const int order = std::memcmp(&key.lo, &key.hi, sizeof key.lo);
  return order < 0 || (order == 0 && std::memcmp(&key.port_lo, &key.port_hi, sizeof key.port_lo) <= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::uint16_t link_type = kLinkTypes[data[0] % kLinkTypes.size()];
  const std::size_t frame_size = size - 3;
  const auto wire_length = static_cast<std::uint32_t>(frame_size) + static_cast<std::uint32_t>(data[1] << 8 | data[2]);
  // A copy of exactly this size: reading beyond it is an error that the sanitizer sees.
  const auto frame = std::make_unique<std::uint8_t[]>(frame_size);
  std::memcpy(frame.get(), data + 3, frame_size);

  spidd_packet packet;
  std::memset(&packet, 0xa5, sizeof packet);
  const int status = parse_frame(link_type, {frame.get(), frame_size}, wire_length, 5, packet);
  FUZZ_CHECK(status >= SPIDD_PARSE_FLOW && status <= SPIDD_PARSE_ICMP_ERROR);
  FUZZ_CHECK(packet.wire_bytes <= wire_length);
  FUZZ_CHECK(packet.segments == 1);
  if (packet.ip_version != 0) {
    FUZZ_CHECK(packet.ip_version == 4 || packet.ip_version == 6);
    FUZZ_CHECK(is_canonical(packet.key));
    FUZZ_CHECK(packet.key.zero == 0 && packet.key.domain == 5);
  }
  if (status == SPIDD_PARSE_FLOW) {
    FUZZ_CHECK(packet.ip_version != 0);
    FUZZ_CHECK(packet.payload_length < packet.wire_bytes);
    FUZZ_CHECK(packet.l3_offset < packet.payload_offset);
    FUZZ_CHECK(std::uint32_t{packet.payload_offset} + packet.payload_length <= wire_length);
    FUZZ_CHECK(recorded_offset(link_type, packet) > 14);
  }
  return 0;
}
