// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Taking flows out again gives what training without them gives.
#include "userspace/spid/fold_models.h"

#include <gtest/gtest.h>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

class FoldModelsTest : public testing::Test {
 protected:
  // Four protocols, each of three captures; the flow after them is a protocol's only one.
  FoldModelsTest() {
    std::mt19937 random(11);
    for (unsigned i = 0; i < 36; ++i) add(fmt::format("proto{}", i % 4), i / 12, protocol_flow(random, i % 4, 6));
    add("rare", 2, protocol_flow(random, 9, 6));
    set_.flows[3].packets.resize(1);  // one direction only
    use_.assign(set_.flows.size(), true);
    use_[5] = false;
    fingerprints_ = measure_flows(set_, std::vector<bool>(set_.flows.size(), true), kRecordLimit);
    for (const LabelledFlow& flow : set_.flows) out_.push_back(flow.capture == 2);
  }

  void add(const std::string& label, std::uint32_t capture, std::vector<PayloadPacket> packets) {
    LabelledFlow flow;
    flow.label = flow.family = label;
    flow.capture = flow.group = capture;
    flow.packets = std::move(packets);
    set_.flows.push_back(std::move(flow));
  }

  ModelDatabase trained_without() const {
    std::vector<bool> rest = use_;
    for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = rest[i] && !out_[i];
    return train_models(set_, fingerprints_, rest);
  }

  TrainingSet set_;
  std::vector<bool> use_;
  std::vector<bool> out_;
  FlowFingerprints fingerprints_;
};

TEST_F(FoldModelsTest, WithoutSomeFlowsIsTrainedOnTheRest) {
  const FoldModels models(set_, fingerprints_, use_);
  const ModelDatabase rest = models.without(out_);
  const ModelDatabase expected = trained_without();
  ASSERT_EQ(rest.models.size(), expected.models.size());
  EXPECT_EQ(rest.find("rare", Transport::tcp), nullptr);
  for (std::size_t i = 0; i < rest.models.size(); ++i) {
    EXPECT_EQ(rest.models[i].label, expected.models[i].label);
    EXPECT_EQ(rest.models[i].view, expected.models[i].view);
    EXPECT_EQ(rest.models[i].flows, expected.models[i].flows);
    EXPECT_EQ(rest.models[i].captures, expected.models[i].captures);
    EXPECT_EQ(rest.models[i].payload_packets, expected.models[i].payload_packets);
    EXPECT_EQ(rest.models[i].measurements, expected.models[i].measurements);
    EXPECT_EQ(rest.models[i].counters, expected.models[i].counters);
  }
}

TEST_F(FoldModelsTest, ScoresOfTheOwnLabelAreThoseOfAMatcher) {
  FoldModels models(set_, fingerprints_, use_);
  std::vector<bool> out(out_);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] && use_[i];
  std::vector<std::vector<float>> scores_of(models.database().models.size());
  models.take_out(out);
  models.score_own(out, scores_of);

  const Matcher matcher = *Matcher::build(trained_without());
  std::vector<Matcher::Score> scores;
  unsigned compared = 0;
  for (const View view : {View::both, View::to_server, View::to_client}) {
    std::vector<std::size_t> next(scores_of.size());
    for (std::size_t i = 0; i < set_.flows.size(); ++i) {
      if (!out[i] || fingerprints_[view][i].rows.empty()) continue;
      matcher.score_all(Transport::tcp, fingerprints_[view][i], scores, view);
      for (const Matcher::Score& score : scores) {
        if (matcher.models()[score.model].label != set_.flows[i].label) continue;
        const std::size_t model = models.index_of(set_.flows[i].label, Transport::tcp, view);
        ASSERT_LT(next[model], scores_of[model].size());
        EXPECT_EQ(scores_of[model][next[model]++], score.score);
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 36U);
}

TEST_F(FoldModelsTest, WhatIsPutBackIsAsItWas) {
  FoldModels models(set_, fingerprints_, use_);
  const ModelDatabase before = models.database();
  std::vector<bool> out(out_);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] && use_[i];
  models.take_out(out);
  models.put_back(out);
  for (std::size_t i = 0; i < before.models.size(); ++i) {
    EXPECT_EQ(models.database().models[i].counters, before.models[i].counters);
    EXPECT_EQ(models.database().models[i].flows, before.models[i].flows);
  }
}

}  // namespace
}  // namespace spidd
