// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/whole_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

class WholeFile : public testing::Test {
 protected:
  WholeFile() { std::filesystem::create_directories(directory_); }
  ~WholeFile() override { std::filesystem::remove_all(directory_); }
  std::string path(const char* name) const { return (directory_ / name).string(); }
  void write(const char* name, std::string_view text) const { std::ofstream(path(name)) << text; }

  const std::filesystem::path directory_ =
      std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(WholeFile, IsReadAsItWasWritten) {
  write("a", std::string_view("z\0y", 3));
  std::string text = "before";
  ASSERT_TRUE(read_whole_file(path("a"), 100, text));
  EXPECT_EQ(text, std::string("z\0y", 3));
}

TEST_F(WholeFile, SaysWhatCannotBeRead) {
  std::string text;
  EXPECT_EQ(read_whole_file(path("none"), 100, text).error().code, ENOENT);
  EXPECT_FALSE(read_whole_file(directory_.string(), 100, text));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_whole_file(path("pipe"), 100, text));
  write("large", "12345");
  EXPECT_NE(read_whole_file(path("large"), 4, text).error().message.find("more than"), std::string::npos);
}

TEST_F(WholeFile, IsSetAsideUnderAnotherName) {
  write("a", "1");
  EXPECT_EQ(*set_aside(path("a"), ".bad"), path("a.bad"));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
  write("a", "2");
  EXPECT_EQ(*set_aside(path("a"), ".bad", true), path("a.bad-2"));
  write("a", "3");
  EXPECT_EQ(*set_aside(path("a"), ".bad"), path("a.bad"));
  std::string text;
  ASSERT_TRUE(read_whole_file(path("a.bad"), 100, text));
  EXPECT_EQ(text, "3");
  EXPECT_FALSE(set_aside(path("a"), ".bad"));
}

}  // namespace
}  // namespace spidd
