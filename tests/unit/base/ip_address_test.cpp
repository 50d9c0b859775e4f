// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Addresses and prefixes: text forms of both families, masks at every length, errors that help.
#include "userspace/base/ip_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spidd {
namespace {

using ::testing::HasSubstr;

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }

TEST(IpAddress, PrintsEachFamilyInItsOwnForm) {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1", "fe80::1:0:0:1"}) {
    EXPECT_EQ(address(text).to_string(), text);
  }
  EXPECT_EQ(address("2001:DB8:0:0:0:0:0:1").to_string(), "2001:db8::1");
}

TEST(IpAddress, HoldsIpv4MappedSoThatBothSpellingsAreOneAddress) {
  EXPECT_EQ(address("192.0.2.1"), address("::ffff:192.0.2.1"));
  EXPECT_EQ(address("192.0.2.1"), IpAddress::from_ipv4(0xc0000201));
  EXPECT_TRUE(address("192.0.2.1").is_ipv4());
  EXPECT_FALSE(address("::192.0.2.1").is_ipv4());
  EXPECT_FALSE(address("2001:db8::1").is_ipv4());
}

TEST(IpAddress, KnowsLoopbackOfBothFamilies) {
  EXPECT_TRUE(address("127.0.0.1").is_loopback());
  EXPECT_TRUE(address("127.255.0.9").is_loopback());
  EXPECT_TRUE(address("::1").is_loopback());
  EXPECT_FALSE(address("128.0.0.1").is_loopback());
  EXPECT_FALSE(address("::2").is_loopback());
}

TEST(IpAddress, RefusesWhatIsNotNumeric) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "localhost"sv, "192.0.2"sv, "192.0.2.256"sv, "192.0.2.1 "sv, "1.2.3.4\0x"sv, ":::"sv,
                          "fe80::1%eth0"sv, "[::1]"sv, "1:2:3:4:5:6:7:8:9"sv}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string(10000, '1')));
}

TEST(IpPrefix, ContainsExactlyTheAddressesUnderItsMask) {
  EXPECT_TRUE(prefix("192.0.2.0/25").contains(address("192.0.2.127")));
  EXPECT_FALSE(prefix("192.0.2.0/25").contains(address("192.0.2.128")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("255.1.2.3")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("2001:db8::1")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(address("2001:db8:8000::1")));
  EXPECT_TRUE(prefix("192.0.2.7").contains(address("192.0.2.7")));
  EXPECT_FALSE(prefix("192.0.2.7").contains(address("192.0.2.6")));
}

TEST(IpPrefix, CoversItselfAndWhatIsNarrower) {
  EXPECT_TRUE(prefix("10.0.0.0/8").covers(prefix("10.0.0.0/8")));
  EXPECT_TRUE(prefix("10.0.0.0/8").covers(prefix("10.1.0.0/16")));
  EXPECT_FALSE(prefix("10.1.0.0/16").covers(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.0.0.0/8").covers(prefix("11.1.0.0/16")));
}

TEST(IpPrefix, ReadsBackWhatItPrints) {
  for (const char* text : {"192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.0.2.1", "2001:db8::1"}) {
    EXPECT_EQ(prefix(text).to_string(), text);
  }
  EXPECT_EQ(prefix("192.0.2.1/32").to_string(), "192.0.2.1");
  EXPECT_EQ(prefix("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
  EXPECT_EQ(prefix("192.0.2.0/24").length, 120U);
}

TEST(IpPrefix, NamesThePrefixMeantWhenHostBitsAreSet) {
  EXPECT_THAT(IpPrefix::parse("192.0.2.1/24").error().message, HasSubstr("did you mean 192.0.2.0/24?"));
  EXPECT_THAT(IpPrefix::parse("2001:db8::1/64").error().message, HasSubstr("did you mean 2001:db8::/64?"));
}

TEST(IpPrefix, RefusesLengthsOutOfTheFamilysRange) {
  EXPECT_THAT(IpPrefix::parse("192.0.2.0/33").error().message, HasSubstr("from 0 to 32"));
  EXPECT_THAT(IpPrefix::parse("2001:db8::/129").error().message, HasSubstr("from 0 to 128"));
  for (const char* text : {"192.0.2.0/", "192.0.2.0/x", "192.0.2.0/-1", "192.0.2.0/24/", "/24", "", "192.0.2.0/ 24",
                           "192.0.2.0/99999999999"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
}

}  // namespace
}  // namespace spidd
