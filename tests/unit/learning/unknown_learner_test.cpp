// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What enters a cluster, when it is promoted, what one client can do to it, and how clean clusters of made-up protocols
// are.
#include "userspace/learning/unknown_learner.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/learning/made_up_protocols.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr unsigned kKnown = 500;  // number of the first protocol that has a model

class UnknownLearnerTest : public ::testing::Test {
 protected:
  MadeUpProtocols made_up{1};
  std::shared_ptr<const LogRatioScorer> scorer = std::make_shared<LogRatioScorer>(made_up.models(kKnown, 12).models);
  LearnerSettings settings;

  UnknownLearner make() const { return {settings, scorer}; }

  // Five flows of two clients, which is what it takes.
  void teach(UnknownLearner& learner, unsigned protocol, milliseconds start = {}) {
    for (unsigned i = 0; i < 5; ++i) learner.learn(made_up.unknown(protocol, 1 + i % 2, start + seconds(i)));
  }
};

TEST_F(UnknownLearnerTest, PromotesAProtocolSeenOftenEnoughFromTwoClients) {
  UnknownLearner learner = make();
  for (unsigned i = 0; i < 4; ++i) learner.learn(made_up.unknown(1, 1 + i % 2, seconds(i)));
  EXPECT_FALSE(learner.take_models_changed());
  learner.learn(made_up.unknown(1, 1, seconds(5)));
  ASSERT_EQ(learner.clusters().size(), 1U);
  const Cluster& cluster = learner.clusters().front();
  EXPECT_EQ(cluster.state, ClusterState::provisional);
  EXPECT_EQ(cluster.flows, 5U);
  EXPECT_EQ(cluster.payload_packets, 100U);
  EXPECT_EQ(cluster.clients.size(), 2U);
  EXPECT_GT(cluster.consistency, 0.4F);
  EXPECT_TRUE(cluster.name.starts_with("unknown-"));
  EXPECT_EQ(cluster.name.size(), 12U);
  EXPECT_EQ(cluster.ports.sorted().front().key, 7001);
  EXPECT_EQ(cluster.samples.size(), 3U);
  EXPECT_TRUE(learner.take_models_changed());
  const auto promoted = learner.take_promoted();
  ASSERT_EQ(promoted.size(), 1U);
  EXPECT_EQ(promoted.front().name, cluster.name);
  const ModelDatabase models = learner.models();
  ASSERT_EQ(models.models.size(), 1U);
  EXPECT_TRUE(models.models.front().provisional);
  EXPECT_EQ(models.models.front().origin, Origin::learned);
  EXPECT_EQ(models.models.front().flows, 5U);
}

TEST_F(UnknownLearnerTest, WhatItHasLearnedIsRecognised) {
  UnknownLearner learner = make();
  teach(learner, 1);
  ModelDatabase database = made_up.models(kKnown, 12);
  ASSERT_TRUE(database.append(learner.models()));
  const auto matcher = Matcher::build(database);
  ASSERT_TRUE(matcher);
  for (unsigned i = 0; i < 20; ++i) {
    const Match match = matcher->match(Transport::tcp, made_up.flow(1));
    ASSERT_NE(match.best_provisional, kNoModel);
    EXPECT_GE(match.provisional_score, matcher->models()[match.best_provisional].threshold);
    EXPECT_GT(match.provisional_score, match.best_score);
  }
}

TEST_F(UnknownLearnerTest, OneClientIsBelievedOnlyWhenItComesBack) {
  UnknownLearner learner = make();
  for (unsigned i = 0; i < 50; ++i) learner.learn(made_up.unknown(1, 1, milliseconds(200 * i)));
  EXPECT_EQ(learner.clusters().front().flows, 3U);
  EXPECT_EQ(learner.clusters().front().state, ClusterState::anonymous);
  EXPECT_EQ(learner.counters().pair_share, 47U);
  for (unsigned i = 0; i < 10; ++i) learner.learn(made_up.unknown(1, 1, seconds(70) + milliseconds(200 * i)));
  EXPECT_EQ(learner.clusters().front().state, ClusterState::anonymous);
  EXPECT_EQ(learner.clusters().front().occasions, 2U);
  learner.learn(made_up.unknown(1, 1, seconds(140)));
  EXPECT_EQ(learner.clusters().front().flows, 7U);
  EXPECT_EQ(learner.clusters().front().state, ClusterState::provisional);
}

TEST_F(UnknownLearnerTest, AmongSeveralClientsNoneGivesMoreThanItsShare) {
  UnknownLearner learner = make();
  milliseconds time{};
  for (unsigned round = 0; round < 30; ++round) {
    time += minutes(2);
    for (unsigned client = 1; client <= 4; ++client) learner.learn(made_up.unknown(1, client, time += seconds(1)));
    for (unsigned i = 0; i < 3; ++i) learner.learn(made_up.unknown(1, 9, time += seconds(1)));
  }
  const Cluster& cluster = learner.clusters().front();
  const auto* const greedy = cluster.clients.find(IpAddress::from_ipv4(0x0a000009));
  ASSERT_NE(greedy, nullptr);
  EXPECT_LE(greedy->flows, static_cast<std::uint32_t>(0.3 * cluster.flows) + 1);
  EXPECT_GT(learner.counters().client_share, 0U);
}

