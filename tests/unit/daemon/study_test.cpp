// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/study.h"

#include <gtest/gtest.h>

#include "userspace/report/events.h"

namespace spidd {
namespace {

SettledFlow flow_of(std::uint16_t port) {
  SettledFlow flow;
  flow.key.port_low = port;
  return flow;
}

StudySettings some_settings(std::uint32_t recent_flows, std::uint32_t waiting_flows) {
  StudySettings settings;
  settings.recent_flows = recent_flows;
  settings.waiting_flows = waiting_flows;
  return settings;
}

TEST(Study, SeesEveryFlowAndAnswersQuestions) {
  Study study(some_settings(8, 64));
  study.start();
  for (std::uint16_t port = 1; port <= 20; ++port) study.submit(flow_of(port));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::optional<std::uint64_t> flows;
  while (flows != 20U && std::chrono::steady_clock::now() < deadline)
    flows = study.ask([](StudyState& state) { return state.flows; }, std::chrono::seconds(5));
  EXPECT_EQ(flows, 20U);
  const std::uint64_t id = event_flow_id(flow_of(20).key, {});
  EXPECT_EQ(study.ask([id](StudyState& state) { return state.recent.find(id) != nullptr; }, std::chrono::seconds(5)),
            true);
  EXPECT_EQ(study.lost(), 0U);
}

TEST(Study, CountsWhatItHasNoRoomFor) {
  Study study(some_settings(8, 4));
  for (std::uint16_t port = 1; port <= 10; ++port) study.submit(flow_of(port));
  EXPECT_EQ(study.lost(), 6U);
}

TEST(Study, FinishesWhatIsWaitingBeforeItStops) {
  Study study(some_settings(8, 64));
  for (std::uint16_t port = 1; port <= 10; ++port) study.submit(flow_of(port));
  study.start();
  study.stop();
  EXPECT_EQ(study.state().flows, 10U);
}

}  // namespace
}  // namespace spidd
