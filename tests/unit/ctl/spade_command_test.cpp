// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl spade import: the part on standard output or in a file, what differs on standard error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <span>

#include "tests/support/capture_writer.h"
#include "userspace/base/whole_file.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/spade_config.h"
#include "userspace/policy/spade_part.h"

namespace spidd {
namespace {

using testing::HasSubstr;

class SpadeCommand : public ::testing::Test {
 protected:
  static test::MemoryFile file(std::string_view text) {
    return test::MemoryFile(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }
  int run(std::vector<std::string> words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = command_spade({"", std::move(words)});
    std::fflush(stdout);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  std::string out_;
  std::string err_;
};

constexpr std::string_view kLines =
    "preprocessor spade: statefile=0\npreprocessor spade-detect: id=a icmptype=err wait=3 Xdports=80\n";

TEST_F(SpadeCommand, ImportPrintsThePartAndSaysWhatDiffers) {
  const auto config = file(kLines);
  EXPECT_EQ(run({"import", config.path()}), kExitDone);
  const auto part = parse_spade_part(out_, "out");
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(part->detectors.at(0).wait_seconds, 3U);
  EXPECT_EQ(part->state_file, "");
  EXPECT_THAT(err_, HasSubstr(config.path() + ":2: icmptype has no effect on closed-dport\n"));
  EXPECT_THAT(err_, HasSubstr("a destination never seen before scores 1"));
}

TEST_F(SpadeCommand, ImportWritesTheFileThatAnalyzeTakes) {
  const auto config = file(kLines);
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("spidd-spade-{}.toml", ::getpid())).string();
  EXPECT_EQ(run({"import", config.path(), "-o", path}), kExitDone);
  EXPECT_EQ(out_, "");
  const auto read = load_spade_config(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->settings.detectors.at(0).exclusions.destination_ports.size(), 1U);
  EXPECT_TRUE(load_spade_config(config.path()));
}

TEST_F(SpadeCommand, AnalyzeTakesLinesOfAnIncludedFile) {
  const auto lines = file(kLines);
  const auto config = file(fmt::format("var HOME_NET any\ninclude {}\n", lines.path()));
  const auto read = load_spade_config(config.path());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->settings.detectors.at(0).id, "a");
}

TEST_F(SpadeCommand, AnalyzeSaysWhichFilesItDoesNotWrite) {
  const auto config = file(
      "preprocessor spade: logfile=/var/log/spidd/a.log\npreprocessor spade-detect: id=a\n"
      "preprocessor spade-survey: id=a surveyfile=/tmp/s.txt\n");
  const auto read = load_spade_config(config.path());
  ASSERT_TRUE(read) << read.error().message;
  const auto notes = files_not_written(read->settings);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_TRUE(notes[0].starts_with("log file /var/log/spidd/a.log: spidd writes it, analyze does not")) << notes[0];
  EXPECT_TRUE(notes[1].starts_with("survey file /tmp/s.txt: ")) << notes[1];
}

TEST_F(SpadeCommand, ImportRefusesWhatItCannotRead) {
  const auto config = file("preprocessor spade:\npreprocessor spade-detect: wait=x\n");
  EXPECT_EQ(run({"import", config.path()}), kExitFailed);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_,
            fmt::format("spidctl spade import: {}:2: wait is a whole number from 0 to 3600, not 'x'\n", config.path()));
  EXPECT_EQ(run({"import", "/nonexistent/snort.conf"}), kExitFailed);
  EXPECT_EQ(run({"import"}), kExitUsage);
  EXPECT_EQ(run({"export", "x"}), kExitUsage);
}

}  // namespace
}  // namespace spidd
