// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What was learned outlives the daemon, and no damage to its file is taken for knowledge.
#include "userspace/learning/learner_state.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/learning/made_up_protocols.h"

namespace spidd {
namespace {

class LearnerStateTest : public ::testing::Test {
 protected:
  LearnerStateTest() {
    directory = ::testing::TempDir() + fmt::format("learner-state-{}", ::getpid());
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    for (unsigned i = 0; i < 8; ++i) learner.learn(made_up.unknown(1, 1 + i % 3, std::chrono::seconds(i)));
    for (unsigned i = 0; i < 6; ++i) learner.learn(made_up.unknown(2, 1 + i % 2, std::chrono::seconds(20 + i)));
    learner.learn(made_up.unknown(3, 1, std::chrono::seconds(40)));
    EXPECT_TRUE(learner.name(learner.clusters()[1].name, {"leafcast", "leaves", Category::p2p}));
  }
  ~LearnerStateTest() override { std::filesystem::remove_all(directory); }

  UnknownLearner another() const { return {LearnerSettings{}, scorer}; }
  std::string text() const { return format_learned(learner.clusters(), learner.next_id()); }

  MadeUpProtocols made_up{3};
  std::shared_ptr<const LogRatioScorer> scorer = std::make_shared<LogRatioScorer>(made_up.models(500, 8).models);
  UnknownLearner learner{LearnerSettings{}, scorer};
  std::string directory;
};

TEST_F(LearnerStateTest, IsTheSameAfterARestart) {
  ASSERT_EQ(learner.clusters().size(), 3U);
  ASSERT_TRUE(save_learned(learner, directory));
  UnknownLearner restarted = another();
  ASSERT_TRUE(load_learned(restarted, directory));
  EXPECT_EQ(format_learned(restarted.clusters(), restarted.next_id()), text());
  EXPECT_TRUE(restarted.take_models_changed());
  const Cluster* const confirmed = restarted.find("leafcast");
  ASSERT_NE(confirmed, nullptr);
  EXPECT_EQ(confirmed->state, ClusterState::confirmed);
  EXPECT_EQ(confirmed->family, "leaves");
  EXPECT_EQ(restarted.models().models.size(), 2U);
  EXPECT_EQ(restarted.models().models[1].counters, learner.models().models[1].counters);
}

TEST_F(LearnerStateTest, GoesOnLearningWhereItStopped) {
  UnknownLearner before = another();
  for (unsigned i = 0; i < 4; ++i) before.learn(made_up.unknown(1, 1 + i % 2, std::chrono::seconds(i)));
  ASSERT_TRUE(save_learned(before, directory));
  UnknownLearner after = another();
  ASSERT_TRUE(load_learned(after, directory));
  EXPECT_EQ(after.clusters().front().state, ClusterState::anonymous);
  after.learn(made_up.unknown(1, 2, std::chrono::seconds(90)));
  EXPECT_EQ(after.clusters().front().state, ClusterState::provisional);
}

TEST_F(LearnerStateTest, NothingLearnedYetIsNoError) {
  UnknownLearner fresh = another();
  EXPECT_TRUE(load_learned(fresh, directory));
  EXPECT_TRUE(fresh.clusters().empty());
}

TEST_F(LearnerStateTest, NoticesEveryFlippedBitAndEveryCut) {
  const std::string good = text();
  ASSERT_TRUE(parse_learned(good));
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    EXPECT_FALSE(parse_learned(bad)) << i;
  }
  for (std::size_t size = 0; size < good.size(); size += 13) EXPECT_FALSE(parse_learned(good.substr(0, size))) << size;
}

TEST_F(LearnerStateTest, KeepsADamagedFileAside) {
  ASSERT_TRUE(save_learned(learner, directory));
  const std::string path = directory + "/learned/clusters";
  std::filesystem::resize_file(path, 100);
  UnknownLearner fresh = another();
  const auto loaded = load_learned(fresh, directory);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find(path + ": its checksum is wrong"), std::string::npos) << loaded.error().message;
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(std::filesystem::file_size(path + ".damaged"), 100U);
  EXPECT_TRUE(fresh.clusters().empty());
  EXPECT_TRUE(load_learned(fresh, directory));

  ASSERT_TRUE(save_learned(learner, directory));
  std::filesystem::resize_file(path, 200);
  EXPECT_FALSE(load_learned(fresh, directory, LearnedUse::read));
  EXPECT_TRUE(std::filesystem::exists(path)) << "who reads renames nothing";
  EXPECT_FALSE(load_learned(fresh, directory));
  EXPECT_EQ(std::filesystem::file_size(path + ".damaged"), 100U) << "the older one stays";
  EXPECT_EQ(std::filesystem::file_size(path + ".damaged-2"), 200U);
}

TEST_F(LearnerStateTest, LowerLimitsGiveUpNothingThatWasKept) {
  ASSERT_TRUE(save_learned(learner, directory));
  LearnerSettings low;
  low.max_clusters = 1;
  low.max_confirmed = 1;
  low.max_bins = 256;
  UnknownLearner restarted(low, scorer);
  ASSERT_TRUE(load_learned(restarted, directory));
  for (unsigned i = 0; i < 3; ++i) restarted.learn(made_up.unknown(3, 5 + i, std::chrono::seconds(100 + i)));
  EXPECT_EQ(restarted.clusters().size(), 3U);
  EXPECT_EQ(restarted.counters().evicted, 0U);
  EXPECT_GE(restarted.settings().max_bins, learner.clusters()[0].counters.rows().size());
}

TEST_F(LearnerStateTest, AFileThatCannotBeReadIsAnErrorWithACode) {
  std::filesystem::create_directories(directory + "/learned/clusters");
  UnknownLearner fresh = another();
  const auto loaded = load_learned(fresh, directory);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().code, 0) << "nothing may be saved over it";
  EXPECT_TRUE(std::filesystem::exists(directory + "/learned/clusters"));
}

TEST_F(LearnerStateTest, GivesItsModelsAndChangesNothing) {
  EXPECT_TRUE(read_learned_models(directory)->models.empty());
  ASSERT_TRUE(save_learned(learner, directory));
  const auto models = read_learned_models(directory);
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_EQ(models->models, learner.models().models);
  const std::string path = directory + "/learned/clusters";
  std::filesystem::resize_file(path, 100);
  EXPECT_FALSE(read_learned_models(directory));
  EXPECT_EQ(std::filesystem::file_size(path), 100U);
}

TEST_F(LearnerStateTest, RefusesClustersThatContradictThemselves) {
  std::deque<Cluster> clusters = learner.clusters();
  clusters[2].name = "early";
  EXPECT_FALSE(parse_learned(format_learned(clusters, 10)));
  clusters[2].name = "";
  EXPECT_TRUE(parse_learned(format_learned(clusters, 10)));
  EXPECT_FALSE(parse_learned(format_learned(clusters, 2))) << "a number that is still to be given";
  clusters[2].id = clusters[0].id;
  EXPECT_FALSE(parse_learned(format_learned(clusters, 10)));
}

}  // namespace
}  // namespace spidd
