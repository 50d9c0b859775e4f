// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What pcapng can say beyond one interface with a clock of nanoseconds.
#include "userspace/capture/pcapng_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/capture_writer.h"
#include "userspace/capture/pcap_file.h"

namespace spidd {
namespace {

using test::MemoryFile;
using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint16_t kTimeResolution = 9, kTimeOffset = 14;

// Writes blocks of any content in either byte order.
class Blocks {
 public:
  explicit Blocks(bool big_endian = false) { section(big_endian); }

  Blocks& section(bool big_endian) {
    big_endian_ = big_endian;
    return block(0x0a0d0d0a, Body(*this).u32(0x1a2b3c4d).u16(1).u16(0).u32(~0U).u32(~0U).bytes);
  }
  Blocks& interface(std::uint16_t link_type, std::uint32_t snap_length = 65535, const Bytes& options = {}) {
    return block(1, Body(*this).u16(link_type).u16(0).u32(snap_length).raw(options).bytes);
  }
  Blocks& packet(std::uint32_t interface, std::uint64_t ticks, const Bytes& data) {
    const auto size = static_cast<std::uint32_t>(data.size());
    return block(6, Body(*this)
                        .u32(interface)
                        .u32(static_cast<std::uint32_t>(ticks >> 32))
                        .u32(static_cast<std::uint32_t>(ticks))
                        .u32(size)
                        .u32(size)
                        .raw(data)
                        .bytes);
  }
  Bytes option(std::uint16_t code, const Bytes& value) const {
    return Body(*this).u16(code).u16(static_cast<std::uint16_t>(value.size())).raw(value).bytes;
  }

  struct Body {
    explicit Body(const Blocks& blocks) : big_endian(blocks.big_endian_) {}
    Body& u16(std::uint32_t value) { return number(value, 2); }
    Body& u32(std::uint32_t value) { return number(value, 4); }
    Body& raw(const Bytes& data) {
      bytes.insert(bytes.end(), data.begin(), data.end());
      bytes.resize((bytes.size() + 3) / 4 * 4);
      return *this;
    }
    Body& number(std::uint32_t value, unsigned size) {
      for (unsigned i = 0; i < size; ++i) {
        bytes.push_back(static_cast<std::uint8_t>(value >> 8 * (big_endian ? size - 1 - i : i)));
      }
      return *this;
    }
    bool big_endian;
    Bytes bytes;
  };

  Blocks& block(std::uint32_t type, const Bytes& body) {
    const auto length = static_cast<std::uint32_t>(body.size()) + 12;
    const Bytes whole = Body(*this).u32(type).u32(length).raw(body).u32(length).bytes;
    bytes.insert(bytes.end(), whole.begin(), whole.end());
    return *this;
  }

  Bytes bytes;

