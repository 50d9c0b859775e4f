// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/classification.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

enum : std::uint16_t { kHttps, kDot, kOpenvpn, kHttp, kTlsTunnel, kLearned };

const std::vector<ModelSummary>& models() {
  static const std::vector<ModelSummary> models = {
      {"https", "tls", Category::encrypted, Transport::tcp, 10, 3, 100},
      {"dot", "tls", Category::encrypted, Transport::tcp, 10, 3, 100},
      {"openvpn", "openvpn", Category::tunnel, Transport::tcp, 10, 3, 100},
      {"http", "http", Category::plain, Transport::tcp, 10, 3, 100, 0.5F},
      {"https-proxy", "tls-tunnel", Category::tunnel, Transport::tcp, 10, 3, 100},
      {"unknown-3fa2", "unknown-3fa2", Category::plain, Transport::tcp, 7, 3, 100, 0.4F},
  };
  return models;
}

Match tunnel(float score, float other) {
  return {.best = kOpenvpn,
          .second = kHttps,
          .best_tunnel = kOpenvpn,
          .best_other = kHttps,
          .best_score = score,
          .second_score = other,
          .tunnel_score = score,
          .other_score = other};
}

// A tunnel that looks like the HTTPS it is compared with.
Match camouflaged(float score, float other) {
  Match match = tunnel(score, other);
  match.best = match.best_tunnel = kTlsTunnel;
  return match;
}

// HTTP ahead of TLS, the best tunnel behind or ahead of both.
Match http(float score, float tls, float tunnel) {
  Match match{.best = kHttp,
              .second = kHttps,
              .best_tunnel = kOpenvpn,
              .best_other = kHttp,
              .other_second = kHttps,
              .best_score = score,
              .second_score = tls,
              .tunnel_score = tunnel,
              .other_score = score,
              .other_second_score = tls};
  if (tunnel > tls) {
    match.second = kOpenvpn;
    match.second_score = tunnel;
  }
  if (tunnel > score) {
    match.best = kOpenvpn;
    match.best_score = tunnel;
    match.second = kHttp;
    match.second_score = score;
  }
  return match;
}

Verdict judge(const Match& match, unsigned packets, Progress progress = Progress::more_to_come,
              const Verdict& previous = {}) {
  return classify(match, models(), packets, progress, previous, ClassificationRules{});
}

TEST(Classification, WaitsForMorePacketsWhenAnEarlyVerdictIsNotClear) {
  EXPECT_EQ(judge(tunnel(0.5F, 0.0F), 4).state, IdentificationState::undecided);
  EXPECT_EQ(judge(tunnel(1.0F, 0.9F), 4).state, IdentificationState::undecided);
}

TEST(Classification, GivesAClearVerdictEarly) {
  const Verdict verdict = judge(tunnel(1.0F, 0.2F), 4);
  EXPECT_EQ(verdict.state, IdentificationState::identified);
  EXPECT_FALSE(verdict.final);
  EXPECT_EQ(verdict.model, kOpenvpn);
  EXPECT_FLOAT_EQ(verdict.tunnel_margin, 0.8F);
}

TEST(Classification, SettlesAtTheEighthPacket) {
  EXPECT_EQ(judge(tunnel(0.05F, 0.0F), 8).state, IdentificationState::identified);
  EXPECT_EQ(judge(tunnel(-0.05F, -0.5F), 8).state, IdentificationState::unknown);
}

TEST(Classification, IsFinalWhenTheSameClearAnswerComesTwice) {
  const Verdict first = judge(tunnel(1.0F, 0.2F), 3);
  EXPECT_TRUE(judge(tunnel(1.0F, 0.2F), 4, Progress::more_to_come, first).final);
  EXPECT_FALSE(judge(tunnel(0.4F, -0.2F), 8, Progress::more_to_come, first).final);
}

TEST(Classification, AnotherLabelOfTheSameFamilyIsTheSameAnswer) {
  Match match = tunnel(0.0F, 1.0F);
  match.best = kHttps;
  match.best_score = 1.0F;
  match.second = kOpenvpn;
  match.second_score = 0.0F;
  const Verdict first = judge(match, 4);
  match.best = match.best_other = kDot;
  EXPECT_TRUE(judge(match, 6, Progress::more_to_come, first).final);
}

