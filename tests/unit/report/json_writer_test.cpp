// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The JSON writer against a JSON library.
#include "userspace/report/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace spidd {
namespace {

using nlohmann::json;

std::string text_of(std::string_view value) {
  std::string out;
  JsonWriter writer(out);
  writer.object();
  writer.text("k", value);
  writer.close();
  return out;
}

std::string real_of(double value) {
  std::string out;
  JsonWriter writer(out);
  writer.object();
  writer.real("k", value);
  writer.close();
  return out;
}

TEST(JsonWriter, WritesNestedObjects) {
  std::string out;
  JsonWriter writer(out);
  writer.object();
  writer.integer("a", 1);
  writer.object("b");
  writer.close();
  writer.object("c");
  writer.boolean("d", true);
  writer.object("e");
  writer.boolean("f", false);
  writer.text("g", "x");
  writer.close();
  writer.integer("h", std::numeric_limits<std::uint64_t>::max());
  writer.close();
  writer.text("i", "");
  writer.close();
  EXPECT_EQ(out, R"({"a":1,"b":{},"c":{"d":true,"e":{"f":false,"g":"x"},"h":18446744073709551615},"i":""})");
}

TEST(JsonWriter, AppendsToWhatIsThere) {
  std::string out = "before\n";
  JsonWriter writer(out);
  writer.object();
  writer.close();
  EXPECT_EQ(out, "before\n{}");
}

TEST(JsonWriter, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(text_of("a\"b\\c"), R"({"k":"a\"b\\c"})");
  EXPECT_EQ(text_of(std::string_view("\0\n\x1f\x7f", 4)), R"({"k":"\u0000\u000a\u001f\u007f"})");
  EXPECT_EQ(text_of("é…😀"), R"({"k":"é…😀"})");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  for (const std::string_view bad : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                                     "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x80"}) {
    const json parsed = json::parse(text_of("a" + std::string(bad) + "b"));
    const std::string value = parsed.at("k");
    EXPECT_EQ(value.front(), 'a');
    EXPECT_EQ(value.back(), 'b');
    EXPECT_NE(value.find("\xef\xbf\xbd"), std::string::npos);
  }
}

TEST(JsonWriter, IsValidJsonForAnyBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 12, ' ');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() % 128 : random());
    ASSERT_TRUE(json::accept(text_of(bytes))) << i;
  }
}

TEST(JsonWriter, RoundsNumbersToThreeDecimals) {
  EXPECT_EQ(real_of(0), R"({"k":0.000})");
  EXPECT_EQ(real_of(1.2345), R"({"k":1.235})");
  EXPECT_EQ(real_of(-1.2345), R"({"k":-1.235})");
  EXPECT_EQ(real_of(-0.0001), R"({"k":0.000})");
  EXPECT_EQ(real_of(-0.0006), R"({"k":-0.001})");
  EXPECT_EQ(real_of(0.9996), R"({"k":1.000})");
  EXPECT_EQ(real_of(12.05), R"({"k":12.050})");
  EXPECT_EQ(real_of(16), R"({"k":16.000})");
}

TEST(JsonWriter, NumbersThatAreNoneBecomeNull) {
  EXPECT_EQ(real_of(std::nan("")), R"({"k":null})");
  EXPECT_EQ(real_of(std::numeric_limits<double>::infinity()), R"({"k":null})");
  EXPECT_EQ(real_of(-std::numeric_limits<double>::infinity()), R"({"k":null})");
  EXPECT_EQ(real_of(1e300), R"({"k":null})");
}

TEST(JsonWriter, WritesTimesAsFormatTimestampDoes) {
  std::mt19937_64 random(2);
  const auto check = [](Timestamp time) {
    std::string out;
    JsonWriter writer(out);
    writer.object();
    writer.time("k", time);
    writer.close();
    ASSERT_EQ(json::parse(out).at("k"), format_timestamp(time));
  };
  check(Timestamp{});
  check(Timestamp{Duration(-1)});
  check(Timestamp::max());
  check(Timestamp::min());
  for (int i = 0; i < 2000; ++i) check(Timestamp{Duration(static_cast<std::int64_t>(random()))});
}

TEST(JsonWriter, WritesAddressesAsTheyPrint) {
  for (const std::string_view address : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "fe80::1"}) {
    std::string out;
    JsonWriter writer(out);
    writer.object();
    writer.address("k", *IpAddress::parse(address));
    writer.close();
    EXPECT_EQ(json::parse(out).at("k"), address);
  }
}

}  // namespace
}  // namespace spidd
