// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Options, positional words and usage errors as the programs' users meet them.
#include "userspace/base/command_line.h"

#include <gmock/gmock.h>

namespace spidd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

CommandLine make_line() {
  CommandLine line("spidctl test", "FILE...", "A command for tests.");
  line.flag("v,verbose", "say more");
  line.value("for", "DURATION", "how long", "1h");
  line.values("interface", "NAME", "what to watch");
  line.positional("file", 1, 2);
  return line;
}

TEST(CommandLine, ReadsFlagsValuesAndWordsInAnyOrder) {
  CommandLine line = make_line();
  EXPECT_EQ(line.parse(Words{"a", "-v", "--for=10m", "--interface", "x,y", "--interface", "z", "-"}), std::nullopt);
  EXPECT_TRUE(line.has("verbose"));
  EXPECT_EQ(line.text("for"), "10m");
  EXPECT_THAT(line.texts("interface"), ElementsAre("x,y", "z"));
  EXPECT_THAT(line.positionals(), ElementsAre("a", "-"));
}

TEST(CommandLine, GivesTheDefaultWhenTheOptionIsAbsent) {
  CommandLine line = make_line();
  EXPECT_EQ(line.parse(Words{"a"}), std::nullopt);
  EXPECT_FALSE(line.has("for"));
  EXPECT_EQ(line.text("for"), "1h");
  EXPECT_THAT(line.texts("interface"), ElementsAre());
}

TEST(CommandLine, SaysWhatIsWrongAndExitsWithTwo) {
  const std::vector<std::pair<Words, std::string>> cases = {
      {{}, "missing <file>"}, {{"a", "b", "c"}, "unexpected 'c'"}, {{"--fro", "1"}, "fro"}, {{"a", "--for"}, "for"}};
  for (const auto& [words, message] : cases) {
    CommandLine line = make_line();
    testing::internal::CaptureStderr();
    EXPECT_EQ(line.parse(words), kExitUsage);
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("spidctl test: "));
    EXPECT_THAT(said, HasSubstr(message));
  }
}

TEST(CommandLine, PrintsHelpToStandardOutput) {
  CommandLine line = make_line();
  testing::internal::CaptureStdout();
  EXPECT_EQ(line.parse(Words{"--help"}), kExitDone);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr("spidctl test [OPTION...] FILE..."));
  EXPECT_THAT(said, HasSubstr("--for DURATION"));
  EXPECT_THAT(said, HasSubstr("(default: 1h)"));
}

TEST(CommandLine, ReadsNumbersWithinTheirRange) {
  for (const auto& [word, good] : std::vector<std::pair<std::string, bool>>{
           {"7", true}, {"10", true}, {"11", false}, {"-1", false}, {"7x", false}, {"", false}}) {
    CommandLine line("x", "", "");
    line.value("count", "N", "a number");
    EXPECT_EQ(line.parse(Words{"--count=" + word}), std::nullopt);
    EXPECT_EQ(line.number("count", 0, 10).has_value(), good) << word;
  }
}

}  // namespace
}  // namespace spidd
