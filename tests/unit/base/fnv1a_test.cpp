// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/fnv1a.h"

#include <gtest/gtest.h>

#include <array>

namespace spidd {
namespace {

// From the reference vectors of FNV (draft-eastlake-fnv).
TEST(Fnv1a, GivesTheReferenceValues) {
  static_assert(fnv1a64("") == 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a64("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(fnv1a64("foobar"), 0x85944171f73967e8U);
}

TEST(Fnv1a, DoesNotDependOnHowTheBytesAreAdded) {
  Fnv1a64 hash;
  hash.add(std::uint16_t{('f' << 8) | 'o'});
  hash.add(std::uint8_t{'o'});
  hash.add(std::array<std::uint8_t, 2>{'b', 'a'});
  hash.add("r");
  EXPECT_EQ(hash.value(), fnv1a64("foobar"));
}

}  // namespace
}  // namespace spidd
