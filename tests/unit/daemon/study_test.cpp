// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/study.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/learning/site_flows.h"
#include "userspace/base/directory_lock.h"
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

class StudyOfTheSite : public testing::Test {
 protected:
  StudyOfTheSite() {
    StudySettings settings = some_settings(8, 64);
    settings.site.directory = directory_.string();
    state_.emplace(settings);
    const auto no_judge = []() -> Result<std::unique_ptr<SiteJudge>> { return fail("none"); };
    EXPECT_TRUE(state_->site.open(MeterRules::corrected, no_judge).has_value());
    SiteRequest record;
    record.verb = SiteRequest::Verb::record;
    record.length = std::chrono::hours(1);
    EXPECT_TRUE(state_->site.answer(record, site_time(0)).has_value());
  }
  ~StudyOfTheSite() override { std::filesystem::remove_all(directory_); }

  void add(std::uint8_t client, int second, bool looked_at_again = false) {
    SettledFlow flow = site_flow(1, client, "ssh", second);
    flow.key.low = flow.client.address;
    flow.key.high = flow.server.address;
    flow.key.port_low = static_cast<std::uint16_t>(second);
    flow.looked_at_again = looked_at_again;
    state_->add(flow);
  }

  nlohmann::ordered_json service() {
    SiteRequest review;
    review.verb = SiteRequest::Verb::review;
    const auto answer = state_->site.answer(review, site_time(50));
    EXPECT_TRUE(answer.has_value());
    return answer->at("services").at(0);
  }

  const std::filesystem::path directory_ = std::filesystem::path(testing::TempDir()) / "study-of-the-site";
  std::optional<StudyState> state_;
};

TEST_F(StudyOfTheSite, LearnsAFlowOnlyWhenNoSecondLookIsLeft) {
  add(1, 1, true);
  EXPECT_EQ(state_->site.counters().services, 0U);
  EXPECT_NE(state_->recent.find(event_flow_id(
                [] {
                  SettledFlow flow = site_flow(1, 1, "ssh", 1);
                  return FlowKey{flow.client.address, flow.server.address, 1, 0, Transport::tcp, 0};
                }(),
                site_time(1))),
            nullptr)
      << "but it can be explained";
  add(1, 1);
  EXPECT_EQ(service()["learned_flows"], 1);
}

TEST_F(StudyOfTheSite, TakesBackWhatABlockTouchesAndLearnsNoMoreOfIt) {
  for (int second = 1; second <= 3; ++second) add(1, second);
  for (int second = 4; second <= 5; ++second) add(2, second);
  state_->suspect(HostTarget{IpPrefix::of_host(IpAddress::from_ipv4(0x0a000001))}, site_time(30));
  EXPECT_EQ(service()["learned_flows"], 2);
  EXPECT_EQ(service()["touched"], 3);
  state_->suspect(HostTarget{IpPrefix::of_host(IpAddress::from_ipv4(0x0a000001))}, site_time(30));
  EXPECT_EQ(service()["touched"], 3) << "once is enough";
  add(1, 29);
  EXPECT_EQ(service()["learned_flows"], 2);
  EXPECT_EQ(service()["touched"], 4);
  add(1, 31);
  EXPECT_EQ(service()["learned_flows"], 3) << "the block is over";
  EXPECT_EQ(state_->site.counters().recorder.flows_taken_back, 3U);
}

TEST_F(StudyOfTheSite, UsesWhatAnotherProcessIsChangingAndTakesItOverAfterwards) {
  for (int second = 1; second <= 6; ++second) add(1, second);
  state_->site.close();
  state_.reset();
  auto other = DirectoryLock::take(directory_.string(), {});
  ASSERT_TRUE(other) << other.error().message;

  StudySettings settings = some_settings(8, 64);
  settings.site.directory = directory_.string();
  settings.site.lock_patience = {};
  state_.emplace(settings);
  const auto no_judge = []() -> Result<std::unique_ptr<SiteJudge>> { return fail("none"); };
  const auto warnings = state_->site.open(MeterRules::corrected, no_judge);
  ASSERT_TRUE(warnings) << warnings.error().message;
  ASSERT_EQ(warnings->size(), 1U);
  EXPECT_EQ(state_->site.counters().services, 1U) << "what is there is used";
  SiteRequest status;
  status.verb = SiteRequest::Verb::status;
  state_->site.tick(site_time(51));
  EXPECT_FALSE(state_->site.answer(status, site_time(51)).has_value());

  *other = DirectoryLock();
  state_->site.tick(site_time(60));
  EXPECT_TRUE(state_->site.take_models_changed());
  EXPECT_TRUE(state_->site.answer(status, site_time(60)).has_value());
  add(1, 55);
  EXPECT_EQ(service()["flows"], 7);
}

TEST_F(StudyOfTheSite, TakesBackASingleFlow) {
  add(1, 1);
  add(1, 2);
  FlowKey key{IpAddress::from_ipv4(0x0a000001), IpAddress::from_ipv4(0xc0000201), 2, 0, Transport::tcp, 0};
  state_->suspect(FlowTarget{key}, site_time(30));
  EXPECT_EQ(service()["learned_flows"], 1);
}

}  // namespace
}  // namespace spidd