 private:
  bool big_endian_ = false;
};

struct Frames {
  std::vector<CapturedFrame> frames;
  std::vector<Bytes> contents;
  std::string damage;
};

Frames read(const Blocks& blocks) {
  const MemoryFile memory(blocks.bytes);
  auto file = PcapFile::open(memory.path()).value();
  Frames result;
  CapturedFrame frame;
  while (file.next(frame) == FrameStatus::frame) {
    result.frames.push_back(frame);
    result.contents.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  result.damage = file.damage();
  return result;
}

TEST(PcapngReader, KeepsInterfacesWithLinkTypesAndSnapLengthsOfTheirOwnApart) {
  const Frames result = read(Blocks().interface(1).interface(101, 0).packet(1, 7, {1, 2, 3}).packet(0, 8, {4}));
  EXPECT_EQ(result.damage, "");
  ASSERT_EQ(result.frames.size(), 2U);
  EXPECT_EQ(result.frames[0].link_type, 101);
  EXPECT_EQ(result.contents[0], (Bytes{1, 2, 3}));
  EXPECT_EQ(result.frames[1].link_type, 1);
  EXPECT_EQ(result.contents[1], (Bytes{4}));
}

TEST(PcapngReader, ReadsSectionsInEitherByteOrderAndForgetsTheInterfacesOfTheLast) {
  Blocks blocks(true);
  blocks.interface(1).packet(0, 1'000'000, {1}).section(false).interface(113).packet(0, 2'000'000, {2});
  const Frames result = read(blocks);
  ASSERT_EQ(result.frames.size(), 2U);
  EXPECT_EQ(result.frames[0].time_ns, kSecond);
  EXPECT_EQ(result.frames[1].time_ns, 2 * kSecond);
  EXPECT_EQ(result.frames[1].link_type, 113);

  blocks.section(true).packet(0, 1, {3});
  EXPECT_THAT(read(blocks).damage, HasSubstr("after packet 2: a packet of interface 0, which is not described"));
}

TEST(PcapngReader, ConvertsEveryResolutionOfTime) {
  const auto time = [](std::uint8_t resolution, std::uint64_t ticks, const Bytes& offset = {}) {
    Blocks blocks;
    Bytes options = blocks.option(kTimeResolution, {resolution});
    if (!offset.empty()) {
      const Bytes more = blocks.option(kTimeOffset, offset);
      options.insert(options.end(), more.begin(), more.end());
    }
    return read(blocks.interface(1, 0, options).packet(0, ticks, {1})).frames.at(0).time_ns;
  };
  EXPECT_EQ(time(0, 5), 5 * kSecond);
  EXPECT_EQ(time(3, 5), 5'000'000U);
  EXPECT_EQ(time(9, 5), 5U);
  EXPECT_EQ(time(12, 5'999), 5U);
  EXPECT_EQ(time(127, ~0ULL), 1U);  // 10^19, the largest power that fits, divides
  EXPECT_EQ(time(0x80 | 10, 1536), 1'500'000'000U);
  EXPECT_EQ(time(0xff, ~0ULL), 0U);
  EXPECT_EQ(time(0, ~0ULL), 1ULL << 62);  // a block of years from there still ends in time
  EXPECT_EQ(time(6, 1, {3, 0, 0, 0, 0, 0, 0, 0}), 3 * kSecond + 1000);
  EXPECT_EQ(time(6, 1, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), 0U);  // before the epoch
  EXPECT_EQ(time(6, 1, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}), 1ULL << 62);
}

TEST(PcapngReader, ReadsSimpleAndObsoletePacketBlocks) {
  Blocks blocks;
  blocks.interface(1, 2).packet(0, 9'000'000, {1});
  blocks.block(3, Blocks::Body(blocks).u32(5).raw({1, 2, 3, 4, 5}).bytes);
  blocks.block(2, Blocks::Body(blocks).u16(0).u16(99).u32(0).u32(10'000'000).u32(3).u32(60).raw({7, 8, 9}).bytes);
  const Frames result = read(blocks);
  ASSERT_EQ(result.frames.size(), 3U);
  EXPECT_EQ(result.contents[1], (Bytes{1, 2}));  // cut at the interface's snap length
  EXPECT_EQ(result.frames[1].wire_length, 5U);
  EXPECT_EQ(result.frames[1].time_ns, 9 * kSecond);  // it has none: the last one known
  EXPECT_EQ(result.contents[2], (Bytes{7, 8, 9}));
  EXPECT_EQ(result.frames[2].wire_length, 60U);
  EXPECT_EQ(result.frames[2].time_ns, 10 * kSecond);
}

TEST(PcapngReader, PassesOverBlocksItDoesNotKnowHoweverLarge) {
  Blocks blocks;
  blocks.interface(1).block(5, Bytes(16, 1)).block(0x80000001, Bytes(3'000'000, 2)).packet(0, 1, {1});
  const Frames result = read(blocks);
  EXPECT_EQ(result.damage, "");
  EXPECT_EQ(result.frames.size(), 1U);
}

TEST(PcapngReader, ReadsPacketsLargerThanItsFirstBuffer) {
  Blocks blocks;
  blocks.interface(1, 0).packet(0, 1, Bytes(200'000, 1)).packet(0, 1, Bytes(kMostCaptured, 2)).packet(0, 1, {3});
  const Frames result = read(blocks);
  EXPECT_EQ(result.damage, "");
  ASSERT_EQ(result.contents.size(), 3U);
  EXPECT_EQ(result.contents[1], Bytes(kMostCaptured, 2));
}

TEST(PcapngReader, NamesEveryKindOfDamage) {
  const auto damage = [](auto change) {
    Blocks blocks;
    blocks.interface(1).packet(0, 1, {1, 2, 3, 4});
    change(blocks);
    return read(blocks).damage;
  };
  using Body = Blocks::Body;
  EXPECT_THAT(damage([](Blocks& b) { b.bytes.back() ^= 1; }), HasSubstr("the two lengths of a block differ"));
  EXPECT_THAT(damage([](Blocks& b) { b.block(6, Bytes(16)); }), HasSubstr("a packet block is too short"));
  EXPECT_THAT(damage([](Blocks& b) { b.block(3, {}); }), HasSubstr("a packet block is too short"));
  EXPECT_THAT(damage([](Blocks& b) { b.block(1, Bytes(4)); }), HasSubstr("interface is too short"));
  EXPECT_THAT(damage([](Blocks& b) { b.packet(1, 0, {1}); }), HasSubstr("interface 1, which is not described"));
  EXPECT_THAT(damage([](Blocks& b) { b.block(6, Body(b).u32(0).u32(0).u32(0).u32(9).u32(9).raw({1}).bytes); }),
              HasSubstr("a packet of 9 bytes in a block of 24"));
  EXPECT_THAT(damage([](Blocks& b) { b.interface(1, 0, Body(b).u16(2).u16(99).u32(0).bytes); }),
              HasSubstr("an option goes on beyond the end of its block"));
  EXPECT_THAT(damage([](Blocks& b) { b.block(6, Bytes(600'000)); }), HasSubstr("a block of 600012 bytes"));
  EXPECT_THAT(damage([](Blocks& b) {
                const Bytes odd = Body(b).u32(5).u32(13).u32(0).u32(13).bytes;
                b.bytes.insert(b.bytes.end(), odd.begin(), odd.end());
              }),
              HasSubstr("a block of 13 bytes"));
}

}  // namespace
}  // namespace spidd
