// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What an operator asks of the learner, however it is written, and what is told, kept and counted while it learns.
#include "userspace/daemon/learn_requests.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/learning/made_up_protocols.h"
#include "userspace/daemon/config.h"
#include "userspace/daemon/requests.h"
#include "userspace/daemon/stream_learning.h"
#include "userspace/spid/model_file.h"

namespace spidd {
namespace {

Result<LearnRequest> read(const std::string& members) {
  const auto request = parse_request(R"({"version":1,"command":"learn",)" + members + "}");
  if (!request) return tl::unexpected<Error>(request.error());
  return std::get<LearnRequest>(*request);
}

TEST(LearnRequests, ReadEveryVerb) {
  EXPECT_EQ(read(R"("verb":"list")")->verb, LearnRequest::Verb::list);
  EXPECT_EQ(read(R"("verb":"show","cluster":"#3")")->cluster, "#3");
  const auto name = read(R"("verb":"name","cluster":"unknown-3fa2","label":"leafcast","category":"p2p")");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->label, "leafcast");
  EXPECT_EQ(name->category, Category::p2p);
  EXPECT_EQ(read(R"("verb":"merge","cluster":"a","into":"b")")->into, "b");
  EXPECT_EQ(read(R"("verb":"forget","cluster":"a")")->verb, LearnRequest::Verb::forget);
  EXPECT_EQ(read(R"("verb":"export","cluster":"a")")->verb, LearnRequest::Verb::export_model);
}

TEST(LearnRequests, RefuseWhatIsNotUnderstood) {
  for (const char* members :
       {R"("verb":"burn")", R"("verb":1)", R"("cluster":"a")", R"("verb":"show")", R"("verb":"show","cluster":[])",
        R"("verb":"list","cluster":"a")", R"("verb":"name","cluster":"a")",
        R"("verb":"name","cluster":"a","label":"b","category":"odd")", R"("verb":"merge","cluster":"a")",
        R"("verb":"forget","cluster":"a","into":"b")"})
    EXPECT_FALSE(read(members)) << members;
  EXPECT_FALSE(read(R"("verb":"show","cluster":")" + std::string(1000, 'x') + "\""));
}

class LearnAnswersTest : public ::testing::Test {
 protected:
  LearnAnswersTest() {
    directory = ::testing::TempDir() + fmt::format("learn-answers-{}", ::getpid());
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    learning.learner().set_scorer(std::make_shared<LogRatioScorer>(made_up.models(500, 8).models));
    learning.on_learned([this](const Cluster& cluster) { told.push_back(cluster.name); });
  }
  ~LearnAnswersTest() override { std::filesystem::remove_all(directory); }

  void teach(unsigned protocol, std::chrono::seconds start = {}) {
    for (unsigned i = 0; i < 6; ++i)
      learning.learn(made_up.unknown(protocol, 1 + i % 2, start + std::chrono::seconds(i)));
  }

  Result<nlohmann::ordered_json> ask(const std::string& members) {
    const auto request = read(members);
    if (!request) return tl::unexpected<Error>(request.error());
    return answer_learn(learning.learner(), *request, [](std::string_view label) -> std::optional<KnownLabel> {
      if (label != "dot") return std::nullopt;
      return KnownLabel{"tls", Category::encrypted};
    });
  }

