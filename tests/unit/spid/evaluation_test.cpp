// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Figures worked out by hand, and what enters which mean.
#include "userspace/spid/evaluation.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

Outcome outcome(const std::string& family, const std::string& named, std::uint32_t group, bool known = true) {
  Outcome outcome;
  outcome.label = family;
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
  EXPECT_DOUBLE_EQ(figures.recall.value, 10.0 / 12);
  ASSERT_EQ(figures.families.size(), 2U);
  EXPECT_EQ(figures.families[0].name, "dns");
  EXPECT_DOUBLE_EQ(figures.families[0].f1, 8.0 / 10);
  EXPECT_DOUBLE_EQ(figures.families[1].f1, 12.0 / 13);
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
  EXPECT_LE(figures.recall.low, figures.recall.value);
  EXPECT_GE(figures.recall.high, figures.recall.value);
  EXPECT_LT(figures.recall.low, figures.recall.high);
  EXPECT_EQ(evaluate_names(names()).recall.low, figures.recall.low);
}

TEST(Evaluation, OfNothingIsZero) {
  EXPECT_EQ(evaluate_names({}).macro_f1.value, 0);
  EXPECT_EQ(evaluate_tunnels({}).alert_recall.value, 0);
}

}  // namespace
}  // namespace spidd
