// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Figures worked out by hand, and what enters which mean.
#include "userspace/spid/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace spidd {
namespace {

Outcome outcome(const std::string& family, const std::string& named, std::uint32_t group, bool known = true) {
  Outcome outcome;
  outcome.label = family;
  outcome.trained_as = family;
  outcome.family = family;
  outcome.named = named;
  outcome.group = group;
  outcome.known = known;
  return outcome;
}

Outcome tunnel(const std::string& label, bool alert, std::uint32_t group) {
  Outcome result = outcome(label, alert ? label : "", group);
  result.is_tunnel = true;
  result.alert = alert;
  return result;
}

// Six DNS flows of two groups, four named rightly, one as NTP, one not at all; six NTP flows, all right.
std::vector<Outcome> names() {
  std::vector<Outcome> outcomes;
  for (unsigned i = 0; i < 6; ++i) {
    outcomes.push_back(outcome("dns", i == 0 ? "ntp" : i == 1 ? "" : "dns", i % 2));
    outcomes.push_back(outcome("ntp", "ntp", i % 3));
  }
  return outcomes;
}

TEST(Evaluation, GivesPrecisionRecallAndF1OfNames) {
  const NameFigures figures = evaluate_names(names());
  EXPECT_EQ(figures.known, 12U);
  EXPECT_DOUBLE_EQ(figures.precision.value, 10.0 / 11);
  EXPECT_DOUBLE_EQ(figures.accuracy.value, 10.0 / 12);
  ASSERT_EQ(figures.classes.size(), 2U);
  EXPECT_EQ(figures.classes[0].name, "dns");
  EXPECT_DOUBLE_EQ(figures.classes[0].f1, 8.0 / 10);
  EXPECT_DOUBLE_EQ(figures.classes[1].f1, 12.0 / 13);
  EXPECT_DOUBLE_EQ(figures.macro_f1.value, (8.0 / 10 + 12.0 / 13) / 2);
}

TEST(Evaluation, AFamilyOfOneGroupOrFewFlowsEntersOnlyTheMeanOfAll) {
  std::vector<Outcome> outcomes = names();
  for (unsigned i = 0; i < 6; ++i) outcomes.push_back(outcome("one-group", "", 9));
  for (unsigned i = 0; i < 4; ++i) outcomes.push_back(outcome("few-flows", "", i));
  const NameFigures figures = evaluate_names(outcomes);
  EXPECT_DOUBLE_EQ(figures.macro_f1.value, (8.0 / 10 + 12.0 / 13) / 2);
  EXPECT_DOUBLE_EQ(figures.macro_f1_all.value, (8.0 / 10 + 12.0 / 13) / 4);
}

TEST(Evaluation, NovelFlowsAreToldApart) {
  std::vector<Outcome> outcomes = names();
  outcomes.push_back(outcome("strange", "dns", 7, false));
  outcomes.push_back(outcome("strange", "", 7, false));
  const NameFigures figures = evaluate_names(outcomes);
  EXPECT_EQ(figures.novel, 2U);
  EXPECT_DOUBLE_EQ(figures.precision.value, 10.0 / 11);
  EXPECT_DOUBLE_EQ(figures.precision_all.value, 10.0 / 12);
  EXPECT_DOUBLE_EQ(figures.novel_named.value, 0.5);
}

TEST(Evaluation, TunnelRecallIsTheMeanOfLabels) {
  std::vector<Outcome> outcomes;
  for (unsigned i = 0; i < 10; ++i) outcomes.push_back(tunnel("openvpn", true, i % 2));
  for (unsigned i = 0; i < 5; ++i) outcomes.push_back(tunnel("ssh-tunnel", false, i % 2));
  outcomes.push_back(tunnel("rare", true, 0));
  for (unsigned i = 0; i < 4; ++i) outcomes.push_back(outcome("https", "https", i));
  outcomes.back().alert = true;
  const TunnelFigures figures = evaluate_tunnels(outcomes);
  EXPECT_EQ(figures.tunnels, 16U);
  EXPECT_EQ(figures.benign, 4U);
  EXPECT_DOUBLE_EQ(figures.alert_recall.value, 0.5);
  EXPECT_DOUBLE_EQ(figures.alert_recall_all.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(figures.alert_false.value, 0.25);
  EXPECT_DOUBLE_EQ(evaluate_tunnels(outcomes, "ssh-tunnel").alert_recall.value, 1);
}

TEST(Evaluation, IntervalsHoldTheValueAndAreTheSameEveryTime) {
  const NameFigures figures = evaluate_names(names());
  EXPECT_LE(figures.accuracy.low, figures.accuracy.value);
  EXPECT_GE(figures.accuracy.high, figures.accuracy.value);
  EXPECT_LT(figures.accuracy.low, figures.accuracy.high);
  EXPECT_EQ(evaluate_names(names()).accuracy.low, figures.accuracy.low);
}

TEST(Evaluation, LabelsAndNearestModelsAreNamesToo) {
  std::vector<Outcome> outcomes;
  for (unsigned i = 0; i < 8; ++i) {
    Outcome flow = outcome("tls", "tls", i % 2);
    flow.trained_as = i < 4 ? "https" : "dot";
    flow.named_label = i == 0 ? "dot" : i == 7 ? "" : flow.trained_as;
    flow.nearest = i == 0 ? "dot" : flow.trained_as;
    outcomes.push_back(flow);
  }
  EXPECT_DOUBLE_EQ(evaluate_names(outcomes).accuracy.value, 1);
  EXPECT_DOUBLE_EQ(evaluate_names(outcomes, NameLevel::label).accuracy.value, 6.0 / 8);
  EXPECT_DOUBLE_EQ(evaluate_names(outcomes, NameLevel::label).precision.value, 6.0 / 7);
  const NameFigures nearest = evaluate_names(outcomes, NameLevel::nearest);
  EXPECT_DOUBLE_EQ(nearest.accuracy.value, 7.0 / 8);
  ASSERT_EQ(nearest.classes.size(), 2U);
  EXPECT_EQ(nearest.classes[0].name, "dot");
  EXPECT_DOUBLE_EQ(nearest.classes[0].precision, 4.0 / 5);
  EXPECT_DOUBLE_EQ(nearest.classes[1].recall, 3.0 / 4);
}

TEST(Evaluation, ClassesKnowTheirCaptures) {
  std::vector<Outcome> outcomes = names();
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i].capture = static_cast<std::uint32_t>(i / 6);
  EXPECT_EQ(evaluate_names(outcomes).classes[0].captures, 2U);
  EXPECT_EQ(evaluate_names(outcomes).classes[0].groups, 2U);
}

TEST(Evaluation, FalseAlertsAreToldByLabel) {
  std::vector<Outcome> outcomes;
  for (unsigned i = 0; i < 4; ++i) {
    outcomes.push_back(outcome("https", "", i));
    outcomes.push_back(outcome("ssh", "", i));
    outcomes.push_back(outcome("dns", "dns", i));
    outcomes[3 * i].alert = i < 3;
    outcomes[3 * i].block = i < 2;
    outcomes[3 * i + 1].alert = i < 1;
  }
  const TunnelFigures figures = evaluate_tunnels(outcomes);
  EXPECT_EQ(figures.false_alerts, 4U);
  EXPECT_EQ(figures.false_blocks, 2U);
  ASSERT_EQ(figures.false_ones.size(), 2U);
  EXPECT_EQ(figures.false_ones[0].label, "https");
  EXPECT_EQ(figures.false_ones[0].blocks, 2U);
  EXPECT_EQ(figures.false_ones[1].label, "ssh");
}

// Leads 4, 3, 1 of tunnels and 2, 0 of benign flows: five of the six pairs are in order.
TEST(Evaluation, RanksByTheLead) {
  std::vector<Outcome> outcomes;
  for (const float lead : {4.0F, 3.0F, 1.0F}) {
    outcomes.push_back(tunnel("openvpn", true, 0));
    outcomes.back().lead = lead;
  }
  for (const float lead : {2.0F, 0.0F}) {
    outcomes.push_back(outcome("https", "https", 1));
    outcomes.back().lead = lead;
  }
  const TunnelFigures figures = evaluate_tunnels(outcomes);
  EXPECT_NEAR(figures.area, 5.0 / 6, 1e-12);
  EXPECT_NEAR(figures.false_at_95, 0.5, 1e-12);
  outcomes.back().lead = 1;  // a tie with the last tunnel: half of a pair
  EXPECT_NEAR(evaluate_tunnels(outcomes).area, 4.5 / 6, 1e-12);
  EXPECT_NEAR(evaluate_tunnels(outcomes).false_at_95, 1, 1e-12);
}

TEST(Evaluation, ConfusionCountsKnownFlowsByTruthAndName) {
  std::vector<Outcome> outcomes = names();
  outcomes.push_back(outcome("strange", "dns", 7, false));
  const auto cells = confusion_of(outcomes);
  ASSERT_EQ(cells.size(), 4U);
  EXPECT_EQ(cells[0].named, "");
  EXPECT_EQ(cells[0].flows, 1U);
  EXPECT_EQ(cells[1].named, "dns");
  EXPECT_EQ(cells[1].flows, 4U);
  EXPECT_EQ(cells[2].named, "ntp");
  EXPECT_EQ(cells[3].truth, "ntp");
  EXPECT_EQ(cells[3].flows, 6U);
  const auto worst = worst_confusions(cells, 1);
  ASSERT_EQ(worst.size(), 1U);
  EXPECT_EQ(worst[0].truth, "dns");
  EXPECT_NE(worst[0].named, "dns");
}

TEST(Evaluation, ConfusionOfLabelsGoesByWhatTheyAreTrainedAs) {
  std::vector<Outcome> outcomes(3, outcome("tls", "tls", 0));
  outcomes[0].trained_as = outcomes[0].named_label = outcomes[1].trained_as = "https";
  outcomes[1].named_label = "imaps";
  outcomes[2].trained_as = "doh";
  EXPECT_EQ(confusion_of(outcomes).size(), 1U);
  const auto cells = confusion_of(outcomes, NameLevel::label);
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[0].truth, "doh");
  EXPECT_EQ(cells[0].named, "");
  EXPECT_TRUE(cells[1].right());
  EXPECT_EQ(cells[2].truth, "https");
  EXPECT_EQ(cells[2].named, "imaps");
}

