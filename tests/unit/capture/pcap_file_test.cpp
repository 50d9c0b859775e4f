// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Capture files of every format, whole, cut and damaged.
#include "userspace/capture/pcap_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/capture_writer.h"
#include "tests/unit/capture/frames.h"

namespace spidd {
namespace {

using test::CaptureFormat;
using test::CaptureWriter;
using test::MemoryFile;
using ::testing::HasSubstr;

constexpr std::uint64_t kStart = 1'700'000'000'123'456'000;
constexpr CaptureFormat kFormats[] = {CaptureFormat::pcap_nanoseconds, CaptureFormat::pcap_microseconds,
                                      CaptureFormat::pcap_big_endian, CaptureFormat::pcapng};

CaptureWriter three_packets(CaptureFormat format) {
  CaptureWriter writer(format);
  writer.add(kStart, test::udp_up("one"));
  writer.add(kStart + 1'000, test::udp_down("two, longer"));
  writer.add(kStart + 2'000'000'000, test::tcp_up(1, "S"));
  return writer;
}

struct Content {
  std::vector<CapturedFrame> frames;  // their bytes are gone
  FrameStatus last = FrameStatus::frame;
  std::string damage;
};

Content read_all(PcapFile& file) {
  Content content;
  CapturedFrame frame;
  while ((content.last = file.next(frame)) == FrameStatus::frame) content.frames.push_back(frame);
  content.damage = file.damage();
  return content;
}

TEST(PcapFile, ReadsTheSameFromEveryFormat) {
  for (const CaptureFormat format : kFormats) {
    CaptureWriter writer = three_packets(format);
    const MemoryFile memory(writer.bytes());
    auto file = PcapFile::open(memory.path());
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->size(), writer.bytes().size());
    const Content content = read_all(*file);
    EXPECT_EQ(content.last, FrameStatus::end);
    ASSERT_EQ(content.frames.size(), 3U);
    EXPECT_EQ(content.frames[0].time_ns, kStart);
    EXPECT_EQ(content.frames[1].time_ns, kStart + 1'000);
    EXPECT_EQ(content.frames[2].time_ns, kStart + 2'000'000'000);
    EXPECT_EQ(content.frames[0].wire_length, test::udp_up("one").size());
    EXPECT_EQ(file->position(), writer.bytes().size());
  }
}

TEST(PcapFile, KeepsNanoseconds) {
  for (const CaptureFormat format : {CaptureFormat::pcap_nanoseconds, CaptureFormat::pcapng}) {
    CaptureWriter writer(format);
    writer.add(kStart + 789, test::udp_up("x"));
    const MemoryFile memory(writer.bytes());
    auto file = PcapFile::open(memory.path()).value();
    CapturedFrame frame;
    ASSERT_EQ(file.next(frame), FrameStatus::frame);
    EXPECT_EQ(frame.time_ns, kStart + 789);
  }
}

TEST(PcapFile, TellsTheWireLengthOfFramesThatTheSnapLengthCut) {
  for (const CaptureFormat format : kFormats) {
    CaptureWriter writer(format);
    writer.add(kStart, test::udp_up(std::string(1000, 'x')), 96);
    const MemoryFile memory(writer.bytes());
    auto file = PcapFile::open(memory.path()).value();
    CapturedFrame frame;
    ASSERT_EQ(file.next(frame), FrameStatus::frame);
    EXPECT_EQ(frame.bytes.size(), 96U);
    EXPECT_EQ(frame.wire_length, 1042U);
  }
}

TEST(PcapFile, ReadsACutFileUpToTheCutAndSaysWhereItIs) {
  for (const CaptureFormat format : kFormats) {
    CaptureWriter whole = three_packets(format);
    std::size_t ends_cleanly = 0;
    for (std::size_t size = 0; size < whole.bytes().size(); ++size) {
      const MemoryFile memory(std::span{whole.bytes()}.first(size));
      auto file = PcapFile::open(memory.path());
      if (!file) {
        EXPECT_THAT(file.error().message, HasSubstr(memory.path()));
        continue;
      }
      const Content content = read_all(*file);
      EXPECT_LT(content.frames.size(), 3U);
      if (content.last == FrameStatus::end) {
        ++ends_cleanly;
      } else {
        EXPECT_THAT(content.damage, HasSubstr(fmt::format("after packet {}", content.frames.size())));
        EXPECT_THAT(content.damage, HasSubstr(fmt::format("damaged at byte {}", size)));
      }
    }
    // After the header, in pcapng after the interface, after the first and the second packet.
    EXPECT_EQ(ends_cleanly, format == CaptureFormat::pcapng ? 4U : 3U);
  }
}

TEST(PcapFile, RefusesPacketsLargerThanAnyProgramWrites) {
  CaptureWriter writer = three_packets(CaptureFormat::pcap_nanoseconds);
  writer.bytes()[24 + 8 + 2] = 5;  // captured length of the first packet
  const MemoryFile memory(writer.bytes());
  auto file = PcapFile::open(memory.path()).value();
  const Content content = read_all(file);
  EXPECT_TRUE(content.frames.empty());
  EXPECT_THAT(content.damage, HasSubstr("damaged at byte 40, after packet 0: a packet of 327725 bytes"));
}

TEST(PcapFile, StaysDamaged) {
  CaptureWriter writer = three_packets(CaptureFormat::pcap_nanoseconds);
  writer.bytes().pop_back();
  const MemoryFile memory(writer.bytes());
  auto file = PcapFile::open(memory.path()).value();
  EXPECT_EQ(read_all(file).last, FrameStatus::damaged);
  CapturedFrame frame;
  EXPECT_EQ(file.next(frame), FrameStatus::damaged);
}

TEST(PcapFile, ClampsTimesThatNoClockCanShow) {
  CaptureWriter writer(CaptureFormat::pcapng);
  writer.add(~std::uint64_t{0}, test::udp_up("x"));
  const MemoryFile memory(writer.bytes());
  auto file = PcapFile::open(memory.path()).value();
  CapturedFrame frame;
  ASSERT_EQ(file.next(frame), FrameStatus::frame);
  EXPECT_EQ(frame.time_ns, std::uint64_t{1} << 62);
}

TEST(PcapFile, NamesWhatCannotBeOpened) {
  const auto missing = PcapFile::open("/nonexistent/x.pcap");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "open capture: /nonexistent/x.pcap: No such file or directory");
  const auto directory = PcapFile::open("/");
  ASSERT_FALSE(directory);
  EXPECT_THAT(directory.error().message, HasSubstr("/: "));
  const MemoryFile text(std::vector<std::uint8_t>(100, 'x'));
  EXPECT_EQ(PcapFile::open(text.path()).error().message, "open capture: " + text.path() + ": neither pcap nor pcapng");
  const MemoryFile gzip(std::vector<std::uint8_t>{0x1f, 0x8b, 8, 0});
  EXPECT_THAT(PcapFile::open(gzip.path()).error().message, HasSubstr("compressed with gzip"));
  const MemoryFile empty({});
  EXPECT_THAT(PcapFile::open(empty.path()).error().message, HasSubstr("the file is empty"));
}

TEST(PcapFile, ReadsStandardInputWhilePacketsArrive) {
  CaptureWriter writer = three_packets(CaptureFormat::pcap_nanoseconds);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd own_input{::dup(STDIN_FILENO)};
  ASSERT_EQ(::dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  ::close(ends[0]);
  UniqueFd sender{ends[1]};
  const auto send = [&](std::size_t from, std::size_t size) {
    ASSERT_EQ(::write(sender.get(), writer.bytes().data() + from, size), static_cast<ssize_t>(size));
  };

  // All but the last byte: the two whole packets must come without waiting for the third.
  send(0, writer.bytes().size() - 1);
  auto file = PcapFile::open("-");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->path(), "standard input");
  EXPECT_FALSE(file->size());
  CapturedFrame frame;
  EXPECT_EQ(file->next(frame), FrameStatus::frame);
  EXPECT_EQ(file->next(frame), FrameStatus::frame);
  send(writer.bytes().size() - 1, 1);
  EXPECT_EQ(file->next(frame), FrameStatus::frame);
  sender.reset();
  EXPECT_EQ(file->next(frame), FrameStatus::end);
  EXPECT_EQ(file->position(), writer.bytes().size());
  ::dup2(own_input.get(), STDIN_FILENO);
}

}  // namespace
}  // namespace spidd
