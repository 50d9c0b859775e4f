// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Every block says its length twice; both must agree, and everything inside must fit.
#include "userspace/capture/pcapng_reader.h"

#include <algorithm>
#include <array>

namespace spidd {
namespace {

enum BlockType : std::uint32_t {
  kInterface = 1,
  kObsoletePacket = 2,
  kSimplePacket = 3,
  kEnhancedPacket = 6,
  kSection = 0x0a0d0d0a,  // the same in either byte order
};
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint32_t kBlockFrame = 12;         // type, length, length again
constexpr std::uint32_t kMostBlock = 512 * 1024;  // of the blocks that are looked into: a packet and its options
constexpr std::size_t kMostInterfaces = 65536;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLastTime = std::uint64_t{1} << 62;  // in 2116: leaves room for the times that are added to it

enum OptionCode : std::uint16_t { kEndOfOptions = 0, kTimeResolution = 9, kTimeOffset = 14 };

bool is_length(std::uint32_t length) { return length >= kBlockFrame && length % 4 == 0; }

std::uint64_t power_of_ten(unsigned exponent) {
  std::uint64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

constexpr const char* kEndsInBlock = "the file ends inside a block";

}  // namespace

bool PcapngReader::recognises(std::span<const std::uint8_t> magic) {
  return magic.size() >= 4 && FileNumbers().u32(magic.data()) == kSection;
}

Result<PcapngReader> PcapngReader::open(ByteStream& stream) {
  PcapngReader reader;
  std::string why;
  std::array<std::uint8_t, 4> length_field{};
  const auto taken = stream.take(length_field.size());
  if (taken.size() < length_field.size()) return fail("{}", kEndsInBlock);
  std::copy(taken.begin(), taken.end(), length_field.begin());
  if (!reader.begin_section(length_field, stream, why)) return fail("{}", why);
  return reader;
}

// The byte order of the length is known only after the field behind it.
bool PcapngReader::begin_section(std::span<const std::uint8_t> length_field, ByteStream& stream, std::string& why) {
  constexpr std::uint32_t kFixedPart = 16;  // byte-order magic, version, section length
  const auto fixed = stream.take(kFixedPart);
  if (fixed.size() < kFixedPart) {
    why = kEndsInBlock;
    return false;
  }
  const bool swapped = FileNumbers().u32(fixed.data()) != kByteOrderMagic;
  numbers_ = FileNumbers(swapped);
  if (numbers_.u32(fixed.data()) != kByteOrderMagic) {
    why = "a section without a byte order";
    return false;
  }
  const std::uint16_t major = numbers_.u16(fixed.data() + 4);
  if (major != 1) {
    why = fmt::format("pcapng version {} is not supported", major);
    return false;
  }
  const std::uint32_t length = numbers_.u32(length_field.data());
  if (!is_length(length) || length < kBlockFrame + kFixedPart) {
    why = fmt::format("a section header of {} bytes", length);
    return false;
  }
  interfaces_.clear();
  const bool whole = stream.skip(length - kBlockFrame - kFixedPart);
  const auto trailer = stream.take(4);
  if (!whole || trailer.size() < 4) {
    why = kEndsInBlock;
    return false;
  }
  if (numbers_.u32(trailer.data()) != length) {
    why = "the two lengths of a block differ";
    return false;
  }
  return true;
}

FrameStatus PcapngReader::next(ByteStream& stream, CapturedFrame& frame, std::string& why) {
  for (;;) {
    const auto header = stream.take(8);
    if (header.empty() && stream.error() == 0) return FrameStatus::end;
    if (header.size() < 8) {
      why = kEndsInBlock;
      return FrameStatus::damaged;
    }
    const std::uint32_t type = numbers_.u32(header.data());
    if (type == kSection) {
      const std::array<std::uint8_t, 4> length_field{header[4], header[5], header[6], header[7]};
      if (!begin_section(length_field, stream, why)) return FrameStatus::damaged;
      continue;
    }
    const std::uint32_t length = numbers_.u32(header.data() + 4);
    const bool of_interest =
        type == kInterface || type == kObsoletePacket || type == kSimplePacket || type == kEnhancedPacket;
    if (!is_length(length) || (of_interest && length > kMostBlock)) {
      why = fmt::format("a block of {} bytes", length);
      return FrameStatus::damaged;
    }
    const std::uint32_t body_length = length - kBlockFrame;
    if (!of_interest && !stream.skip(body_length)) {
      why = kEndsInBlock;
      return FrameStatus::damaged;
    }
    const std::size_t wanted = of_interest ? body_length + 4 : 4;
    const auto rest = stream.take(wanted);
    if (rest.size() < wanted) {
      why = kEndsInBlock;
      return FrameStatus::damaged;
    }
    if (numbers_.u32(rest.data() + wanted - 4) != length) {
      why = "the two lengths of a block differ";
      return FrameStatus::damaged;
    }
    if (!of_interest) continue;

    const Body body = rest.first(body_length);
    if (type == kInterface) {
      if (!add_interface(body, why)) return FrameStatus::damaged;
      continue;
    }
    const bool read = type == kSimplePacket ? read_simple(body, frame, why)
                                            : read_enhanced(body, type == kObsoletePacket, frame, why);
    return read ? FrameStatus::frame : FrameStatus::damaged;
  }
}

bool PcapngReader::add_interface(Body body, std::string& why) {
  if (body.size() < 8) {
    why = "the description of an interface is too short";
    return false;
  }
  if (interfaces_.size() >= kMostInterfaces) {
    why = fmt::format("more than {} interfaces", kMostInterfaces);
    return false;
  }
  Interface interface;
  interface.link_type = numbers_.u16(body.data());
  interface.snap_length = numbers_.u32(body.data() + 4);
  for (Body options = body.subspan(8); options.size() >= 4;) {
    const std::uint16_t code = numbers_.u16(options.data());
    const std::uint16_t length = numbers_.u16(options.data() + 2);
    const std::size_t padded = 4 + (length + 3U) / 4 * 4;
    if (code == kEndOfOptions) break;
    if (padded > options.size()) {
      why = "an option goes on beyond the end of its block";
      return false;
    }
    if (code == kTimeResolution && length == 1) {
      const unsigned exponent = options[4] & 0x7f;
      const bool of_two = (options[4] & 0x80) != 0;
      interface.multiplier = of_two ? kSecond : exponent < 9 ? power_of_ten(9 - exponent) : 1;
      interface.divisor = of_two || exponent <= 9 ? 1 : power_of_ten(std::min(exponent - 9, 19U));
      interface.shift = of_two ? exponent : 0;
    } else if (code == kTimeOffset && length == 8) {
      interface.offset_seconds = static_cast<std::int64_t>(numbers_.u64(options.data() + 4));
    }
    options = options.subspan(padded);
  }
  interfaces_.push_back(interface);
  return true;
}

bool PcapngReader::read_enhanced(Body body, bool obsolete_form, CapturedFrame& frame, std::string& why) {
  constexpr std::size_t kFixedPart = 20;
  if (body.size() < kFixedPart) {
    why = "a packet block is too short";
    return false;
  }
  const std::uint32_t number = obsolete_form ? numbers_.u16(body.data()) : numbers_.u32(body.data());
  const std::uint64_t ticks =
      static_cast<std::uint64_t>(numbers_.u32(body.data() + 4)) << 32 | numbers_.u32(body.data() + 8);
  const std::uint32_t captured = numbers_.u32(body.data() + 12);
  if (number >= interfaces_.size()) {
    why = fmt::format("a packet of interface {}, which is not described", number);
    return false;
  }
  if (captured > body.size() - kFixedPart || captured > kMostCaptured) {
    why = fmt::format("a packet of {} bytes in a block of {}", captured, body.size());
    return false;
  }
  const Interface& interface = interfaces_[number];
  frame.bytes = body.subspan(kFixedPart, captured);
  frame.wire_length = std::max(numbers_.u32(body.data() + 16), captured);
  frame.link_type = interface.link_type;
  frame.time_ns = last_time_ns_ = nanoseconds(ticks, interface);
  return true;
}

// No interface number (it is the first one's), no time, and a captured length that must be concluded.
bool PcapngReader::read_simple(Body body, CapturedFrame& frame, std::string& why) {
  if (body.size() < 4 || interfaces_.empty()) {
    why = interfaces_.empty() ? "a packet of an interface that is not described" : "a packet block is too short";
    return false;
  }
  const std::uint32_t wire_length = numbers_.u32(body.data());
  const std::uint32_t snap_length = interfaces_[0].snap_length;
  std::size_t captured = std::min<std::size_t>({wire_length, body.size() - 4, kMostCaptured});
  if (snap_length != 0) captured = std::min<std::size_t>(captured, snap_length);
  frame.bytes = body.subspan(4, captured);
  frame.wire_length = wire_length;
  frame.link_type = interfaces_[0].link_type;
  frame.time_ns = last_time_ns_;
  return true;
}

// Saturates at both ends of time.
std::uint64_t PcapngReader::nanoseconds(std::uint64_t ticks, const Interface& interface) {
  __extension__ using Wide = __int128;
  Wide sum = static_cast<Wide>(ticks) * static_cast<Wide>(interface.multiplier);
  if (interface.divisor != 1) sum /= static_cast<Wide>(interface.divisor);
  sum >>= interface.shift;
  sum += static_cast<Wide>(interface.offset_seconds) * static_cast<Wide>(kSecond);
  if (sum < 0) return 0;
  return sum > static_cast<Wide>(kLastTime) ? kLastTime : static_cast<std::uint64_t>(sum);
}

}  // namespace spidd
