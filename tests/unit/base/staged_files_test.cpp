// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files that change together change all or not at all.
#include "userspace/base/staged_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

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
