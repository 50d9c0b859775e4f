// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/site_requests.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/learning/site_flows.h"
#include "userspace/daemon/requests.h"
#include "userspace/engine/site_judgement.h"

namespace spidd {
namespace {

using nlohmann::json;

Result<SiteRequest> parse(const char* members) {
  std::vector<std::string> known;
  return parse_site_request(json::parse(members), known);
}

TEST(SiteRequests, AreReadFromALine) {
  const auto request = parse_request(
      R"({"version":1,"command":"site","verb":"accept","services":["192.0.2.1:443/tcp"],"all_clear":true,"label":"dns","as":"https","category":"encrypted"})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const auto& site = std::get<SiteRequest>(*request);
  EXPECT_EQ(site.verb, SiteRequest::Verb::accept);
  ASSERT_EQ(site.selection.services.size(), 1U);
  EXPECT_EQ(site.selection.services.front().transport, "tcp");
  EXPECT_TRUE(site.selection.all_clear);
  EXPECT_EQ(site.selection.label, "dns");
  EXPECT_EQ(site.naming.label, "https");
  EXPECT_EQ(site.naming.category, Category::encrypted);
  EXPECT_EQ(parse(R"({"verb":"record","for":"7d"})")->length, std::chrono::hours(24 * 7));
  EXPECT_FALSE(parse_request(R"({"version":1,"command":"site","verb":"status","extra":1})"));
}

TEST(SiteRequests, RefuseWhatMakesNoSense) {
  for (const char* wrong :
       {R"({})", R"({"verb":"burn"})", R"({"verb":1})", R"({"verb":"record"})", R"({"verb":"record","for":"0s"})",
        R"({"verb":"accept"})", R"({"verb":"accept","services":"x"})", R"({"verb":"accept","services":[1]})",
        R"({"verb":"accept","services":["x"]})", R"({"verb":"accept","all_clear":1})",
        R"({"verb":"accept","label":"dns","as":"../x"})", R"({"verb":"accept","label":"dns","category":"odd"})",
        R"({"verb":"reject"})", R"({"verb":"undo","services":[]})", R"({"verb":"review","limit":0})"})
    EXPECT_FALSE(parse(wrong)) << wrong;
}

class SiteAnswers : public testing::Test {
 protected:
  SiteAnswers() {
    SiteSettings settings;
    settings.directory = directory_.string();
    std::vector<std::string> warnings;
    site_.emplace(std::move(*SiteLearning::open(settings, MeterRules::corrected, warnings)));
  }
  ~SiteAnswers() override { std::filesystem::remove_all(directory_); }

  nlohmann::ordered_json answer(const char* members) {
    const auto request = parse(members);
    EXPECT_TRUE(request.has_value()) << request.error().message;
    const auto load = [] {
      ModelDatabase shipped;
      shipped.find_or_add("https", Transport::tcp, Category::encrypted, "tls").add(site_flow(9, 1, "", 0).fingerprint);
      return SiteJudgement::of(std::move(shipped));
    };
    auto result = answer_site(*site_, *request, load, site_time(100), changed_);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return *result;
  }

  const std::filesystem::path directory_ = std::filesystem::path(testing::TempDir()) / "site-answers";
  std::optional<SiteLearning> site_;
  bool changed_ = false;
};

TEST_F(SiteAnswers, LeadFromRecordingToReadiness) {
  EXPECT_TRUE(answer(R"({"verb":"record","for":"1h"})")["recording"]);
  for (int i = 0; i < 9; ++i) site_->add(site_flow(1, 1, "https", 101 + i));
  const auto review = answer(R"({"verb":"review"})");
  ASSERT_EQ(review["services"].size(), 1U);
  EXPECT_EQ(review["services"][0]["service"], "192.0.2.1:443/tcp/https");
  EXPECT_EQ(review["services"][0]["flows"], 9);
  EXPECT_TRUE(review["services"][0]["clear"]);
  EXPECT_FALSE(changed_);
  const auto accepted = answer(R"({"verb":"accept","all_clear":true})");
  EXPECT_EQ(accepted["services"].size(), 1U);
  EXPECT_TRUE(changed_);
  EXPECT_EQ(accepted["status"]["accepted"]["flows"], 9);
  EXPECT_EQ(accepted["status"]["rates"]["flows"], 9) << "measured with the decision";
  EXPECT_FALSE(accepted["status"]["ready"]);
  EXPECT_EQ(answer(R"({"verb":"review"})")["decided"][0]["as"], "https");
  const auto undone = answer(R"({"verb":"undo","services":["192.0.2.1:443"]})");
  EXPECT_EQ(undone["services"][0], "192.0.2.1:443/tcp/https");
  EXPECT_EQ(undone["status"]["accepted"]["services"], 0);
  EXPECT_FALSE(answer(R"({"verb":"stop"})")["recording"]);
}

}  // namespace
}  // namespace spidd
