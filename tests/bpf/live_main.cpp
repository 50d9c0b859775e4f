// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The live tests need root. Without it they are skipped, unless REQUIRE_PRIVILEGED_TESTS says that this must not be.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  testing::InitGoogleTest(&argc, argv);
  const bool only_lists = testing::GTEST_FLAG(list_tests);
  if (::geteuid() != 0 && !only_lists && std::getenv("REQUIRE_PRIVILEGED_TESTS") == nullptr) {
    std::puts("skipped: these tests attach to interfaces of their own network namespaces and need root");
    return kSkipped;
  }
  return RUN_ALL_TESTS();
}
