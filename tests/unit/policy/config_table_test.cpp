// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Strict reading of TOML: types, ranges, unknown keys, and mistakes that name their line.
#include "userspace/policy/config_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>

namespace spidd {
namespace {

using std::chrono::seconds;

ConfigTable read(std::string_view text) {
  Result<ConfigTable> file = ConfigTable::parse(text, "f.toml");
  EXPECT_TRUE(file) << file.error().message;
  return *file;
}

std::string mistakes_of(const ConfigTable& file) {
  const Result<void> outcome = file.outcome();
  return outcome ? "" : outcome.error().message;
}

TEST(ConfigTable, ReadsEveryType) {
  ConfigTable file = read(
      "flag = true\ncount = -7\nshare = 0.5\nword = 'x'\nwait = '90s'\nlist = ['a', 5]\n[inner]\nkey = 1\n"
      "[[many]]\nn = 1\n[[many]]\nn = 2\n");
  EXPECT_EQ(file.boolean("flag"), true);
  EXPECT_EQ(file.integer("count", -10, 10), -7);
  EXPECT_EQ(file.number("share", 0, 1), 0.5);
  EXPECT_EQ(file.text("word"), "x");
  EXPECT_EQ(file.duration("wait", seconds(1), seconds(100)), seconds(90));
  const auto items = file.items("list", true, 9);
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].text, "a");
  EXPECT_EQ((*items)[1].text, "5");
  EXPECT_EQ((*items)[1].line, 6U);
  EXPECT_EQ(file.table("inner").integer("key", 0, 9), 1);
  std::vector<ConfigTable> many = file.tables("many", 9);
  ASSERT_EQ(many.size(), 2U);
  EXPECT_EQ(many[1].integer("n", 0, 9), 2);
  EXPECT_EQ(many[1].line(), 11U);
  file.refuse_unknown_keys();
  EXPECT_EQ(mistakes_of(file), "");
}

TEST(ConfigTable, AbsentKeysAreNothing) {
  ConfigTable file = read("");
  EXPECT_FALSE(file.boolean("a"));
  EXPECT_FALSE(file.integer("a", 0, 1));
  EXPECT_FALSE(file.number("a", 0, 1));
  EXPECT_FALSE(file.text("a"));
  EXPECT_FALSE(file.duration("a", seconds(0), seconds(1)));
  EXPECT_FALSE(file.items("a", false, 1));
  EXPECT_FALSE(file.table("a").text("b"));
  EXPECT_TRUE(file.tables("a", 1).empty());
  file.refuse_unknown_keys();
  EXPECT_EQ(mistakes_of(file), "");
}

TEST(ConfigTable, NamesTheLineOfAWrongType) {
  ConfigTable file = read("\na = 1\nb = 'x'\nc = 1.5\nd = [1]\ne = {}\nf = 2026-01-01\ng = 'x'\n[h]\ni = [true]\n");
  EXPECT_FALSE(file.boolean("a"));
  EXPECT_FALSE(file.integer("b", 0, 1));
  EXPECT_FALSE(file.integer("c", 0, 9));
  EXPECT_FALSE(file.text("d"));
  EXPECT_FALSE(file.number("e", 0, 1));
  EXPECT_FALSE(file.text("f"));
  EXPECT_TRUE(file.tables("g", 9).empty());
  EXPECT_FALSE(file.table("h").items("i", true, 9));
  EXPECT_EQ(mistakes_of(file),
            "f.toml:2: a must be true or false, not an integer\n"
            "f.toml:3: b must be an integer, not a string\n"
            "f.toml:4: c must be an integer, not a number\n"
            "f.toml:5: d must be a string, not an array\n"
            "f.toml:6: e must be a number, not a table\n"
            "f.toml:7: f must be a string, not a date or time\n"
            "f.toml:8: g must be written as [[g]], once for each\n"
            "f.toml:10: [h]: i must be an array of integers and strings, but has true or false");
}

TEST(ConfigTable, RefusesValuesOutOfRange) {
  ConfigTable file = read("a = 11\nb = nan\nc = inf\nd = ''\ne = '2h'\nf = '1x'\ng = []\nh = ['a', 'b']\ni = -1\n");
  EXPECT_FALSE(file.integer("a", 0, 10));
  EXPECT_FALSE(file.number("b", 0, 10));
  EXPECT_FALSE(file.number("c", 0, 10));
  EXPECT_FALSE(file.text("d"));
  EXPECT_FALSE(file.duration("e", seconds(1), seconds(60)));
  EXPECT_FALSE(file.duration("f", seconds(1), seconds(60)));
  EXPECT_FALSE(file.items("g", false, 9));
  EXPECT_FALSE(file.items("h", false, 1));
  EXPECT_FALSE(file.number("i", 0, 10));
  EXPECT_THAT(mistakes_of(file), testing::AllOf(testing::HasSubstr("f.toml:1: a = 11 is not within 0 to 10"),
                                                testing::HasSubstr("f.toml:2: b = nan is not within"),
                                                testing::HasSubstr("f.toml:3: c = inf is not within"),
                                                testing::HasSubstr("f.toml:4: d is empty"),
                                                testing::HasSubstr("f.toml:5: e = '2h' is not within 1s to 1m"),
                                                testing::HasSubstr("f.toml:6: f: "),
                                                testing::HasSubstr("f.toml:7: g is empty; leave the key out instead"),
                                                testing::HasSubstr("f.toml:8: h has more than 1 entries"),
                                                testing::HasSubstr("f.toml:9: i = -1 is not within 0 to 10")));
}

