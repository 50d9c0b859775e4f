// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/directory_lock.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <thread>

namespace spidd {
namespace {

using std::chrono::milliseconds;

class DirectoryLockTest : public testing::Test {
 protected:
  ~DirectoryLockTest() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ = testing::TempDir() + "directory-lock";
};

TEST_F(DirectoryLockTest, IsHeldByOneAtATime) {
  {
    const auto held = DirectoryLock::take(directory_ + "/made", milliseconds(0));
    ASSERT_TRUE(held.has_value()) << held.error().message;
    const auto second = DirectoryLock::take(directory_ + "/made", milliseconds(30));
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, EWOULDBLOCK);
    EXPECT_TRUE(DirectoryLock::take(directory_ + "/other", milliseconds(0)).has_value());
  }
  EXPECT_TRUE(DirectoryLock::take(directory_ + "/made", milliseconds(0)).has_value());
}

TEST_F(DirectoryLockTest, IsWaitedFor) {
  std::optional<DirectoryLock> held = std::move(*DirectoryLock::take(directory_, milliseconds(0)));
  std::thread other([&held] {
    std::this_thread::sleep_for(milliseconds(50));
    held.reset();
  });
  EXPECT_TRUE(DirectoryLock::take(directory_, std::chrono::seconds(10)).has_value());
  other.join();
}

TEST_F(DirectoryLockTest, SaysWhatIsNoDirectory) {
  const auto wrong = DirectoryLock::take("/proc/self/status", milliseconds(0));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_NE(wrong.error().message.find("/proc/self/status"), std::string::npos);
}

}  // namespace
}  // namespace spidd