TEST(Evaluation, DifferencesOfTheSameFlowsAreOfTheSameDraws) {
  std::vector<Outcome> outcomes;
  for (unsigned i = 0; i < 40; ++i) outcomes.push_back(outcome("dns", i % 8 < 4 ? "dns" : "", i / 4));
  const Figure before = evaluate_names(outcomes, NameLevel::family, 200).accuracy;
  EXPECT_LT(before.low, before.high);
  const Figure none = difference(before, before);
  EXPECT_EQ(none.value, 0);
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 0);
  for (unsigned i = 4; i < 40; i += 8) outcomes[i].named = "dns";  // one more of four in every other group
  const Figure more = difference(evaluate_names(outcomes, NameLevel::family, 200).accuracy, before);
  EXPECT_NEAR(more.value, 0.125, 1e-12);
  EXPECT_GT(more.low, 0);
  EXPECT_LT(more.high, 0.25);
  EXPECT_LT(more.high - more.low, before.high - before.low);
}

// 1 - 0.05^(1/n) where nothing was seen; the others from tables of the exact interval.
TEST(Evaluation, UpperLimitsAreThoseOfClopperAndPearson) {
  EXPECT_NEAR(upper_limit(0, 1373), 0.0021795, 1e-6);
  EXPECT_NEAR(upper_limit(0, 10), 0.2588656, 1e-6);
  EXPECT_NEAR(upper_limit(1, 10), 0.3941633, 1e-6);
  EXPECT_NEAR(upper_limit(1, 100), 0.0465590, 1e-6);
  EXPECT_EQ(upper_limit(0, 0), 1);
  EXPECT_EQ(upper_limit(3, 3), 1);
}

