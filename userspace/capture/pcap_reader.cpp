// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Every length is checked before it is used.
#include "userspace/capture/pcap_reader.h"

#include <algorithm>
#include <array>

namespace spidd {
namespace {

constexpr std::size_t kFileHeaderRest = 20;  // after the magic number
constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

const PcapReader::Variant* PcapReader::find_variant(std::span<const std::uint8_t> magic, bool& swapped) {
  static constexpr std::array<Variant, 3> kVariants{
      {{0xa1b2c3d4, 1000, 16}, {0xa1b23c4d, 1, 16}, {0xa1b2cd34, 1000, 24}}};
  if (magic.size() < 4) return nullptr;
  for (const bool other_order : {false, true}) {
    const std::uint32_t number = FileNumbers(other_order).u32(magic.data());
    const auto* variant =
        std::find_if(kVariants.begin(), kVariants.end(), [&](const Variant& known) { return known.magic == number; });
    swapped = other_order;
    if (variant != kVariants.end()) return variant;
  }
  return nullptr;
}

bool PcapReader::recognises(std::span<const std::uint8_t> magic) {
  bool swapped;
  return find_variant(magic, swapped) != nullptr;
}

Result<PcapReader> PcapReader::open(std::span<const std::uint8_t> magic, ByteStream& stream) {
  bool swapped = false;
  const Variant& variant = *find_variant(magic, swapped);
  PcapReader reader(variant, swapped);
  const auto header = stream.take(kFileHeaderRest);
  if (header.size() < kFileHeaderRest) return fail("the file ends inside its header");
  const std::uint16_t major = reader.numbers_.u16(header.data());
  if (major != 2) return fail("pcap version {} is not supported", major);
  // Above the link type stand the length of a frame check sequence and reserved bits.
  reader.link_type_ = static_cast<std::uint16_t>(reader.numbers_.u32(header.data() + 16));
  return reader;
}

FrameStatus PcapReader::next(ByteStream& stream, CapturedFrame& frame, std::string& why) {
  const auto header = stream.take(variant_->packet_header);
  if (header.size() < variant_->packet_header) {
    if (header.empty() && stream.error() == 0) return FrameStatus::end;
    why = "the file ends inside the header of a packet";
    return FrameStatus::damaged;
  }
  const std::uint64_t seconds = numbers_.u32(header.data());
  const std::uint64_t fraction = numbers_.u32(header.data() + 4);
  const std::uint32_t captured = numbers_.u32(header.data() + 8);
  const std::uint32_t wire_length = numbers_.u32(header.data() + 12);
  if (captured > kMostCaptured) {
    why = fmt::format("a packet of {} bytes, more than the {} that are possible", captured, kMostCaptured);
    return FrameStatus::damaged;
  }
  frame.bytes = stream.take(captured);
  if (frame.bytes.size() < captured) {
    why = fmt::format("the file ends after {} of the {} bytes of a packet", frame.bytes.size(), captured);
    return FrameStatus::damaged;
  }
  frame.wire_length = std::max(wire_length, captured);
  frame.link_type = link_type_;
  frame.time_ns = seconds * kSecond + fraction * variant_->fraction_ns;
  return FrameStatus::frame;
}

}  // namespace spidd
