// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_review.h"

#include <gtest/gtest.h>

#include "tests/unit/learning/site_flows.h"
#include "userspace/learning/site_recorder.h"

namespace spidd {
namespace {

class SiteReview : public testing::Test {
 protected:
  SiteReview() : recorder_({}) { recorder_.start(site_time(0), site_time(1000)); }
  void see(const SettledFlow& flow, int times) {
    for (int i = 0; i < times; ++i) recorder_.add(flow);
  }
  std::vector<SiteReviewRow> review() const { return review_services(recorder_.services(), {}, 5); }

  SiteRecorder recorder_;
};

TEST_F(SiteReview, ShowsDoubtfulServicesFirst) {
  see(site_flow(1, 1, "https", 1), 100);
  see(site_flow(2, 1, "https", 1), 2);
  see(site_flow(3, 1, "", 1), 10);
  SettledFlow near = site_flow(4, 1, "https", 1);
  near.verdict.tunnel_score = 0.3F;
  near.verdict.tunnel_margin = 0.05F;
  see(near, 10);
  see(touched_flow(site_flow(5, 1, "https", 1)), 1);
  see(site_flow(5, 1, "https", 1), 10);
  see(tunnel_flow(site_flow(6, 1, "https-proxy", 1)), 3);
  std::vector<std::string> order;
  for (const SiteReviewRow& row : review()) order.push_back(to_string(row.service->key));
  EXPECT_EQ(order, (std::vector<std::string>{"192.0.2.6:443/tcp/https-proxy", "192.0.2.5:443/tcp/https",
                                             "192.0.2.4:443/tcp/https", "192.0.2.3:443/tcp/unknown",
                                             "192.0.2.2:443/tcp/https", "192.0.2.1:443/tcp/https"}));
  EXPECT_TRUE(review().back().is_clear());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(review()[i].looks_like_tunnel()) << i;
  for (std::size_t i = 3; i < 6; ++i) EXPECT_FALSE(review()[i].looks_like_tunnel()) << i;
}

TEST_F(SiteReview, DoubtsAServiceWhoseOtherFlowsLookLikeATunnel) {
  see(site_flow(1, 1, "https", 1), 50);
  see(tunnel_flow(site_flow(1, 1, "https-proxy", 1)), 1);
  const auto rows = review();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].service->key.label, "https");
  EXPECT_EQ(rows[1].doubts, std::vector<SiteDoubt>{SiteDoubt::mixed});
  EXPECT_TRUE(rows[1].looks_like_tunnel());
}

TEST_F(SiteReview, GivesAReasonForEveryDoubt) {
  see(touched_flow(site_flow(1, 1, "", 1)), 1);
  const auto rows = review();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].doubts, (std::vector<SiteDoubt>{SiteDoubt::touched, SiteDoubt::unnamed, SiteDoubt::few_flows}));
  for (const SiteDoubt doubt : rows[0].doubts) EXPECT_FALSE(reason_of(doubt, *rows[0].service).empty());
}

}  // namespace
}  // namespace spidd
