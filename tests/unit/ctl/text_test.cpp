// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Numbers, bytes and members of answers as people read them.
#include "userspace/ctl/text.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

using nlohmann::ordered_json;

TEST(Text, GroupsDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(~std::uint64_t{0}), "18,446,744,073,709,551,615");
}

TEST(Text, WritesBytesInTheUnitThatFits) {
  EXPECT_EQ(byte_text(0), "0 B");
  EXPECT_EQ(byte_text(999), "999 B");
  EXPECT_EQ(byte_text(1000), "1.0 kB");
  EXPECT_EQ(byte_text(999949), "999.9 kB");
  EXPECT_EQ(byte_text(999951), "1.0 MB");
  EXPECT_EQ(byte_text(8'400'000'000), "8.4 GB");
  EXPECT_EQ(byte_text(~std::uint64_t{0}), "18.4 EB");
}

TEST(Text, ShowsWhatAnotherVersionDoesNotSayAsMissing) {
  const ordered_json empty = ordered_json::object();
  EXPECT_EQ(number_at(empty, "/packets/seen"), 0U);
  EXPECT_EQ(text_at(empty, "/mode"), "-");
  EXPECT_TRUE(array_at(empty, "/interfaces").empty());
  const ordered_json odd = {{"packets", 5}, {"mode", 7}, {"interfaces", "eth0"}};
  EXPECT_EQ(number_at(odd, "/packets/seen"), 0U);
  EXPECT_EQ(text_at(odd, "/mode"), "-");
  EXPECT_TRUE(array_at(odd, "/interfaces").empty());
  EXPECT_EQ(number_at(ordered_json::array({1}), "/packets"), 0U);
  EXPECT_EQ(text_at(ordered_json(nullptr), "/mode"), "-");
}

TEST(Text, WritesEndpoints) {
  EXPECT_EQ(endpoint_text({{"src_ip", "192.0.2.1"}, {"src_port", 443U}}, "src"), "192.0.2.1:443");
  EXPECT_EQ(endpoint_text({{"dest_ip", "2001:db8::1"}, {"dest_port", 53U}}, "dest"), "[2001:db8::1]:53");
  EXPECT_EQ(endpoint_text({{"dest_ip", "2001:db8::1"}}, "dest"), "2001:db8::1");
}

TEST(Text, TakesTheTimeOutOfATimestamp) {
  EXPECT_EQ(time_of_day("2026-11-21T19:04:35.123456+0000"), "19:04:35");
  EXPECT_EQ(time_of_day("-"), "-");
}

}  // namespace
}  // namespace spidd
