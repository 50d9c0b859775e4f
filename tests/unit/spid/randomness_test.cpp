// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/randomness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <vector>

namespace spidd {
namespace {

std::mt19937 random_bytes(20261121);

PayloadPacket packet(std::vector<std::uint8_t> bytes, bool from_server = false) {
  PayloadPacket result;
  result.length = static_cast<std::uint32_t>(bytes.size());
  result.captured = static_cast<std::uint8_t>(std::min<std::size_t>(bytes.size(), kSnapLength));
  std::copy_n(bytes.begin(), result.captured, result.bytes.begin());
  result.direction = from_server ? Direction::to_client : Direction::to_server;
  return result;
}

std::vector<std::uint8_t> noise(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_bytes());
  return bytes;
}

// Noise that begins with the bytes given.
std::vector<std::uint8_t> noise_after(std::initializer_list<int> start, std::size_t size = 200) {
  std::vector<std::uint8_t> bytes = noise(size);
  std::ranges::transform(start, bytes.begin(), [](int byte) { return static_cast<std::uint8_t>(byte); });
  return bytes;
}

std::vector<std::uint8_t> text(std::string_view words) { return {words.begin(), words.end()}; }

// An exchange of random packets, the first of which begins as given.
std::vector<PayloadPacket> exchange(std::vector<std::uint8_t> first) {
  return {packet(std::move(first)), packet(noise(150), true), packet(noise(80)), packet(noise(900), true)};
}

TEST(Randomness, RandomBytesOfAnySizePassNearlyAlways) {
  unsigned passed = 0;
  constexpr unsigned kFlows = 2000;
  for (unsigned flow = 0; flow < kFlows; ++flow) {
    std::vector<PayloadPacket> packets;
    for (unsigned i = 0; i < 8; ++i) packets.push_back(packet(noise(32 + random_bytes() % 1000), i % 2 == 1));
    passed += is_fully_encrypted(packets) ? 1U : 0U;
  }
  EXPECT_GE(passed, kFlows * 98 / 100);
}

TEST(Structure, RandomBytesOfAnySizeHaveNearlyNever) {
  unsigned structured = 0;
  constexpr unsigned kFlows = 2000;
  for (unsigned flow = 0; flow < kFlows; ++flow) {
    std::vector<PayloadPacket> packets;
    for (unsigned i = 0; i < 8; ++i) packets.push_back(packet(noise(32 + random_bytes() % 1000), i % 2 == 1));
    structured += has_structure(packets) ? 1U : 0U;
  }
  EXPECT_LE(structured, kFlows / 1000);
}

TEST(Structure, IsTextOrMoreThanHalfOfThePackets) {
  EXPECT_FALSE(has_structure({}));
  EXPECT_TRUE(has_structure(std::vector{packet(text("<34>Oct 11 22:14:15 host su: failed for lonvick"))}));
  EXPECT_TRUE(has_structure(exchange(text("ktd6yqkpmhlzsfx3vsbvdyq5zbr2tvq2bmbq"))));
  EXPECT_FALSE(has_structure(exchange(text("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"))));
  EXPECT_TRUE(has_structure(exchange(text("POST /upload HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: x/1\r\n"))));
  EXPECT_FALSE(has_structure(exchange(noise_after({0x16, 3, 1, 2, 0}))));
  EXPECT_FALSE(has_structure(exchange(std::vector<std::uint8_t>(100))));  // one of four
  EXPECT_TRUE(has_structure(std::vector(3, packet(std::vector<std::uint8_t>(100)))));
}

TEST(Randomness, NeedsTwoPacketsAndSixtyFourBytes) {
  EXPECT_FALSE(is_fully_encrypted({}));
  EXPECT_FALSE(is_fully_encrypted(std::vector{packet(noise(500))}));
  EXPECT_TRUE(is_fully_encrypted(std::vector{packet(noise(500)), packet(noise(500))}));
  EXPECT_FALSE(is_fully_encrypted(std::vector{packet(noise(31)), packet(noise(31), true)}));
  EXPECT_FALSE(is_fully_encrypted(std::vector{packet(noise(500)), packet(noise(15), true)}));
}

TEST(Randomness, KnownBeginningsAreExempt) {
  EXPECT_TRUE(is_fully_encrypted(exchange(noise(200))));
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({0x16, 3, 1}))));        // TLS
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({0x17, 3, 3}))));        // in the middle of TLS
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({0x16, 0xfe, 0xfd}))));  // DTLS
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({'G', 'E', 'T', ' ', '/', ' '}))));
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({'S', 'S', 'H', '-', '2', '.'}))));
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42}))));  // STUN
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({0xc3, 0, 0, 0, 1}))));                    // QUIC
  EXPECT_FALSE(is_fully_encrypted(exchange(noise_after({1, 0, 0, 0}))));                          // WireGuard
}

TEST(Randomness, TheFirstPacketOfTheServerCountsToo) {
  std::vector<PayloadPacket> packets = exchange(noise(200));
  packets[1] = packet(text("220 ftp.example.org ready, and what else there is to say"), true);
  EXPECT_FALSE(is_fully_encrypted(packets));
}

TEST(Randomness, TextInTheMiddleIsExempt) {
  std::vector<PayloadPacket> packets = exchange(noise(200));
  std::vector<std::uint8_t> bytes = noise(200);
  std::ranges::copy(text("a sentence of some length"), bytes.begin() + 10);
  packets[2] = packet(bytes);
  EXPECT_FALSE(is_fully_encrypted(packets));
}

TEST(Randomness, ManyPrintableBytesAreExempt) {
  std::vector<PayloadPacket> packets;
  for (unsigned i = 0; i < 4; ++i) {
    std::vector<std::uint8_t> bytes = noise(64);  // like text in pieces: no long run of it
    for (std::size_t at = 0; at < bytes.size(); ++at)
      if (at % 5 != 0) bytes[at] = static_cast<std::uint8_t>(0x20 + random_bytes() % 95);
    packets.push_back(packet(bytes, i % 2 == 1));
  }
  EXPECT_FALSE(is_fully_encrypted(packets));
}

TEST(Randomness, FewOrManySetBitsAreExempt) {
  for (const int mask : {0x11, 0xee}) {
    std::vector<std::uint8_t> bytes = noise(200);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(mask == 0x11 ? byte & 0x9b : byte | 0x64);
    EXPECT_FALSE(is_fully_encrypted(exchange(bytes))) << mask;
  }
}

TEST(Randomness, AConstantHeaderIsExempt) {
  std::vector<PayloadPacket> packets;
  for (unsigned i = 0; i < 6; ++i) {
    std::vector<std::uint8_t> bytes = noise(120);
    if (i % 2 == 0) bytes[3] = 0x9c;  // of the client only
    packets.push_back(packet(bytes, i % 2 == 1));
  }
  EXPECT_FALSE(is_fully_encrypted(packets));
}

TEST(Randomness, OnlyTheFirstPacketsCount) {
  std::vector<PayloadPacket> packets;
  for (unsigned i = 0; i < kRandomnessPackets; ++i) packets.push_back(packet(noise(300), i % 2 == 1));
  ASSERT_TRUE(is_fully_encrypted(packets));
  packets.push_back(packet(text("plain words, now that nobody listens any more")));
  EXPECT_TRUE(is_fully_encrypted(packets));
}

TEST(Randomness, PacketsWithoutBytesSayNothing) {
  std::vector<PayloadPacket> packets(5);
  EXPECT_FALSE(is_fully_encrypted(packets));
}

}  // namespace
}  // namespace spidd