TEST(Evaluation, OfNothingThereIsNoFigure) {
  const NameFigures none = evaluate_names({});
  for (const Figure& figure : {none.accuracy, none.precision, none.macro_f1, none.macro_f1_all, none.novel_named})
    EXPECT_TRUE(std::isnan(figure.value) && std::isnan(figure.low) && std::isnan(figure.high));
  EXPECT_TRUE(std::isnan(evaluate_names(names()).novel_named.value));
  const TunnelFigures benign = evaluate_tunnels(names());
  for (const Figure& figure : {benign.alert_recall, benign.alert_recall_all, benign.alert_flows, benign.block_recall})
    EXPECT_TRUE(std::isnan(figure.value) && std::isnan(figure.high));
  EXPECT_TRUE(std::isnan(benign.area));
  EXPECT_TRUE(std::isnan(benign.false_at_95));
  EXPECT_EQ(benign.alert_false.value, 0);
  EXPECT_EQ(benign.alert_false.high, 0);
}

TEST(Evaluation, AFigureOfFewIsNotMeasuredWhereNoneWasDrawn) {
  std::vector<Outcome> outcomes = names();
  outcomes.push_back(tunnel("wireguard", true, 7));
  const TunnelFigures figures = evaluate_tunnels(outcomes);
  EXPECT_TRUE(std::isnan(figures.alert_recall.value)) << "one flow of one group";
  EXPECT_EQ(figures.alert_flows.value, 1);
  EXPECT_EQ(figures.alert_flows.low, 1) << "sets without the group say nothing of it";
}

}  // namespace
}  // namespace spidd
