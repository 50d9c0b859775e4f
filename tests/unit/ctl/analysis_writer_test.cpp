// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What analyze prints of flows beside alerts in a format of Snort's: nothing, but the summary has them.
#include "userspace/ctl/analysis_writer.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

std::string printed(AnalysisForm form, AnalysisSummary& summary) {
  const auto policy = std::make_shared<const Policy>(builtin_policy());
  const auto writer = make_analysis_writer(form, policy, summary);
  const Flow flow{};
  const FlowView view{flow, nullptr, {}};
  FlowTotals totals;
  totals.counters.packets[0] = 3;
  std::string out;
  writer->flow_ended(view, totals, EndReason{}, out);
  return out;
}

TEST(AnalysisWriter, SumsHaveNoRowsButCountEveryFlow) {
  AnalysisSummary summary;
  EXPECT_EQ(printed(AnalysisForm::sums, summary), "");
  EXPECT_EQ(summary.total().flows, 1U);
  EXPECT_EQ(summary.total().packets, 3U);
  EXPECT_NE(printed(AnalysisForm::rows, summary), "");
  EXPECT_EQ(summary.total().flows, 2U);
}

}  // namespace
}  // namespace spidd
