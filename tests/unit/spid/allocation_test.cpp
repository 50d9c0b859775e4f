// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Measuring and matching flows does not allocate: this program's operator new counts.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace {
thread_local std::size_t allocations = 0;
}

// The compiler inlines these and then takes the pair of malloc() and free() for a mistake.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace spidd {
namespace {

TEST(HotPath, DoesNotAllocate) {
  std::mt19937 random(15);
  std::vector<std::vector<PayloadPacket>> flows;
  for (unsigned i = 0; i < 40; ++i) flows.push_back(random_flow(random, 1 + i % 20, 1 + 6 * i));
  AttributeMeters meters;
  Fingerprint fingerprint;
  ModelDatabase database;
  for (const auto& flow : flows) {
    meters.measure(flow, fingerprint);
    database.find_or_add("any", Transport::tcp, Category::plain, "any").add(fingerprint);
  }
  for (const Profile profile : {Profile::background, Profile::classic34}) {
    const Matcher matcher = *Matcher::build(database, profile);
    fingerprint.rows.reserve(kRowCount);
    const std::size_t before = allocations;
    for (const auto& flow : flows) {
      meters.measure(flow, fingerprint);
      const Match match = matcher.match(Transport::tcp, fingerprint);
      ASSERT_EQ(match.best, 0);
      static_cast<void>(matcher.divergence(match.best, fingerprint));
    }
    EXPECT_EQ(allocations, before);
  }
}

}  // namespace
}  // namespace spidd
