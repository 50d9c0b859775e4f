// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Errors are built outward and keep the system's code.
#include "userspace/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace spidd {
namespace {

Result<int> refuse() { return fail_errno(-EPERM, "load {}", "program"); }
Result<> attach() {
  auto loaded = refuse();
  if (!loaded) return std::move(loaded).error().within("attach eth0");
  return {};
}

TEST(Result, BuildsTheMessageOutwardAndKeepsTheCode) {
  const auto result = attach();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "attach eth0: load program: Operation not permitted");
  EXPECT_EQ(result.error().code, EPERM);
}

TEST(Result, CarriesNoCodeWhereNoSystemCallFailed) {
  const Result<int> result = fail("port {} is out of range", 70000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "port 70000 is out of range");
  EXPECT_EQ(result.error().code, 0);
}

}  // namespace
}  // namespace spidd