TEST(Classification, ATunnelMustLeadByTheMargin) {
  const Verdict verdict = judge(http(0.8F, 0.2F, 0.85F), 20);
  EXPECT_EQ(verdict.state, IdentificationState::identified);
  EXPECT_EQ(verdict.model, kHttp);
  EXPECT_FLOAT_EQ(verdict.score, 0.8F);
  EXPECT_NEAR(verdict.margin, -0.05, 1e-6);
  EXPECT_EQ(judge(http(0.8F, 0.2F, 0.95F), 20).model, kOpenvpn);
}

TEST(Classification, SaysWhichModelTheMarginIsOver) {
  const Verdict openvpn = judge(tunnel(1.0F, 0.2F), 20);
  EXPECT_EQ(openvpn.rival, kHttps);
  EXPECT_EQ(openvpn.tunnel_model, kOpenvpn);
  EXPECT_EQ(openvpn.other_model, kHttps);
  EXPECT_EQ(judge(http(0.8F, 0.7F, 0.2F), 20).rival, kHttps);
  EXPECT_EQ(judge(http(0.8F, 0.2F, 0.7F), 20).rival, kOpenvpn);
  EXPECT_EQ(judge({.best = kHttp, .best_other = kHttp, .best_score = 1.0F, .other_score = 1.0F}, 20).rival, kNoModel);
}

TEST(Classification, AClassicProfileNamesTheNearestBelowItsThreshold) {
  for (const Profile profile : {Profile::classic34, Profile::classic15}) {
    const ClassificationRules rules = classification_rules(profile);
    const auto judged = [&](const Match& match) { return classify(match, models(), 20, Progress::ended, {}, rules); };
    EXPECT_EQ(judged(tunnel(0.01F, 0.0F)).model, kOpenvpn);
    EXPECT_EQ(judged(tunnel(0.01F, 0.0F)).state, IdentificationState::identified);
    EXPECT_EQ(judged(tunnel(-0.01F, -0.5F)).state, IdentificationState::unknown);
    EXPECT_TRUE(kBlockRule.holds(judged(tunnel(0.45F, 0.2F))));
    EXPECT_FALSE(kBlockRule.holds(judged(tunnel(0.3F, 0.0F))));
  }
}

TEST(Classification, ACamouflagedTunnelMustLeadByMore) {
  EXPECT_EQ(judge(camouflaged(1.0F, 0.84F), 20).state, IdentificationState::unknown);
  EXPECT_EQ(judge(camouflaged(1.0F, 0.82F), 20).state, IdentificationState::identified);
  EXPECT_EQ(judge(tunnel(1.0F, 0.84F), 20).state, IdentificationState::identified);
}

TEST(Classification, ATunnelThatLeadsTooLittleGivesNoEarlyVerdict) {
  EXPECT_EQ(judge(camouflaged(1.0F, 0.75F), 4).state, IdentificationState::undecided);
  EXPECT_EQ(judge(camouflaged(1.0F, 0.65F), 4).state, IdentificationState::identified);
}

TEST(Classification, ALabelIsNamedAfterItsFamilyAddedUpWhereItIsFarBehind) {
  Match match = http(1.0F, 0.0F, -1.0F);
  match.best_other = kHttps;
  match.other_second = kHttp;
  match.other_member = kDot;
  match.other_member_score = 0.95F;
  EXPECT_EQ(judge(match, 20).model, kDot);
  EXPECT_FLOAT_EQ(judge(match, 20).score, 0.95F);
  match.other_member_score = 0.8F;
  EXPECT_EQ(judge(match, 20).model, kHttps);
}

TEST(Classification, AModelMayAskForAHigherScore) {
  EXPECT_EQ(judge(http(0.4F, 0.0F, -1.0F), 20).state, IdentificationState::unknown);
  EXPECT_EQ(judge(http(0.6F, 0.0F, -1.0F), 20).state, IdentificationState::identified);
}

TEST(Classification, TwoEquallyGoodFamiliesAreUnknown) {
  EXPECT_EQ(judge(http(0.8F, 0.78F, -1.0F), 20).state, IdentificationState::unknown);
}

