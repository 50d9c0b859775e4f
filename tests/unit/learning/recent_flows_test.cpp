// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/recent_flows.h"

#include <gtest/gtest.h>

#include "userspace/report/events.h"

namespace spidd {
namespace {

SettledFlow flow_of(std::uint16_t port, std::string label = "ssh") {
  SettledFlow flow;
  flow.key.port_low = port;
  flow.label = std::move(label);
  return flow;
}

std::uint64_t id_of(std::uint16_t port) { return event_flow_id(flow_of(port).key, {}); }

TEST(RecentFlows, FindsAFlowByTheIdThatEventsShow) {
  RecentFlows flows(4);
  flows.add(flow_of(1));
  flows.add(flow_of(2, "dns"));
  ASSERT_NE(flows.find(id_of(2)), nullptr);
  EXPECT_EQ(flows.find(id_of(2))->label, "dns");
  EXPECT_EQ(flows.find(id_of(3)), nullptr);
}

TEST(RecentFlows, ForgetsTheOldestWhenFull) {
  RecentFlows flows(2);
  for (std::uint16_t port = 1; port <= 5; ++port) flows.add(flow_of(port));
  EXPECT_EQ(flows.size(), 2U);
  EXPECT_EQ(flows.find(id_of(3)), nullptr);
  EXPECT_NE(flows.find(id_of(4)), nullptr);
  EXPECT_NE(flows.find(id_of(5)), nullptr);
}

TEST(RecentFlows, KeepsTheLaterVerdictOfAFlow) {
  RecentFlows flows(2);
  flows.add(flow_of(1, ""));
  flows.add(flow_of(1, "smtp"));
  EXPECT_EQ(flows.size(), 1U);
  EXPECT_EQ(flows.find(id_of(1))->label, "smtp");
}

TEST(RecentFlows, KeepsNothingWithoutRoom) {
  RecentFlows flows(0);
  flows.add(flow_of(1));
  EXPECT_EQ(flows.find(id_of(1)), nullptr);
}

}  // namespace
}  // namespace spidd
