// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Text forms of time and durations, at the edges of their ranges.
#include "userspace/base/time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spidd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(Time, FormatsTimestampsAsEveDoes) {
  EXPECT_EQ(format_timestamp(Timestamp{1'795'287'875'123'456'789ns}), "2026-11-21T19:04:35.123456+0000");
  EXPECT_EQ(format_timestamp(Timestamp{0ns}), "1970-01-01T00:00:00.000000+0000");
  EXPECT_EQ(format_timestamp(Timestamp{-1ns}), "1969-12-31T23:59:59.999999+0000");
  EXPECT_EQ(format_timestamp(Timestamp::max()), "2262-04-11T23:47:16.854775+0000");
}

TEST(Time, ParsesEveryUnitAndSums) {
  EXPECT_EQ(parse_duration("90s").value(), 90s);
  EXPECT_EQ(parse_duration("10m").value(), 10min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("7d").value(), 168h);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("1d1ms").value(), 24h + 1ms);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
}

TEST(Time, RefusesDurationsThatSayNothingOrTooMuch) {
  for (const char* text :
       {"", "10", "s", "-5s", "5 s", "5s ", "1m1h", "1s1s", "1.5h", "5w", "5S", "+5s", "1h-5m", "106752d", "1h30"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_FALSE(parse_duration("99999999999999999999s"));
  EXPECT_TRUE(parse_duration("106751d"));
  EXPECT_THAT(parse_duration("10").error().message, HasSubstr("needs a unit"));
}

TEST(Time, FormatsDurationsToTheSecond) {
  EXPECT_EQ(format_duration(90min), "1h30m");
  EXPECT_EQ(format_duration(45s), "45s");
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(250ms), "0s");
  EXPECT_EQ(format_duration(-250ms), "0s");
  EXPECT_EQ(format_duration(168h), "7d");
  EXPECT_EQ(format_duration(24h + 1s), "1d1s");
  EXPECT_EQ(format_duration(-90s), "-1m30s");
  EXPECT_EQ(format_duration(Duration::min()), "-106751d23h47m16s");
}

TEST(Time, ReadsBackTheDurationsItFormats) {
  for (const auto seconds : {0LL, 1LL, 59LL, 60LL, 3599LL, 86'399LL, 86'401LL, 9'000'000'000LL}) {
    EXPECT_EQ(parse_duration(format_duration(std::chrono::seconds{seconds})).value(), std::chrono::seconds{seconds});
  }
}

}  // namespace
}  // namespace spidd
