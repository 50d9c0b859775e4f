// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl eval` reads, judges and writes, apart from the arithmetic of userspace/spid/evaluation.h.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/spid/test_flows.h"
#include "userspace/ctl/eval_input.h"
#include "userspace/ctl/eval_judge.h"
#include "userspace/ctl/eval_pictures.h"
#include "userspace/ctl/eval_report.h"
#include "userspace/ctl/eval_run.h"

namespace spidd {
namespace {

// Labels of a made-up protocol each; every label has four groups of two captures of three flows.
EvalInput make_input(unsigned labels, unsigned tunnels) {
  std::mt19937 random(3);
  TrainingSet set;
  for (unsigned label = 0; label < labels; ++label) {
    for (unsigned group = 0; group < 4; ++group) {
      set.groups.push_back(fmt::format("proto{}-{}", label, group));
      set.scenarios.emplace_back();
      for (unsigned capture = 0; capture < 2; ++capture) {
        set.captures.push_back(fmt::format("proto{}-{}-{}.pcap", label, group, capture));
        for (unsigned i = 0; i < 3; ++i) {
          LabelledFlow& flow = set.flows.emplace_back();
          flow.label = flow.family = fmt::format("proto{}", label);
          flow.category = label < tunnels ? Category::tunnel : Category::plain;
          flow.capture = static_cast<std::uint32_t>(set.captures.size() - 1);
          flow.group = static_cast<std::uint32_t>(set.groups.size() - 1);
          flow.packets = protocol_flow(random, label, 10);
        }
      }
    }
  }
  EvalInput input;
  add_part(input, "made-up", std::move(set));
  return input;
}

TEST(CaptureSource, IsANameAndPlaces) {
  const auto source = parse_eval_source("lab:captures:labels.tsv:manifest.tsv");
  ASSERT_TRUE(source);
  EXPECT_EQ(source->name, "lab");
  EXPECT_EQ(source->directory, "captures");
  EXPECT_EQ(source->labels, "labels.tsv");
  EXPECT_EQ(source->manifest, "manifest.tsv");
  EXPECT_EQ(parse_eval_source("tree:captures")->labels, "");
  for (const char* wrong : {"", "lab", "lab:", ":captures", "a:b:c:d:e"})
    EXPECT_FALSE(parse_eval_source(wrong)) << wrong;
}

TEST(EvalInput, KnowsThePartOfAFlow) {
  EvalInput input = make_input(1, 0);
  add_part(input, "more", make_input(2, 1).set);
  EXPECT_EQ(input.part_of(0), 0U);
  EXPECT_EQ(input.part_of(23), 0U);
  EXPECT_EQ(input.part_of(24), 1U);
  EXPECT_EQ(input.part_named("more"), 1U);
  EXPECT_EQ(input.part_named("less"), input.parts.size());
}

TEST(EvalInput, ATunnelStaysOneUnderAnotherName) {
  EvalInput input = make_input(2, 1);
  ASSERT_TRUE(merge_names(input.set, {"proto0=proto1"}));
  EXPECT_EQ(input.set.flows[0].label, "proto1");
  EXPECT_EQ(input.truths[0].label, "proto0");
  EXPECT_TRUE(input.truths[0].is_tunnel);
  for (const char* wrong : {"proto0", "=proto1", "proto0="}) EXPECT_FALSE(merge_names(input.set, {wrong})) << wrong;
}

TEST(VerdictsOfFlow, StepAtCheckpointsAndAtTheEnd) {
  EXPECT_EQ(VerdictsOfFlow::steps(1), (std::vector<unsigned>{1}));
  EXPECT_EQ(VerdictsOfFlow::steps(5), (std::vector<unsigned>{3, 4, 5}));
  EXPECT_EQ(VerdictsOfFlow::steps(20), (std::vector<unsigned>{3, 4, 6, 8, 12, 20}));
}

TEST(VerdictsOfFlow, EveryMomentIsDecidedOnce) {
  for (const unsigned packets : {1U, 2U, 7U, 20U}) {
    const ClassificationRules rules;
    VerdictsOfFlow verdicts({{}, rules}, nullptr, {}, packets);
    const std::array<PayloadPacket, 20> flow{};
    unsigned all = 0;
    for (const unsigned count : VerdictsOfFlow::steps(packets)) {
      const unsigned decided = verdicts.step({Match{}, std::span(flow).first(count)}, {});
      EXPECT_EQ(all & decided, 0U);
      all |= decided;
    }
    EXPECT_EQ(all, 15U) << packets;
  }
}

TEST(EvalRun, JudgesEveryFlowOnceByModelsOfOtherGroups) {
  const EvalInput input = make_input(6, 2);
  const auto run = run_evaluation(input, {.folds = 4, .threads = 3});
  ASSERT_TRUE(run);
  ASSERT_EQ(run->judged.size(), input.set.flows.size());
  unsigned right = 0;
  for (std::size_t i = 0; i < run->judged.size(); ++i) {
    EXPECT_EQ(run->judged[i].flow, i);
    const Outcome& outcome = run->judged[i].outcomes[1];
    EXPECT_TRUE(outcome.known);
    EXPECT_EQ(outcome.label, input.truths[i].label);
    right += outcome.named_label == outcome.label ? 1 : 0;
    EXPECT_TRUE(run->judged[i].own_score);
  }
  EXPECT_GE(right, 140U);
  EXPECT_EQ(run->models.size(), 18U);  // three views each
}

// An FTP session, and random bytes that flow between two hosts a second later, or before it.
class FtpDataTest : public testing::Test {
 protected:
  FtpDataTest() : input_(make_input(3, 1)) {
    for (LabelledFlow& flow : input_.set.flows) {
      if (flow.label == "proto0") flow.family = "obfuscated";
      if (flow.label == "proto1") flow.label = flow.family = "ftp";
    }
    const std::vector<bool> all(input_.set.flows.size(), true);
    const auto models = train_models(input_.set, measure_flows(input_.set, all, kRecordLimit), all);
    matcher_.emplace(std::move(*Matcher::build(models)));
    control_ = add(1, 1, 2, std::chrono::seconds(10));
  }

