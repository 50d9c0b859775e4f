// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/file_writer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

class FileWriterTest : public testing::Test {
 protected:
  FileWriterTest() {
    std::string pattern = testing::TempDir() + "spidd-files-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~FileWriterTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const char* name) const { return directory_ + "/" + name; }
  std::string contents(const char* name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string directory_;
};

TEST_F(FileWriterTest, ReplacesAndAppendsInOrder) {
  FileWriter writer;
  writer.replace(path("log"), "one\n");
  writer.replace(path("log"), "two\n");
  writer.append(path("survey"), "a\n");
  writer.append(path("survey"), "b\n");
  writer.flush();
  EXPECT_EQ(contents("log"), "two\n");
  EXPECT_EQ(contents("survey"), "a\nb\n");
  EXPECT_EQ(writer.counters().written, 4U);
  for (const char* name : {"log", "survey"})
    EXPECT_EQ(std::filesystem::status(path(name)).permissions() & std::filesystem::perms::others_all,
              std::filesystem::perms::none);
}

TEST_F(FileWriterTest, WritesToWhatIsNoFile) {
  std::filesystem::create_symlink("/dev/null", path("log"));
  FileWriter writer;
  writer.replace(path("log"), "one\n");
  writer.flush();
  EXPECT_EQ(writer.counters().written, 1U);
  EXPECT_TRUE(std::filesystem::is_symlink(path("log")));
  EXPECT_TRUE(std::filesystem::is_character_file(path("log")));
}

TEST_F(FileWriterTest, WritesWhatIsLeftAtItsEnd) {
  FileWriter().append(path("survey"), "a\n");
  EXPECT_EQ(contents("survey"), "a\n");
}

TEST_F(FileWriterTest, CountsWhatCannotBeWrittenAndGoesOn) {
  FileWriter writer;
  writer.replace(path("no/log"), "one\n");
  writer.append(path("no/survey"), "a\n");
  writer.append(path("survey"), "a\n");
  writer.flush();
  EXPECT_EQ(writer.counters().lost_failed, 2U);
  EXPECT_EQ(writer.counters().written, 1U);
  EXPECT_EQ(contents("survey"), "a\n");
}

TEST_F(FileWriterTest, RefusesWhatHasNoRoom) {
  FileWriter writer;
  writer.append(path("survey"), std::string(FileWriter::kMostBytes + 1, 'x'));
  writer.flush();
  EXPECT_EQ(writer.counters().lost_full, 1U);
  EXPECT_FALSE(std::filesystem::exists(path("survey")));
}

}  // namespace
}  // namespace spidd
