// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Why flows have a name or none: what explanations say must be what classify() did.
#include "userspace/engine/explanation.h"

#include <gmock/gmock.h>

#include <random>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

using testing::HasSubstr;

Fingerprint packets_of(std::uint16_t length) { return equal_packets(length, 6); }

class ExplanationTest : public testing::Test {
 protected:
  void train(const char* label, const char* family, Category category, std::uint16_t length) {
    ProtocolModel& model = database_.find_or_add(label, Transport::tcp, category, family);
    for (int i = 0; i < 20; ++i) model.add(packets_of(length));
  }
  Explanation explain(const Fingerprint& flow, const ClassificationRules& rules = {}, bool structured = false,
                      const std::string& against = "") {
    matcher_.emplace(std::move(*Matcher::build(database_)));
    auto explanation =
        explain_flow(*matcher_, rules, {Transport::tcp, View::both, flow, {.random = structured}}, against);
    EXPECT_TRUE(explanation) << explanation.error().message;
    return *explanation;
  }
  std::string label(std::uint16_t model) const { return model == kNoModel ? "" : matcher_->models()[model].label; }

  ModelDatabase database_;
  std::optional<Matcher> matcher_;
};

TEST_F(ExplanationTest, SaysWhatANameRestsOn) {
  train("http", "http", Category::plain, 40);
  train("ssh", "ssh", Category::encrypted, 900);
  const Explanation explanation = explain(packets_of(40));
  EXPECT_TRUE(explanation.standing.holds);
  EXPECT_EQ(explanation.verdict_class, VerdictClass::label);
  EXPECT_EQ(label(explanation.best.model), "http");
  EXPECT_EQ(label(explanation.second.model), "ssh");
  EXPECT_THAT(explanation.reason, HasSubstr("'http' scores enough, and is ahead of 'ssh' by"));
}

TEST_F(ExplanationTest, SaysThatTheScoreIsTooLow) {
  train("http", "http", Category::plain, 40);
  train("ssh", "ssh", Category::encrypted, 900);
  database_.models[0].threshold = 9;
  const Explanation explanation = explain(packets_of(40));
  EXPECT_FALSE(explanation.standing.holds);
  EXPECT_EQ(explanation.verdict_class, VerdictClass::unknown);
  EXPECT_FLOAT_EQ(explanation.standing.threshold, 9);
  EXPECT_EQ(label(explanation.best.model), "http");
  EXPECT_THAT(explanation.reason, HasSubstr("and a name takes 9.000"));
}

TEST_F(ExplanationTest, ComparesATunnelThatIsNotAheadWithWhatItShouldBeAheadOf) {
  train("https", "tls", Category::encrypted, 40);
  train("https-proxy", "tls-tunnel", Category::tunnel, 40);
  train("openvpn", "openvpn", Category::tunnel, 900);
  ClassificationRules rules;
  rules.tunnel_margin = -1;
  rules.camouflage_margin = 0.17F;
  const Explanation explanation = explain(packets_of(40), rules);
  EXPECT_FALSE(explanation.standing.holds);
  EXPECT_EQ(label(explanation.standing.model), "https-proxy");
  EXPECT_EQ(label(explanation.second.model), "https");
  EXPECT_THAT(explanation.reason, HasSubstr("is ahead of 'https' by"));
  EXPECT_THAT(explanation.reason, HasSubstr("only, and a name takes 0.170"));
}

TEST_F(ExplanationTest, LeavesRandomTunnelsOutWhereThereIsStructure) {
  train("http", "http", Category::plain, 900);
  train("obfs4", "obfuscated", Category::tunnel, 40);
  EXPECT_EQ(label(explain(packets_of(40)).standing.model), "obfs4");
  const Explanation structured = explain(packets_of(40), {}, true);
  EXPECT_EQ(label(structured.standing.model), "http");
  EXPECT_FALSE(structured.standing.holds);
}

TEST_F(ExplanationTest, FindsNothingWithoutAModelOfTheTransport) {
  database_.find_or_add("dns", Transport::udp, Category::plain, "dns").add(packets_of(40));
  matcher_.emplace(std::move(*Matcher::build(database_)));
  const Fingerprint flow = packets_of(40);
  const auto none = explain_flow(*matcher_, {}, {Transport::tcp, View::both, flow, false}, "");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("there is no model over tcp"));
}

// Whatever the scores: the candidate is the verdict's model, and holds exactly if the flow has a name.
TEST_F(ExplanationTest, AgreesWithTheVerdictOnEveryMatch) {
  const std::vector<ModelSummary> models = {
      {"https", "tls", Category::encrypted, Transport::tcp, 10, 3, 100, 0.3F},
      {"dot", "tls", Category::encrypted, Transport::tcp, 10, 3, 100},
      {"http", "http", Category::plain, Transport::tcp, 10, 3, 100, 0.5F},
      {"openvpn", "openvpn", Category::tunnel, Transport::tcp, 10, 3, 100},
      {"https-proxy", "tls-tunnel", Category::tunnel, Transport::tcp, 10, 3, 100},
      {"unknown-3fa2", "unknown-3fa2", Category::plain, Transport::tcp, 7, 3, 100, 0.4F},
  };
  std::mt19937 random(1);
  std::uniform_real_distribution<float> score(-0.5F, 1.0F);
  unsigned named = 0;
  for (int round = 0; round < 20000; ++round) {
    Match match;
    match.best_tunnel = random() % 4 == 0 ? kNoModel : static_cast<std::uint16_t>(3 + random() % 2);
    match.best_other = random() % 8 == 0 ? kNoModel : static_cast<std::uint16_t>(random() % 2);
    match.other_second = match.best_other == kNoModel || random() % 3 == 0 ? kNoModel : std::uint16_t{2};
    match.best_provisional = random() % 2 == 0 ? kNoModel : std::uint16_t{5};
    match.tunnel_score = match.best_tunnel == kNoModel ? 0 : score(random);
    match.other_score = match.best_other == kNoModel ? 0 : score(random);
    match.other_second_score = match.other_second == kNoModel ? 0 : match.other_score - 0.1F * score(random) - 0.05F;
    match.provisional_score = score(random);
    const bool tunnel_first =
        match.best_other == kNoModel || (match.best_tunnel != kNoModel && match.tunnel_score > match.other_score);
    match.best = tunnel_first ? match.best_tunnel : match.best_other;
    match.best_score = tunnel_first ? match.tunnel_score : match.other_score;
    match.second = tunnel_first ? match.best_other : match.other_second;
    match.second_score = tunnel_first ? match.other_score : match.other_second_score;
    const auto packets = static_cast<unsigned>(1 + random() % 20);
    const Verdict verdict = classify(match, models, packets, Progress::ended, {}, {});
    const Candidate candidate = choose_candidate(match, models, packets, {});
    ASSERT_EQ(candidate.holds, verdict.state == IdentificationState::identified) << round;
    if (!candidate.holds) continue;
    ++named;
    ASSERT_EQ(candidate.model, verdict.model);
    ASSERT_EQ(candidate.rival, verdict.rival);
    ASSERT_FLOAT_EQ(candidate.score, verdict.score);
    ASSERT_FLOAT_EQ(candidate.margin, verdict.margin);
  }
  EXPECT_GT(named, 5000U);
}

}  // namespace
}  // namespace spidd