  std::size_t add(unsigned protocol, unsigned client, unsigned server, Duration begin) {
    LabelledFlow& flow = input_.set.flows.emplace_back(input_.set.flows[24 * protocol]);
    flow.packets = protocol_flow(random_, protocol, 10);
    for (PayloadPacket& packet : flow.packets) packet.time += begin;
    flow.start_seen = true;
    flow.key.low.bytes[15] = static_cast<std::uint8_t>(client);
    flow.key.high.bytes[15] = static_cast<std::uint8_t>(server);
    input_.truths.push_back(input_.truths[24 * protocol]);
    return input_.set.flows.size() - 1;
  }

  // Whether the data raises an alert: at 8 packets, finally, and finally without a meter.
  std::vector<bool> alerts(std::vector<std::size_t> flows, std::vector<std::size_t> others) {
    input_.parts[0].flows_end = input_.set.flows.size();
    std::vector<JudgedFlow> judged;
    std::vector<AblatedFlow> ablated;
    CaptureJudge(input_, *matcher_, std::nullopt).judge(flows, others, judged, &ablated);
    EXPECT_EQ(judged.size(), flows.size());
    EXPECT_EQ(ablated.size(), flows.size());
    const auto& outcomes = judged.front().outcomes;
    return {outcomes[1].alert, outcomes[3].alert, ablated.front().briefs[0][3].alert};
  }

