// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The ring of recent events.
#include "userspace/report/recent_events.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

std::string texts(const std::vector<RecentEvents::Event>& events) {
  std::string result;
  for (const RecentEvents::Event& event : events) result += std::to_string(event.number) + event.json + " ";
  return result;
}

TEST(RecentEvents, NumbersEventsFromOne) {
  RecentEvents ring({10, 1000});
  EXPECT_EQ(ring.last_number(), 0U);
  EXPECT_EQ(ring.push("a"), 1U);
  EXPECT_EQ(ring.push("b"), 2U);
  EXPECT_EQ(ring.last_number(), 2U);
  EXPECT_EQ(texts(ring.after(0, 10)), "1a 2b ");
}

TEST(RecentEvents, GivesWhatIsNewSinceANumber) {
  RecentEvents ring({10, 1000});
  for (const char* event : {"a", "b", "c"}) ring.push(event);
  EXPECT_EQ(texts(ring.after(1, 10)), "2b 3c ");
  EXPECT_EQ(texts(ring.after(3, 10)), "");
  EXPECT_EQ(texts(ring.after(99, 10)), "");
  EXPECT_EQ(texts(ring.after(0, 2)), "2b 3c ");
  EXPECT_EQ(texts(ring.after(0, 0)), "");
}

TEST(RecentEvents, ForgetsTheOldestBeyondTheNumberAllowed) {
  RecentEvents ring({2, 1000});
  for (const char* event : {"a", "b", "c"}) ring.push(event);
  EXPECT_EQ(texts(ring.after(0, 10)), "2b 3c ");
}

TEST(RecentEvents, ForgetsTheOldestBeyondTheBytesAllowed) {
  RecentEvents ring({10, 5});
  ring.push("aaa");
  ring.push("bb");
  EXPECT_EQ(texts(ring.after(0, 10)), "1aaa 2bb ");
  ring.push("cc");
  EXPECT_EQ(texts(ring.after(0, 10)), "2bb 3cc ");
  ring.push("too large to keep");
  EXPECT_EQ(texts(ring.after(0, 10)), "");
  EXPECT_EQ(ring.last_number(), 4U);
  ring.push("e");
  EXPECT_EQ(texts(ring.after(0, 10)), "5e ");
}

}  // namespace
}  // namespace spidd
