// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/capture/pcap_packets.h"

#include <algorithm>

#include "userspace/capture/pcap_file.h"
#include "userspace/capture/pcap_filter.h"
#include "userspace/capture/pcap_link.h"
#include "userspace/capture/record_decoder.h"

namespace spidd {
namespace {

CapturedPacket packet_of(const CapturedFrame& frame, const spidd_packet& parsed) {
  CapturedPacket packet;
  packet.key = flow_key(parsed.key);
  packet.source_is_low = parsed.source_is_lo != 0;
  packet.tcp_flags = parsed.protocol == SPIDD_PROTOCOL_TCP ? parsed.tcp_flags : std::uint8_t{0};
  packet.bytes = parsed.wire_bytes;
  packet.payload.time = timestamp(frame.time_ns, Duration{0});
  packet.payload.length = parsed.payload_length;
  packet.payload.offset = recorded_offset(frame.link_type, parsed);
  const std::size_t begin = std::min<std::size_t>(parsed.payload_offset, frame.bytes.size());
  const auto payload =
      frame.bytes.subspan(begin, std::min<std::size_t>(parsed.payload_length, frame.bytes.size() - begin));
  const std::size_t carried = std::min(kSnapLength, payload.size());
  std::copy_n(payload.begin(), carried, packet.payload.bytes.begin());
  packet.payload.captured = static_cast<std::uint8_t>(carried);
  packet.tail = payload.subspan(carried);
  return packet;
}

}  // namespace

Result<> read_packets(const std::string& path, const std::string& filter,
                      const std::function<void(const CapturedPacket&)>& handle, std::uint64_t& not_ip) {
  auto compiled = PcapFilter::compile(filter);
  if (!compiled) return tl::unexpected(std::move(compiled).error());
  auto file = PcapFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  CapturedFrame frame;
  while (file->next(frame) == FrameStatus::frame) {
    if (!link_supported(frame.link_type) || !compiled->matches(frame)) continue;
    spidd_packet parsed;
    const int status = parse_frame(frame.link_type, frame.bytes, frame.wire_length, 0, parsed);
    not_ip += status == SPIDD_PARSE_NOT_IP ? 1 : 0;
    if (status != SPIDD_PARSE_FLOW) continue;
    if (parsed.protocol == SPIDD_PROTOCOL_TCP || parsed.protocol == SPIDD_PROTOCOL_UDP)
      handle(packet_of(frame, parsed));
  }
  if (!file->damage().empty()) return fail("{}", file->damage());
  return {};
}

}  // namespace spidd
