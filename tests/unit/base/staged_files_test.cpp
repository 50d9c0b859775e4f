// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files that change together change all or not at all.
#include "userspace/base/staged_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "userspace/base/unique_fd.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

class StagedFilesTest : public testing::Test {
 protected:
  StagedFilesTest() {
    std::string pattern = testing::TempDir() + "spidd-staged-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StagedFilesTest() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string content(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  std::string directory_;
};

TEST_F(StagedFilesTest, ChangeTogether) {
  std::ofstream(path("a")) << "old";
  std::ofstream(path("c")) << "old";
  StagedFiles staged;
  ASSERT_TRUE(staged.write(path("a"), "new"));
  ASSERT_TRUE(staged.write(path("b"), "new"));
  staged.remove(path("c"));
  staged.remove(path("not there"));
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(content("c"), "old");
  ASSERT_TRUE(staged.commit());
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(content("b"), "new");
  EXPECT_EQ(files(), 2U);
}

TEST_F(StagedFilesTest, ReplaceNoPipeAndNoDevice) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  StagedFiles staged;
  const auto written = staged.write(path("pipe"), "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, path("pipe") + " is not a regular file");
  EXPECT_FALSE(staged.write("/dev/null", "text"));
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

TEST_F(StagedFilesTest, AreMadeOrReplacedWhereSomebodySaid) {
  for (const char* text : {"one", "two"}) {
    ASSERT_TRUE(write_whole_file(path("a"), text, StagedFiles::kForOwner));
    EXPECT_EQ(content("a"), text);
  }
  EXPECT_EQ(files(), 1U);
  EXPECT_FALSE(write_whole_file(path("no/a"), "text"));
}

TEST_F(StagedFilesTest, LeaveDevicesPipesAndLinksWhatTheyAre) {
  EXPECT_TRUE(write_whole_file("/dev/null", "text"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));

  std::ofstream(path("a")) << "something long";
  fs::create_symlink("a", path("link"));
  fs::create_symlink("/dev/null", path("null"));
  ASSERT_TRUE(write_whole_file(path("link"), "text"));
  ASSERT_TRUE(write_whole_file(path("null"), "text"));
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_TRUE(fs::is_symlink(path("null")));
  EXPECT_EQ(content("a"), "text");

  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(write_whole_file(path("pipe"), "text")) << "nobody reads";
  const UniqueFd reader(::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(write_whole_file(path("pipe"), "text"));
  std::array<char, 8> read{};
  EXPECT_EQ(::read(reader.get(), read.data(), read.size()), 4);
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

TEST_F(StagedFilesTest, MayBeMany) {
  StagedFiles staged;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(staged.write(path(std::to_string(i)), std::to_string(i)));
  ASSERT_TRUE(staged.commit());
  EXPECT_EQ(files(), 30U);
  EXPECT_EQ(content("29"), "29");
}

TEST_F(StagedFilesTest, LeaveNothingWithoutCommit) {
  std::ofstream(path("a")) << "old";
  {
    StagedFiles staged;
    ASSERT_TRUE(staged.write(path("a"), "new"));
    staged.remove(path("a"));
    const auto failed = staged.write(path("missing/b"), "new");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, path("missing/b") + ": make a file beside it: No such file or directory");
  }
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(files(), 1U);
}

}  // namespace
}  // namespace spidd