  MadeUpProtocols made_up{5};
  StreamLearning learning{LearnerSettings{}};
  std::vector<std::string> told;
  std::string directory;
};

TEST_F(LearnAnswersTest, ShowNameExportAndForget) {
  teach(1);
  ASSERT_EQ(told.size(), 1U);
  const auto list = ask(R"("verb":"list")");
  ASSERT_TRUE(list);
  EXPECT_EQ((*list)["clusters"][0]["name"], told[0]);
  EXPECT_EQ((*list)["clusters"][0]["state"], "provisional");
  EXPECT_EQ((*list)["clusters"][0]["flows"], 6);
  EXPECT_EQ((*list)["clusters"][0]["top_ports"][0]["port"], 7001);
  const auto shown = ask(R"("verb":"show","cluster":")" + told[0] + "\"");
  ASSERT_TRUE(shown);
  EXPECT_EQ((*shown)["samples"][0]["packets"][0]["hex"], "6c656166");
  EXPECT_EQ((*shown)["samples"][0]["packets"][0]["text"], "leaf");
  const auto named = ask(R"("verb":"name","cluster":"#1","label":"dot")");
  ASSERT_TRUE(named);
  EXPECT_EQ((*named)["family"], "tls") << "as the shipped model of that label";
  EXPECT_EQ((*named)["category"], "encrypted");
  EXPECT_EQ((*named)["may_block"], false) << "six flows are no evidence";
  const auto exported = ask(R"("verb":"export","cluster":"dot")");
  ASSERT_TRUE(exported);
  EXPECT_EQ((*exported)["file"], "dot.tcp.json");
  const auto model = parse_model((*exported)["text"].get<std::string>(), "dot");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->model.flows, 6U);
  EXPECT_TRUE(ask(R"("verb":"forget","cluster":"dot")"));
  EXPECT_FALSE(ask(R"("verb":"show","cluster":"dot")"));
}

TEST_F(LearnAnswersTest, MergeIntoALabelNamesAndAdds) {
  teach(1);
  EXPECT_FALSE(ask(R"("verb":"merge","cluster":")" + told[0] + R"(","into":"leafcats")")) << "a typing error";
  EXPECT_EQ(learning.learner().clusters().front().state, ClusterState::provisional);
  ASSERT_TRUE(ask(R"("verb":"name","cluster":")" + told[0] + R"(","label":"leafcast")"));
  EXPECT_FALSE(ask(R"("verb":"merge","cluster":"leafcast","into":"dot")")) << "it has a name";
  EXPECT_EQ(learning.learner().clusters().front().name, "leafcast");
  teach(1, std::chrono::hours(1));
  ASSERT_EQ(told.size(), 2U);
  const auto merged = ask(R"("verb":"merge","cluster":")" + told[1] + R"(","into":"leafcast")");
  ASSERT_TRUE(merged);
  EXPECT_EQ((*merged)["flows"], 12);
  EXPECT_EQ((*merged)["may_block"], true);
  teach(2);
  ASSERT_EQ(told.size(), 3U);
  const auto shipped = ask(R"("verb":"merge","cluster":")" + told[2] + R"(","into":"dot")");
  ASSERT_TRUE(shipped) << "a label of the shipped models";
  EXPECT_EQ((*shipped)["name"], "dot");
}

TEST_F(LearnAnswersTest, AStateThatCannotBeReadIsNotWrittenOver) {
  const std::string path = directory + "/learned/clusters";
  std::filesystem::create_directories(directory + "/learned");
  std::ofstream(path) << "x";
  std::filesystem::resize_file(path, std::uintmax_t{600} << 20U);  // more than any of ours, and sparse
  EXPECT_FALSE(learning.open(directory));
  teach(1);
  EXPECT_EQ(learning.saves(), 0U);
  EXPECT_EQ(std::filesystem::file_size(path), std::uintmax_t{600} << 20U);
}

TEST_F(LearnAnswersTest, OneProcessAtATimeChangesTheState) {
  ASSERT_TRUE(learning.open(directory));
  StreamLearning second{LearnerSettings{}};
  EXPECT_FALSE(second.open(directory));
}

TEST_F(LearnAnswersTest, WhatIsPromotedIsOnTheDiskAtOnce) {
  ASSERT_TRUE(learning.open(directory));
  teach(1);
  EXPECT_EQ(learning.saves(), 1U);
  learning.tend(StreamLearning::Clock::now());
  EXPECT_EQ(learning.saves(), 1U) << "the sixth flow can wait";
  learning.tend(StreamLearning::Clock::now() + StreamLearning::kSaveEvery);
  EXPECT_EQ(learning.saves(), 2U);
  learning.save();
  EXPECT_EQ(learning.saves(), 2U) << "nothing new";
  const std::string copy = directory + "/copy";
  std::filesystem::create_directories(copy);
  std::filesystem::copy(directory + "/learned", copy + "/learned", std::filesystem::copy_options::recursive);
  StreamLearning restarted{LearnerSettings{}};
  ASSERT_TRUE(restarted.open(copy));
  ASSERT_NE(restarted.learner().find(told[0]), nullptr);
  EXPECT_EQ(restarted.learner().find(told[0])->flows, 6U);
  for (const auto& [name, value] : learning_values(learning)) {
    EXPECT_TRUE(name != "clusters_promoted" || value == 1U);
    EXPECT_TRUE(name != "learned_saved" || value == 2U);
  }
}

TEST(LearningConfig, IsRead) {
  const auto config = parse_config(
      "[learning]\nmax_clusters = 8\npromote_packets = 50\noccasion_gap = \"5s\"\nhalf_life = \"1h\"\n", "spidd.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->study.learner.max_clusters, 8U);
  EXPECT_EQ(config->study.learner.promote_packets, 50U);
  EXPECT_EQ(config->study.learner.occasion_gap, std::chrono::seconds(5));
  EXPECT_EQ(config->study.learner.half_life, std::chrono::hours(1));
  EXPECT_EQ(parse_config("[learning]\nenabled = false\n", "f")->study.learner.max_clusters, 0U);
  EXPECT_FALSE(parse_config("[learning]\nmax_clusters = 0\n", "f"));
}

}  // namespace
}  // namespace spidd