TEST(ConfigTable, NamesUnknownKeysWithTheNearestKnownOne) {
  ConfigTable file = read("colour = 1\n[limits]\nmaximun = 3\nzzz = 1\n");
  file.text("color");
  ConfigTable limits = file.table("limits");
  limits.integer("maximum", 0, 9);
  limits.refuse_unknown_keys();
  file.refuse_unknown_keys();
  EXPECT_EQ(mistakes_of(file),
            "f.toml:1: unknown key 'colour'; did you mean 'color'?\n"
            "f.toml:3: [limits]: unknown key 'maximun'; did you mean 'maximum'?\n"
            "f.toml:4: [limits]: unknown key 'zzz'");
}

TEST(ConfigTable, OffersTheNearestOfAChoice) {
  constexpr std::array<std::string_view, 2> kWords = {"observe", "enforce"};
  ConfigTable file = read("a = 'enforce'\nb = 'enforced'\n");
  EXPECT_EQ(file.choice("a", kWords), 1U);
  EXPECT_FALSE(file.choice("b", kWords));
  EXPECT_EQ(mistakes_of(file), "f.toml:2: b = 'enforced' is none of observe, enforce; did you mean 'enforce'?");
}

TEST(ConfigTable, SaysWhereATextIsNotToml) {
  const Result<ConfigTable> file = ConfigTable::parse("a = 1\nb = = 2\n", "f.toml");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, testing::StartsWith("f.toml:2: "));
  const Result<ConfigTable> twice = ConfigTable::parse("a = 1\na = 2\n", "f.toml");
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, testing::StartsWith("f.toml:2: "));
}

TEST(ConfigTable, RefusesNestingThatWouldExhaustTheStack) {
  const std::string deep = "a = " + std::string(100000, '[');
  const Result<ConfigTable> file = ConfigTable::parse(deep, "f.toml");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, testing::StartsWith("f.toml:1: "));
}

TEST(ConfigTable, KeepsMessagesOnOneLineWhateverTheFileSays) {
  ConfigTable file = read("a = \"x\\n\\u001b[31my\"\n");
  constexpr std::array<std::string_view, 1> kWords = {"z"};
  file.choice("a", kWords);
  EXPECT_EQ(mistakes_of(file), "f.toml:1: a = 'x??[31my' is none of z");
}

TEST(ConfigTable, KeepsTheMessagesOfTheParserOnOneLineToo) {
  for (const std::string_view text : {"a = 1\n\n\x01", "a = \"\x1b\"", "a.\n", "\\\n[", "a = [\n\n,"}) {
    const Result<ConfigTable> file = ConfigTable::parse(text, "f.toml");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().message.find_first_of("\n\x01\x1b"), std::string::npos);
    EXPECT_THAT(file.error().message, testing::StartsWith("f.toml:"));
  }
}

TEST(ConfigTable, SpellsOutTwentyMistakesAndCountsTheRest) {
  std::string text;
  for (int i = 0; i < 25; ++i) text += fmt::format("key{} = 1\n", i);
  ConfigTable file = read(text);
  file.refuse_unknown_keys();
  const std::string mistakes = mistakes_of(file);
  EXPECT_EQ(std::ranges::count(mistakes, '\n'), 20);
  EXPECT_THAT(mistakes, testing::EndsWith("\nf.toml: 5 more mistakes"));
}

TEST(ConfigTable, LoadsRegularFilesOnly) {
  const std::string folder = testing::TempDir() + "config_table_test";
  ::mkdir(folder.c_str(), 0700);
  const std::string path = folder + "/a.toml";
  std::ofstream(path) << "a = 3\n";
  Result<ConfigTable> file = ConfigTable::load(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->integer("a", 0, 9), 3);

  const Result<ConfigTable> directory = ConfigTable::load(folder);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message, folder + " is not a regular file");

  const Result<ConfigTable> missing = ConfigTable::load(folder + "/none.toml");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, testing::HasSubstr("No such file"));
  EXPECT_EQ(missing.error().code, ENOENT);

  std::ofstream(path) << std::string((1 << 20) + 1, '#');
  const Result<ConfigTable> large = ConfigTable::load(path);
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().message, testing::HasSubstr("is larger than"));
}

}  // namespace
}  // namespace spidd