  std::mt19937 random_{11};
  EvalInput input_;
  std::optional<Matcher> matcher_;
  std::size_t control_ = 0;
};

TEST_F(FtpDataTest, IsKnownByAControlConnectionBeforeIt) {
  const std::vector<bool> yes(3, true);
  const std::vector<bool> no(3, false);
  const std::size_t data = add(0, 2, 1, std::chrono::seconds(11));
  EXPECT_EQ(alerts({data}, {}), yes);  // no control connection in this capture
  input_.set.flows[data].start_seen = false;
  EXPECT_EQ(alerts({data}, {}), no);  // who knows how it began
  input_.set.flows[data].start_seen = true;
  EXPECT_EQ(alerts({data, control_}, {}), no);
  EXPECT_EQ(alerts({data}, {control_}), no);                                     // which need not be judged itself
  EXPECT_EQ(alerts({add(0, 2, 1, std::chrono::seconds(9))}, {control_}), yes);   // too early
  EXPECT_EQ(alerts({add(0, 3, 1, std::chrono::seconds(11))}, {control_}), yes);  // other hosts
}

TEST(EvalRun, DoesNotDependOnTheNumberOfThreads) {
  const EvalInput input = make_input(4, 1);
  const auto one = run_evaluation(input, {.folds = 3, .threads = 1});
  const auto three = run_evaluation(input, {.folds = 3, .threads = 3});
  ASSERT_TRUE(one && three);
  for (std::size_t i = 0; i < one->judged.size(); ++i) {
    EXPECT_EQ(one->judged[i].outcomes[3].named, three->judged[i].outcomes[3].named);
    EXPECT_EQ(one->judged[i].own_score, three->judged[i].own_score);
  }
}

TEST(EvalRun, ALabelThatIsOnlyInTheHeldOutPartIsNovel) {
  EvalInput input = make_input(2, 0);
  add_part(input, "more", make_input(3, 0).set);
  const auto run = run_evaluation(input, {.held_out = "more"});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->judged.size(), 72U);
  for (const JudgedFlow& flow : run->judged) {
    EXPECT_GE(flow.flow, 48U);
    EXPECT_EQ(flow.outcomes[0].known, flow.outcomes[0].label != "proto2");
  }
}

TEST(EvalRun, ShowsOneDirectionOnly) {
  const EvalInput input = make_input(4, 1);
  const auto run = run_evaluation(input, {.folds = 4, .one_way = View::to_client});
  ASSERT_TRUE(run);
  unsigned right = 0;
  for (const JudgedFlow& flow : run->judged) right += flow.outcomes[2].named == flow.outcomes[2].family ? 1 : 0;
  EXPECT_GE(right, 90U);
}

TEST(EvalRun, LeavesOutALabelAndJudgesItsFlows) {
  const EvalInput input = make_input(5, 1);
  const auto run = run_evaluation(input, {.folds = 4, .strangers = true});
  ASSERT_TRUE(run);
  ASSERT_EQ(run->strangers.size(), input.set.flows.size());
  for (const JudgedFlow& flow : run->strangers) {
    EXPECT_FALSE(flow.outcomes[3].known);
    EXPECT_NE(flow.outcomes[3].nearest, flow.outcomes[3].label);
  }
}

TEST(EvalRun, LeavesOutEachMeter) {
  const EvalInput input = make_input(3, 1);
  const auto run = run_evaluation(input, {.folds = 4, .ablation = true});
  ASSERT_TRUE(run);
  ASSERT_EQ(run->ablated.size(), run->judged.size());
  const EvalReport report = make_report(input, {.ablation = true}, *run, 1e6);
  ASSERT_EQ(report.ablation.size(), kMoments.size());
  EXPECT_EQ(report.ablation[0].meters.size(), run->ablated[0].briefs.size() - 2);  // two are not scored
}

// Two of the four captures of each label's two groups, and no flow of a tunnel.
TEST(LocalFlows, AreHalfOfTheCapturesOfEachGroup) {
  const EvalInput input = make_input(2, 1);
  const std::vector<bool> all(input.set.flows.size(), true);
  const std::vector<bool> local = local_flows(input, all, 0.5, "");
  for (std::size_t i = 0; i < local.size(); ++i)
    EXPECT_EQ(local[i], !input.truths[i].is_tunnel && input.set.flows[i].capture % 2 == 1) << i;
  EXPECT_EQ(std::ranges::count(local_flows(input, all, 0.5, "elsewhere"), true), 0);
}

TEST(EvalRun, JudgesTheSameFlowsWithAndWithoutTheSite) {
  const EvalInput input = make_input(4, 1);
  const auto run = run_evaluation(input, {.folds = 4, .local_share = 0.5});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->learned_locally, 36U);
  EXPECT_EQ(run->judged.size(), input.set.flows.size() - 36);
  ASSERT_EQ(run->with_local.size(), run->judged.size());
  for (std::size_t i = 0; i < run->judged.size(); ++i) EXPECT_EQ(run->judged[i].flow, run->with_local[i].flow);
}

JudgedFlow judged(std::size_t flow, const Outcome& outcome) {
  JudgedFlow result;
  result.flow = flow;
  result.outcomes.fill(outcome);
  return result;
}

// 1 of 48 benign flows blocked: 20,833 a day of a million; the exact upper limit of 1 in 48 is 9.50 %.
TEST(EvalReport, CountsFalseBlocksADay) {
  const EvalInput input = make_input(2, 0);
  EvalRun run;
  for (std::size_t i = 0; i < input.set.flows.size(); ++i) {
    Outcome outcome;
    outcome.label = outcome.trained_as = outcome.family = input.truths[i].label;
    outcome.known = true;
    outcome.block = outcome.alert = i == 5;
    outcome.group = input.set.flows[i].group;
    run.judged.push_back(judged(i, outcome));
  }
  const EvalReport report = make_report(input, {}, run, 1e6);
  ASSERT_EQ(report.moments.size(), kMoments.size());
  EXPECT_NEAR(report.moments[0].false_blocks_a_day, 1e6 / 48, 1e-6);
  EXPECT_GE(report.moments[0].most_false_blocks_a_day, 94980);
}

