// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What reaches standard error.
#include "userspace/base/log.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

class Log : public ::testing::Test {
 protected:
  void TearDown() override { set_log_level(LogLevel::info); }

  template <class Function>
  std::string standard_error_of(Function function) {
    ::testing::internal::CaptureStderr();
    function();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(Log, WritesOneLineAnEventWithItsLevel) {
  EXPECT_EQ(standard_error_of([] { log_error("open {}: {}", "x", 7); }), "error: open x: 7\n");
  EXPECT_EQ(standard_error_of([] { log_warning("slow"); }), "warning: slow\n");
  EXPECT_EQ(standard_error_of([] { log_info("ready"); }), "ready\n");
}

TEST_F(Log, SaysOnlyWhatTheLevelAsksFor) {
  EXPECT_EQ(standard_error_of([] { log_debug("detail"); }), "");
  set_log_level(LogLevel::debug);
  EXPECT_EQ(standard_error_of([] { log_debug("detail"); }), "debug: detail\n");
  set_log_level(LogLevel::error);
  EXPECT_EQ(standard_error_of([] { log_warning("slow"); }), "");
}

TEST_F(Log, EscapesControlCharactersSoThatTextCannotForgeALine) {
  EXPECT_EQ(standard_error_of([] { log_info("a\nerror: b\x1b[2J\x7f"); }), "a\\x0aerror: b\\x1b[2J\\x7f\n");
}

}  // namespace
}  // namespace spidd