TEST_F(UnknownLearnerTest, RefusesWhatMustNotBeLearned) {
  UnknownLearner learner = make();
  SettledFlow touched = made_up.unknown(1, 1, seconds(1));
  touched.verdict.action = Action::alert;
  learner.learn(touched);
  SettledFlow known = made_up.unknown(1, 1, seconds(2));
  known.verdict.state = IdentificationState::identified;
  known.verdict.verdict_class = VerdictClass::label;
  learner.learn(known);
  SettledFlow random = made_up.unknown(1, 1, seconds(3));
  random.verdict.verdict_class = VerdictClass::fully_encrypted;
  learner.learn(random);
  SettledFlow one_way = made_up.unknown(1, 1, seconds(4));
  one_way.view = View::to_server;
  learner.learn(one_way);
  learner.learn(made_up.unknown(1, 1, seconds(5), 2));
  EXPECT_TRUE(learner.clusters().empty());
  EXPECT_EQ(learner.counters().touched, 1U);
  EXPECT_EQ(learner.counters().identified, 1U);
  EXPECT_EQ(learner.counters().not_unknown, 1U);
  EXPECT_EQ(learner.counters().one_way, 1U);
  EXPECT_EQ(learner.counters().too_short, 1U);
}

TEST_F(UnknownLearnerTest, LearnsNoMoreFlowsASecondThanAllowed) {
  UnknownLearner learner = make();
  for (unsigned i = 0; i < 100; ++i) learner.learn(made_up.unknown(i, i, seconds(1000)));
  EXPECT_EQ(learner.counters().too_fast, 80U);
  for (unsigned i = 0; i < 100; ++i) learner.learn(made_up.unknown(i, i, milliseconds(1000500)));
  EXPECT_EQ(learner.counters().too_fast, 170U);
}

TEST_F(UnknownLearnerTest, KeepsClustersWithinTheLimitAndLetsTheLeastGo) {
  settings.max_clusters = 8;
  settings.merge_score = 100;
  UnknownLearner learner = make();
  teach(learner, 1);
  const std::string name = learner.clusters().front().name;
  for (unsigned protocol = 2; protocol < 60; ++protocol)
    learner.learn(made_up.unknown(protocol, protocol, hours(1) + seconds(protocol)));
  EXPECT_LE(learner.clusters().size(), 8U);
  EXPECT_GT(learner.counters().evicted, 30U);
  EXPECT_NE(learner.find(name), nullptr);
  for (unsigned protocol = 60; protocol < 80; ++protocol)
    learner.learn(made_up.unknown(protocol, protocol, hours(24 * 7) + seconds(protocol)));
  EXPECT_EQ(learner.find(name), nullptr) << "a week without a flow";
}

TEST_F(UnknownLearnerTest, ClustersOfMadeUpProtocolsAreClean) {
  constexpr unsigned kProtocols = 14;
  constexpr unsigned kFlows = 30;
  settings.pair_flows = kFlows;
  UnknownLearner learner = make();
  std::vector<unsigned> order;
  for (unsigned i = 0; i < kProtocols * kFlows; ++i) order.push_back(i % kProtocols);
  std::ranges::shuffle(order, std::mt19937(7));
  milliseconds time{};
  for (const unsigned protocol : order) {
    const auto client = static_cast<std::uint32_t>(time.count() / 1000 % 5);
    learner.learn(made_up.unknown(protocol, client, time += seconds(1)));
  }
  // The server's port says which protocol a flow was of.
  std::uint64_t flows = 0;
  std::uint64_t pure = 0;
  std::set<std::uint16_t> promoted;
  for (const Cluster& cluster : learner.clusters()) {
    flows += cluster.flows;
    pure += cluster.ports.sorted().front().count;
    if (cluster.state == ClusterState::provisional) promoted.insert(cluster.ports.sorted().front().key);
  }
  EXPECT_EQ(flows, kProtocols * kFlows);
  EXPECT_GE(static_cast<double>(pure), 0.92 * static_cast<double>(flows));
  EXPECT_GE(promoted.size(), kProtocols - 1);
  EXPECT_LE(learner.clusters().size(), kProtocols + 4U);
}

TEST_F(UnknownLearnerTest, KeepsTheNameOnceGiven) {
  UnknownLearner learner = make();
  teach(learner, 1);
  const std::string name = learner.clusters().front().name;
  for (unsigned i = 0; i < 100; ++i) learner.learn(made_up.unknown(1, i, seconds(100 + i)));
  for (unsigned i = 0; i < 300; ++i) learner.learn(made_up.unknown(2 + i % 20, i, seconds(300 + i)));
  EXPECT_NE(learner.find(name), nullptr);
  EXPECT_GT(learner.find(name)->flows, 50U);
}

