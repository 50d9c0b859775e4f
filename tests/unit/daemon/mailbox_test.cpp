// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/mailbox.h"

#include <gmock/gmock.h>

#include <functional>
#include <thread>

namespace spidd {
namespace {

using testing::ElementsAre;

TEST(Mailbox, HandsOverTasksInOrderAndOnce) {
  Mailbox<int> box;
  std::vector<int> seen;
  const auto take = [&] { box.take([&seen](int task) { seen.push_back(task); }); };
  take();
  EXPECT_THAT(seen, ElementsAre());
  box.post(1);
  box.post(2);
  take();
  take();
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST(Mailbox, LetsATaskPostAnother) {
  Mailbox<int> box;
  std::vector<int> seen;
  box.post(1);
  box.take([&](int task) {
    seen.push_back(task);
    box.post(task + 1);
  });
  EXPECT_THAT(seen, ElementsAre(1));
  box.take([&](int task) { seen.push_back(task); });
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST(Mailbox, LosesNothingBetweenThreads) {
  constexpr int kTasks = 20000;
  Mailbox<int> box;
  std::thread poster([&box] {
    for (int i = 0; i < kTasks; ++i) box.post(i);
  });
  int next = 0;
  while (next < kTasks)
    box.take([&next](int task) {
      ASSERT_EQ(task, next);
      ++next;
    });
  poster.join();
}

}  // namespace
}  // namespace spidd