TEST(Classification, OneOrTwoPacketsMustSayMore) {
  EXPECT_EQ(judge(http(0.8F, 0.7F, -1.0F), 2, Progress::ended).state, IdentificationState::unknown);
  EXPECT_EQ(judge(http(0.8F, 0.7F, -1.0F), 3, Progress::ended).state, IdentificationState::identified);
  EXPECT_EQ(judge(http(0.8F, 0.5F, -1.0F), 2, Progress::ended).state, IdentificationState::identified);
  EXPECT_EQ(judge(tunnel(0.1F, -0.5F), 2, Progress::ended).state, IdentificationState::unknown);
}

TEST(Classification, IsNotFinalWhileATunnelIsNear) {
  const Verdict first = judge(http(1.5F, 0.2F, 0.2F), 4);
  ASSERT_EQ(first.state, IdentificationState::identified);
  EXPECT_TRUE(judge(http(1.5F, 0.2F, 0.2F), 8, Progress::more_to_come, first).final);
  EXPECT_FALSE(judge(http(1.5F, 0.2F, 1.45F), 8, Progress::more_to_come, first).final);
}

TEST(Classification, TheTwentiethPacketIsFinalWhateverItSays) { EXPECT_TRUE(judge(tunnel(-1.0F, -2.0F), 20).final); }

TEST(Classification, AShortFlowIsJudgedAtItsEnd) {
  const Verdict verdict = judge(tunnel(0.3F, 0.0F), 2, Progress::ended);
  EXPECT_EQ(verdict.state, IdentificationState::identified);
  EXPECT_TRUE(verdict.final);
}

TEST(Classification, APauseGivesAnAnswerThatIsNotFinal) {
  const Verdict verdict = judge(tunnel(0.3F, 0.0F), 2, Progress::paused);
  EXPECT_EQ(verdict.state, IdentificationState::identified);
  EXPECT_FALSE(verdict.final);
}

TEST(Classification, NoModelToCompareWithIsUnknown) {
  EXPECT_EQ(judge(Match{}, 3, Progress::ended).state, IdentificationState::unknown);
  EXPECT_EQ(judge(Match{}, 4).state, IdentificationState::undecided);
}

TEST(Classification, WhatNobodyConfirmedNamesOnlyWhatIsUnknown) {
  Match match = http(0.45F, 0.3F, 0.1F);  // below the threshold of http
  match.best_provisional = kLearned;
  match.provisional_score = 0.5F;
  const Verdict learned = judge(match, 8);
  EXPECT_EQ(learned.state, IdentificationState::identified);
  EXPECT_EQ(learned.verdict_class, VerdictClass::label);
  EXPECT_EQ(learned.model, kLearned);
  EXPECT_FLOAT_EQ(learned.score, 0.5F);
  EXPECT_NEAR(learned.margin, 0.05F, 1e-6F);

  match.provisional_score = 0.42F;  // http is nearer
  EXPECT_EQ(judge(match, 8).state, IdentificationState::unknown);

  Match known = http(0.7F, 0.3F, 0.1F);
  known.best_provisional = kLearned;
  known.provisional_score = 3.0F;  // fits better by far
  EXPECT_EQ(judge(known, 8).model, kHttp);

  Match tunnelled = tunnel(0.8F, 0.2F);
  tunnelled.best_provisional = kLearned;
  tunnelled.provisional_score = 3.0F;
  EXPECT_EQ(judge(tunnelled, 8).model, kOpenvpn);
}

TEST(Classification, WhatNobodyConfirmedMustReachItsThreshold) {
  Match match = http(0.1F, 0.0F, -0.1F);
  match.best_provisional = kLearned;
  match.provisional_score = 0.39F;
  EXPECT_EQ(judge(match, 8).state, IdentificationState::unknown);
  match.provisional_score = 0.4F;
  EXPECT_EQ(judge(match, 8).model, kLearned);
}

TEST(Classification, KeepsTheActionAlreadyTaken) {
  Verdict previous;
  previous.action = Action::alert;
  previous.rule = 3;
  const Verdict verdict = judge(tunnel(1.0F, 0.0F), 8, Progress::more_to_come, previous);
  EXPECT_EQ(verdict.action, Action::alert);
  EXPECT_EQ(verdict.rule, 3);
}

}  // namespace
}  // namespace spidd