TEST(EvalReport, SumsUpStrangersByLabel) {
  const EvalInput input = make_input(2, 0);
  EvalRun run;
  for (std::size_t i = 0; i < 30; ++i) {  // 24 flows of the first label, 6 of the second
    Outcome outcome;
    outcome.label = outcome.trained_as = outcome.family = input.truths[i].label;
    if (i < 6 || i >= 27) outcome.named = "other";
    outcome.alert = i < 3;
    run.strangers.push_back(judged(i, outcome));
  }
  const EvalReport report = make_report(input, {}, run, 1e6);
  ASSERT_EQ(report.strangers.size(), kMoments.size());
  const StrangerSums& plain = report.strangers[0].plain;
  EXPECT_EQ(plain.labels, 2U);
  EXPECT_EQ(plain.flows.named, 9U);
  EXPECT_DOUBLE_EQ(plain.named, (6.0 / 24 + 3.0 / 6) / 2);
  EXPECT_DOUBLE_EQ(plain.alerts, (3.0 / 24) / 2);
}

TEST(EvalReport, SaysWhereThereWasNothingToMeasure) {
  const EvalInput input = make_input(3, 0);
  const auto run = run_evaluation(input, {.folds = 4});
  ASSERT_TRUE(run);
  const EvalReport report = make_report(input, {}, *run, 1e6);
  testing::internal::CaptureStdout();
  print_report(input, report, true);
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_NE(text.find("novel named -\n"), std::string::npos) << text;
  EXPECT_NE(text.find("alert   macro recall - (without ssh-tunnel -, all labels -, flows -), false 0.00"),
            std::string::npos);
  EXPECT_NE(text.find("area under ROC -, without ssh-tunnel -, - % false"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos);
  testing::internal::CaptureStdout();
  print_json_report(input, report);
  const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_TRUE(json["moments"][0]["tunnels"]["alert_recall"]["value"].is_null());
  EXPECT_TRUE(json["moments"][0]["tunnels"]["roc_area"].is_null());
  EXPECT_TRUE(json["moments"][0]["families"]["accuracy"]["value"].is_number());
  EXPECT_NE(html_report(input, report).find("<td>–</td>"), std::string::npos);
}

TEST(EvalPictures, EscapeWhatNamesMayHold) {
  EXPECT_EQ(html_escaped("<a href=\"x\">&'\n"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
  const std::string picture = confusion_picture({{"<script>", "\"b\"", 3, 1}, {"<script>", "", 1, 1}});
  EXPECT_EQ(picture.find("<script>"), std::string::npos);
  EXPECT_NE(picture.find("&lt;script&gt; named &quot;b&quot;: 3 of 4 flows, 75.0 %"), std::string::npos);
  EXPECT_NE(picture.find("&lt;script&gt; named nothing: 1 of 4 flows"), std::string::npos);
}

TEST(EvalPictures, BinsAreHalfABitWide) {
  EXPECT_EQ(score_bin(-4), 0U);
  EXPECT_EQ(score_bin(-100), 0U);
  EXPECT_EQ(score_bin(-3.5F), 1U);
  EXPECT_EQ(score_bin(0), 8U);
  EXPECT_EQ(score_bin(0.49F), 8U);
  EXPECT_EQ(score_bin(100), kScoreBins - 1);
}

TEST(EvalHtml, NeedsNothingFromElsewhere) {
  EvalInput input = make_input(3, 1);
  input.parts[0].name = "<b>lab</b>";
  const auto run = run_evaluation(input, {.folds = 4});
  ASSERT_TRUE(run);
  const std::string page = html_report(input, make_report(input, {}, *run, 1e6));
  for (const char* forbidden : {"<b>", "http", "src=", "<script", "@import", "url("})
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
  EXPECT_NE(page.find("&lt;b&gt;lab&lt;/b&gt;"), std::string::npos);
  EXPECT_NE(page.find("</html>"), std::string::npos);
}

TEST(VerdictTable, HasARowAFlowAndNoFieldBreaksIt) {
  EvalInput input = make_input(2, 0);
  input.set.captures[0] = "a\tb\nc.pcap";
  const auto run = run_evaluation(input, {.folds = 4});
  ASSERT_TRUE(run);
  const std::string table = verdict_table(input, run->judged);
  EXPECT_EQ(std::ranges::count(table, '\n'), 49);
  const auto fields = [](std::string_view line) { return std::ranges::count(line, '\t'); };
  const std::size_t head = table.find('\n');
  EXPECT_EQ(fields(table.substr(0, head)), fields(table.substr(head + 1, table.find('\n', head + 1) - head - 1)));
}

}  // namespace
}  // namespace spidd
