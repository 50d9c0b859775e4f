// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Packet classes: all 64 combinations of TCP flags, against the table of spade.md 4.1.
#include "userspace/spade/packet_class.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace spidd {
namespace {

std::uint8_t flags_of(const std::string& letters) {
  static const std::map<char, int> bits = {{'F', 0x01}, {'S', 0x02}, {'R', 0x04},
                                           {'P', 0x08}, {'A', 0x10}, {'U', 0x20}};
  int flags = 0;
  for (const char letter : letters) flags |= bits.at(letter);
  return static_cast<std::uint8_t>(flags);
}

TEST(FlagGroup, PutsAll64CombinationsWhereTheTableHasThem) {
  std::map<std::uint8_t, FlagGroup> expected;
  expected[flags_of("S")] = FlagGroup::synonly;
  expected[flags_of("SA")] = FlagGroup::synack;
  for (const char* letters : {"A", "PA", "AU", "PAU"}) expected[flags_of(letters)] = FlagGroup::established;
  for (const char* letters : {"R", "FA", "RA", "FPA", "RPA", "FAU", "RAU", "FPAU", "RPAU"}) {
    expected[flags_of(letters)] = FlagGroup::teardown;
  }
  ASSERT_EQ(expected.size(), 15U);
  int weird = 0;
  for (int flags = 0; flags < 64; flags++) {
    const auto known = expected.find(static_cast<std::uint8_t>(flags));
    const FlagGroup group = known == expected.end() ? FlagGroup::weird : known->second;
    EXPECT_EQ(flag_group(static_cast<std::uint8_t>(flags)), group) << "flags " << flags;
    weird += group == FlagGroup::weird ? 1 : 0;
  }
  EXPECT_EQ(weird, 49);
}

TEST(FlagGroup, IgnoresTheBitsOfCongestionNotification) {
  EXPECT_EQ(flag_group(flags_of("S") | 0xc0), FlagGroup::synonly);
  EXPECT_EQ(flag_group(flags_of("SA") | 0x40), FlagGroup::synack);
}

TEST(FlagGroup, KnowsTheFiveNormalResets) {
  int resets = 0;
  for (int flags = 0; flags < 64; flags++) resets += is_normal_reset(static_cast<std::uint8_t>(flags)) ? 1 : 0;
  EXPECT_EQ(resets, 5);
  for (const char* letters : {"R", "RA", "RPA", "RAU", "RPAU"}) EXPECT_TRUE(is_normal_reset(flags_of(letters)));
}

TEST(PacketClass, IcmpErrorsAreFiveTypesAndFourOfIpv6) {
  for (int type = 0; type < 256; type++) {
    const bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    EXPECT_EQ(is_icmp_error(Transport::icmp, static_cast<std::uint8_t>(type)), error) << type;
    EXPECT_EQ(is_icmp_error(Transport::icmp6, static_cast<std::uint8_t>(type)), type >= 1 && type <= 4) << type;
  }
}

TEST(PacketClass, DataAndAcknowledgementsDoNotProveAHostAlive) {
  Observation packet;
  for (const char* letters : {"S", "SA", "R", "FA"}) {
    packet.tcp_flags = flags_of(letters);
    EXPECT_TRUE(is_representative(packet)) << letters;
  }
  for (const char* letters : {"A", "PA", "", "F", "FPU"}) {
    packet.tcp_flags = flags_of(letters);
    EXPECT_FALSE(is_representative(packet)) << letters;
  }
  packet.transport = Transport::udp;
  EXPECT_TRUE(is_representative(packet));
  packet.kind = Observation::Kind::unreachable;
  EXPECT_FALSE(is_representative(packet));
}

TEST(PacketClass, GroupAddressesAreNobodys) {
  for (const char* text : {"224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1"}) {
    EXPECT_TRUE(is_group_address(*IpAddress::parse(text))) << text;
  }
  for (const char* text : {"10.0.0.255", "223.255.255.255", "240.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(is_group_address(*IpAddress::parse(text))) << text;
  }
}

TEST(HomeNetwork, IsEverythingIfNoneIsGiven) {
  EXPECT_TRUE(HomeNetwork().contains(*IpAddress::parse("192.0.2.1")));
  const HomeNetwork home({*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("2001:db8::/32")});
  EXPECT_TRUE(home.contains(*IpAddress::parse("10.1.2.3")));
  EXPECT_TRUE(home.contains(*IpAddress::parse("2001:db8::5")));
  EXPECT_FALSE(home.contains(*IpAddress::parse("11.0.0.1")));
}

}  // namespace
}  // namespace spidd