TEST_F(UnknownLearnerTest, GivesNoNameTwice) {
  UnknownLearner first = make();
  teach(first, 1);
  const Cluster twin = first.clusters().front();
  std::deque<Cluster> others(1);
  others[0].id = 1;
  others[0].state = ClusterState::provisional;
  others[0].name = others[0].family = twin.name;
  others[0].transport = Transport::udp;
  UnknownLearner second = make();
  second.restore(others, 2);
  MadeUpProtocols again{1};
  again.models(kKnown, 12);  // the same chance as for the first
  for (unsigned i = 0; i < 5; ++i) second.learn(again.unknown(1, 1 + i % 2, seconds(i)));
  ASSERT_EQ(second.clusters().size(), 2U);
  EXPECT_EQ(second.clusters()[1].content_hash(), twin.content_hash());
  EXPECT_NE(second.clusters()[1].name, twin.name);
}

TEST_F(UnknownLearnerTest, TakesNoNameThatMeansSomethingElse) {
  UnknownLearner learner = make();
  teach(learner, 1);
  const std::string name = learner.clusters().front().name;
  for (const char* label : {"unknown", "unknown-3fa2", "tunnel", "fully-encrypted", "undecided"}) {
    EXPECT_FALSE(learner.name(name, {label, "", Category::plain})) << label;
    EXPECT_FALSE(learner.name(name, {"chat", label, Category::plain})) << label;
  }
  EXPECT_TRUE(learner.name(name, {"chat", "", Category::plain}));
}

TEST_F(UnknownLearnerTest, AConfirmedProtocolLearnsNoMoreByItself) {
  UnknownLearner learner = make();
  teach(learner, 1);
  const std::string name = learner.clusters().front().name;
  const auto named = learner.name(name, {"leafcast", "", Category::p2p});
  ASSERT_TRUE(named);
  EXPECT_EQ((*named)->state, ClusterState::confirmed);
  EXPECT_EQ((*named)->family, "leafcast");
  ASSERT_EQ(learner.models().models.size(), 1U);
  EXPECT_FALSE(learner.models().models.front().provisional);
  EXPECT_EQ(learner.models().models.front().category, Category::p2p);
  teach(learner, 1, hours(1));
  EXPECT_EQ(learner.find("leafcast")->flows, 5U);
  EXPECT_EQ(learner.clusters().size(), 2U);
}

TEST_F(UnknownLearnerTest, NamingAgainUnderTheSameLabelAddsToIt) {
  UnknownLearner learner = make();
  teach(learner, 1);
  ASSERT_TRUE(learner.name(learner.clusters().front().name, {"leafcast", "", Category::plain}));
  teach(learner, 1, hours(1));
  ASSERT_EQ(learner.clusters().size(), 2U);
  const auto named = learner.name(learner.clusters().back().name, {"leafcast", "", Category::plain});
  ASSERT_TRUE(named);
  EXPECT_EQ((*named)->flows, 10U);
  EXPECT_EQ((*named)->state, ClusterState::confirmed);
  EXPECT_TRUE((*named)->to_model().has_evidence());
  EXPECT_EQ(learner.clusters().size(), 1U);
}

TEST_F(UnknownLearnerTest, MergesAndForgetsOnCommand) {
  UnknownLearner learner = make();
  teach(learner, 1);
  teach(learner, 2, hours(1));
  ASSERT_EQ(learner.clusters().size(), 2U);
  const std::string one = learner.clusters()[0].name;
  const std::string other = learner.clusters()[1].name;
  const auto merged = learner.merge(other, one);
  ASSERT_TRUE(merged);
  EXPECT_EQ((*merged)->name, one);
  EXPECT_EQ((*merged)->flows, 10U);
  EXPECT_EQ((*merged)->occasions, 2U);
  EXPECT_FALSE(learner.merge(other, one));
  EXPECT_FALSE(learner.merge(one, one));
  EXPECT_FALSE(learner.name("unknown-none", {"x", "", Category::plain}));
  EXPECT_FALSE(learner.name(one, {"Not A Label", "", Category::plain}));
  learner.take_models_changed();
  EXPECT_TRUE(learner.forget(one));
  EXPECT_TRUE(learner.take_models_changed());
  EXPECT_TRUE(learner.clusters().empty());
  EXPECT_FALSE(learner.forget(one));
}

TEST_F(UnknownLearnerTest, IsSwitchedOffByALimitOfZero) {
  settings.max_clusters = 0;
  UnknownLearner learner = make();
  teach(learner, 1);
  EXPECT_TRUE(learner.clusters().empty());
  EXPECT_EQ(learner.counters().switched_off, 5U);
}

}  // namespace
}  // namespace spidd
