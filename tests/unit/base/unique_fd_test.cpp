// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A descriptor is closed exactly once, whoever owned it last.
#include "userspace/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace spidd {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesWhatItOwnsAtItsEnd) {
  int fd = -1;
  {
    const UniqueFd owner{open_null()};
    fd = owner.get();
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MovesOwnershipAndClosesTheTargetsOldDescriptor) {
  UniqueFd first{open_null()};
  UniqueFd second{open_null()};
  const int kept = first.get();
  const int closed = second.get();
  second = std::move(first);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(closed));
  EXPECT_EQ(second.get(), kept);
}

TEST(UniqueFd, ReleasesWithoutClosing) {
  UniqueFd owner{open_null()};
  const UniqueFd again{owner.release()};
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(again.get()));
}

}  // namespace
}  // namespace spidd
