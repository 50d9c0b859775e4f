// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_learning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/unit/learning/site_flows.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kPlainKind = 1;
constexpr std::uint16_t kOddKind = 2;  // what the shipped models take for a tunnel

// Takes flows of the odd kind for tunnels, unless a model of the site has seen the kind.
class FakeJudge final : public SiteJudge {
 public:
  FakeJudge() {
    ModelSummary https;
    https.label = "https";
    https.family = "tls";
    https.category = Category::encrypted;
    https.threshold = 0.25F;
    ModelSummary proxy;
    proxy.label = "https-proxy";
    proxy.family = "tls-tunnel";
    proxy.category = Category::tunnel;
    shipped_ = {https, proxy};
  }
  std::span<const ModelSummary> shipped() const override { return shipped_; }
  Result<> use(ModelDatabase site) override {
    site_ = std::move(site);
    return {};
  }
  Call judge(Transport, View, const Fingerprint& flow) const override {
    const bool odd = std::ranges::any_of(flow.rows, [](const RowCount row) { return row.row == kOddKind; });
    const bool known =
        std::ranges::any_of(site_.models, [](const ProtocolModel& model) { return model.counters[kOddKind] > 0; });
    return {odd && !known, odd && !known};
  }

 private:
  std::vector<ModelSummary> shipped_;
  ModelDatabase site_;
};

class SiteLearningTest : public testing::Test {
 protected:
  SiteLearningTest() { settings_.directory = directory_.string(); }
  ~SiteLearningTest() override { fs::remove_all(directory_); }

  SiteLearning open() {
    warnings_.clear();
    auto site = SiteLearning::open(settings_, MeterRules::corrected, warnings_);
    EXPECT_TRUE(site.has_value());
    return std::move(*site);
  }
  // While another may be open.
  SiteLearning look() {
    SiteSettings settings = settings_;
    settings.read_only = true;
    warnings_.clear();
    auto site = SiteLearning::open(settings, MeterRules::corrected, warnings_);
    EXPECT_TRUE(site.has_value());
    return std::move(*site);
  }
  SiteLearning recording() {
    SiteLearning site = open();
    EXPECT_TRUE(site.record(site_time(0), std::chrono::hours(24)));
    return site;
  }
  static void see(SiteLearning& site, std::uint8_t server, int flows, std::uint16_t kind = kPlainKind,
                  const char* label = "https") {
    for (int i = 0; i < flows; ++i)
      site.add(site_flow(server, static_cast<std::uint8_t>(i % 3), label, i, kind, static_cast<std::uint16_t>(i % 50)));
  }
  SiteOutcome accept(SiteLearning& site, SiteSelection selection, const SiteNaming& naming = {}) {
    return site.accept(selection, naming, judge_.shipped(), site_time(2000));
  }
  SiteOutcome accept(SiteLearning& site, const char* service, const SiteNaming& naming = {}) {
    return accept(site, SiteSelection{{*parse_site_selector(service)}, false, ""}, naming);
  }
  static SiteSelector service(const char* text) { return *parse_site_selector(text); }

  const fs::path directory_ = fs::path(testing::TempDir()) /
                              (std::string("site-") + testing::UnitTest::GetInstance()->current_test_info()->name());
  SiteSettings settings_;
  FakeJudge judge_;
  std::vector<std::string> warnings_;
};

TEST_F(SiteLearningTest, AnAcceptedServiceBecomesAModelOfTheSite) {
  SiteLearning site = recording();
  see(site, 1, 10);
  see(site, 2, 7);
  EXPECT_TRUE(site.models().models.empty()) << "nothing is learned before somebody has accepted it";
  EXPECT_EQ(accept(site, {{}, true, ""}).services.size(), 2U);
  const ModelDatabase models = site.models();
  ASSERT_EQ(models.models.size(), 1U);
  const ProtocolModel& model = models.models.front();
  EXPECT_EQ(model.label, "https");
  EXPECT_EQ(model.family, "tls");
  EXPECT_EQ(model.category, Category::encrypted);
  EXPECT_EQ(model.origin, Origin::site);
  EXPECT_EQ(model.flows, 17U);
  EXPECT_EQ(model.payload_packets, 17U * 8);
  EXPECT_EQ(model.counters[kPlainKind], 17U * 8);
  EXPECT_FLOAT_EQ(model.threshold, 0.25F) << "the shipped model's";
  EXPECT_TRUE(site.review().empty());
}

TEST_F(SiteLearningTest, DecisionsOnSeveralServicesHoldTogetherOrNotAtAll) {
  SiteLearning site = recording();
  for (std::uint8_t server = 1; server <= 20; ++server) see(site, server, 6);
  fs::create_directory(directory_ / "192.0.2.7_443.tcp.https.site");  // nothing can be put in its place
  const SiteOutcome failed = accept(site, {{}, true, ""});
  EXPECT_TRUE(failed.services.empty());
  EXPECT_EQ(failed.flows, 0U);
  EXPECT_EQ(failed.refused.size(), 1U);
  EXPECT_TRUE(site.decided().empty());
  EXPECT_EQ(site.recorder().services().size(), 20U);
  fs::remove(directory_ / "192.0.2.7_443.tcp.https.site");
  EXPECT_EQ(accept(site, {{}, true, ""}).services.size(), 20U);
  EXPECT_EQ(look().decided().size(), 20U);
  const std::vector<SiteSelector> two{service("192.0.2.1:443"), service("192.0.2.2:443")};
  EXPECT_EQ(site.reject(two, site_time(3000)).services.size(), 2U);
  EXPECT_EQ(site.forget(two).services.size(), 2U);
  EXPECT_EQ(look().decided().size(), 18U);
}

TEST_F(SiteLearningTest, WhatIsTakenBackLeavesExactlyWhatWasThereBefore) {
  SiteLearning site = recording();
  see(site, 1, 10);
  see(site, 2, 40);
  accept(site, "192.0.2.1:443");
  const ModelDatabase before = site.models();
  SiteFile recorded;
  recorded.records.emplace_back().service = site.recorder().services().begin()->second;
  accept(site, "192.0.2.2:443");
  EXPECT_NE(site.models().models.front().counters, before.models.front().counters);
  EXPECT_EQ(site.undo(std::vector{service("192.0.2.2:443")}).services.size(), 1U);
  EXPECT_EQ(site.models().models.front().counters, before.models.front().counters);
  EXPECT_EQ(site.models().models.front().measurements, before.models.front().measurements);
  EXPECT_EQ(site.models().models.front().flows, before.models.front().flows);
  SiteFile again;
  again.records.emplace_back().service = site.recorder().services().begin()->second;
  EXPECT_EQ(format_site_file(again), format_site_file(recorded));
  EXPECT_EQ(site.undo(std::vector{service("192.0.2.1:443")}).services.size(), 1U);
  EXPECT_TRUE(site.models().models.empty());
}

TEST_F(SiteLearningTest, WhatIsPutBackIntoAFullRecordingStays) {
  settings_.limits.services = 16;
  std::vector<SiteSelector> small;
  {
    SiteLearning site = recording();
    for (std::uint8_t server = 1; server <= 8; ++server) {
      see(site, server, 3);
      small.push_back(service(fmt::format("192.0.2.{}:443", server).c_str()));
    }
    ASSERT_EQ(site.accept(SiteSelection{small, false, ""}, {}, judge_.shipped(), site_time(2000)).services.size(), 8U);
    for (std::uint8_t server = 101; server <= 116; ++server) see(site, server, 20);
    ASSERT_EQ(site.recorder().services().size(), 16U);
    const SiteOutcome undone = site.undo(small);
    EXPECT_EQ(undone.services.size(), 8U);
    EXPECT_TRUE(undone.refused.empty());
    EXPECT_TRUE(site.decided().empty());
    EXPECT_LE(site.recorder().services().size(), 16U);
    EXPECT_EQ(site.recorder().counters().services_evicted, 10U) << "down to seven eighths";
  }
  SiteLearning site = open();
  EXPECT_TRUE(site.decided().empty());
  for (const SiteSelector& selector : small)
    EXPECT_TRUE(std::ranges::any_of(site.recorder().services(), [&](const auto& recorded) {
      return selector.selects(recorded.first) && recorded.second.flows == 3;
    }));
}

TEST_F(SiteLearningTest, LearnsMoreOfAnAcceptedService) {
  SiteLearning site = recording();
  see(site, 1, 10);
  accept(site, "192.0.2.1:443");
  see(site, 1, 5);
  EXPECT_EQ(site.review().front().state, SiteState::accepted);
  accept(site, "192.0.2.1:443");
  EXPECT_EQ(site.models().models.front().flows, 15U);
}

TEST_F(SiteLearningTest, SurvivesARestart) {
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    see(site, 2, 20);
    see(site, 3, 30);
    accept(site, "192.0.2.1:443");
    EXPECT_EQ(site.reject(std::vector{service("192.0.2.2:443")}, site_time(2000)).services.size(), 1U);
    ASSERT_TRUE(site.save());
  }
  SiteLearning site = open();
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(site.models().models.front().flows, 10U);
  EXPECT_TRUE(site.recorder().recording(site_time(100)));
  EXPECT_EQ(site.recorder().services().begin()->second.flows, 30U);
  see(site, 2, 5);
  EXPECT_EQ(site.recorder().counters().flows_rejected, 5U) << "a rejection holds";
  EXPECT_EQ(site.undo(std::vector{service("192.0.2.2:443")}).services.size(), 1U);
  see(site, 2, 5);
  EXPECT_EQ(site.recorder().services().size(), 2U);
}

TEST_F(SiteLearningTest, NeverSweepsInWhatLooksLikeATunnel) {
  SiteLearning site = recording();
  see(site, 1, 10);
  for (int i = 0; i < 10; ++i) site.add(tunnel_flow(site_flow(2, 1, "https-proxy", i)));
  for (int i = 0; i < 10; ++i) site.add(site_flow(2, 1, "https", i));
  EXPECT_EQ(accept(site, {{}, true, "https"}).services, std::vector{key_of(site_flow(1, 1, "https", 0))});
  EXPECT_EQ(accept(site, "192.0.2.2:443/tcp/https").services.size(), 1U) << "named, it may be accepted";
  EXPECT_FALSE(accept(site, "192.0.2.2:443/tcp/https-proxy").refused.empty()) << "but not as a tunnel";
  EXPECT_FALSE(accept(site, "192.0.2.2:443/tcp/https-proxy", {"https-proxy", {}}).refused.empty());
  EXPECT_FALSE(accept(site, "192.0.2.2:443/tcp/https-proxy", {"own", Category::tunnel}).refused.empty());
  EXPECT_EQ(accept(site, "192.0.2.2:443/tcp/https-proxy", {"https", {}}).services.size(), 1U);
  EXPECT_EQ(site.models().models.size(), 1U);
  EXPECT_EQ(site.models().models.front().flows, 30U);
}

TEST_F(SiteLearningTest, NeverLearnsFromTouchedFlows) {
  SiteLearning site = recording();
  for (int i = 0; i < 10; ++i) site.add(touched_flow(site_flow(1, 1, "https", i)));
  const SiteOutcome outcome = accept(site, "192.0.2.1:443");
  EXPECT_TRUE(outcome.services.empty());
  ASSERT_EQ(outcome.refused.size(), 1U);
  EXPECT_NE(outcome.refused.front().find("alerted or blocked"), std::string::npos);
  site.add(site_flow(1, 1, "https", 20, kPlainKind));
  EXPECT_EQ(accept(site, "192.0.2.1:443").services.size(), 1U);
  EXPECT_EQ(site.models().models.front().flows, 1U);
}

TEST_F(SiteLearningTest, WhatHasNoNameNeedsOne) {
  SiteLearning site = recording();
  see(site, 1, 10, kPlainKind, "");
  EXPECT_TRUE(accept(site, {{}, true, ""}).services.empty());
  EXPECT_FALSE(accept(site, "192.0.2.1:443").refused.empty());
  EXPECT_EQ(accept(site, "192.0.2.1:443", {"till", {}}).services.size(), 1U);
  EXPECT_EQ(site.models().models.front().label, "till");
  EXPECT_EQ(site.models().models.front().category, Category::plain);
}

TEST_F(SiteLearningTest, ForgetsAsIfItHadNeverBeenSeen) {
  SiteLearning site = recording();
  see(site, 1, 10);
  accept(site, "192.0.2.1:443");
  see(site, 1, 10);
  EXPECT_EQ(site.forget(std::vector{service("192.0.2.1:443")}).services.size(), 1U);
  EXPECT_TRUE(site.models().models.empty());
  EXPECT_TRUE(site.review().empty());
  SiteLearning again = look();
  EXPECT_TRUE(again.models().models.empty());
  EXPECT_TRUE(again.review().empty());
}

TEST_F(SiteLearningTest, RefusesDamagedFilesAndKeepsThemAside) {
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    see(site, 2, 10);
    see(site, 3, 10);
    accept(site, "192.0.2.1:443");
    accept(site, "192.0.2.2:443");
  }
  const fs::path first = directory_ / "192.0.2.1_443.tcp.https.site";
  const fs::path second = directory_ / "192.0.2.2_443.tcp.https.site";
  fs::copy_file(second, directory_ / "192.0.2.9_443.tcp.https.site");  // not what its name says
  std::fstream(first, std::ios::in | std::ios::out | std::ios::binary).seekp(100) << 'X';
  fs::resize_file(directory_ / "recording.site", 50);
  EXPECT_EQ(look().models().models.front().flows, 10U);
  EXPECT_EQ(warnings_.size(), 3U);
  EXPECT_TRUE(fs::exists(first)) << "who reads renames nothing";
  std::ofstream(first.string() + ".refused") << "older";
  SiteLearning site = open();
  EXPECT_EQ(warnings_.size(), 3U);
  EXPECT_TRUE(fs::exists(first.string() + ".refused-2"));
  EXPECT_EQ(fs::file_size(first.string() + ".refused"), 5U) << "what was kept aside before stays";
  EXPECT_EQ(site.models().models.front().flows, 10U);
  EXPECT_TRUE(site.review().empty());
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(second));
}

TEST_F(SiteLearningTest, ACrashBetweenTwoFilesCountsNothingTwice) {
  const fs::path kept = directory_.string() + "-kept";
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    ASSERT_TRUE(site.save());
    fs::copy_file(directory_ / "recording.site", kept, fs::copy_options::overwrite_existing);
    accept(site, "192.0.2.1:443");
  }
  fs::copy_file(kept, directory_ / "recording.site", fs::copy_options::overwrite_existing);
  fs::remove(kept);
  SiteLearning site = open();
  EXPECT_EQ(site.models().models.front().flows, 10U);
  EXPECT_TRUE(site.review().empty());
}

TEST_F(SiteLearningTest, WhatIsAddedAgainAfterItWasAcceptedIsDroppedAndSaidSo) {
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    accept(site, "192.0.2.1:443");
  }
  SiteLearning site = open();
  see(site, 1, 10);
  see(site, 2, 10);
  EXPECT_EQ(site.drop_accepted(), 10U);
  ASSERT_EQ(site.review().size(), 1U);
  see(site, 1, 12);
  EXPECT_EQ(site.drop_accepted(), 0U) << "more than was accepted";
}

TEST_F(SiteLearningTest, OneProcessAtATimeChangesIt) {
  const SiteLearning site = recording();
  const auto second = SiteLearning::open(settings_, MeterRules::corrected, warnings_);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("another process"), std::string::npos) << second.error().message;
  SiteLearning reader = look();
  EXPECT_FALSE(reader.record(site_time(0), std::chrono::hours(1)).has_value()) << "who reads changes nothing";
}

TEST_F(SiteLearningTest, LowerLimitsGiveUpNothingThatWasKept) {
  settings_.limits.services = 64;
  settings_.limits.samples_per_service = 30;
  {
    SiteLearning site = recording();
    for (std::uint8_t server = 1; server <= 60; ++server) see(site, server, server <= 20 ? 30 : 6);
    SiteSelection all;
    for (std::uint8_t server = 1; server <= 20; ++server)
      all.services.push_back(service(fmt::format("192.0.2.{}:443", server).c_str()));
    ASSERT_EQ(accept(site, all).services.size(), 20U);
    ASSERT_TRUE(site.save());
  }
  settings_.limits = {1U << 16U, 16, 2};
  SiteLearning site = open();
  EXPECT_EQ(site.decided().size(), 20U);
  EXPECT_EQ(site.recorder().services().size(), 40U);
  EXPECT_EQ(site.recorder().counters().services_evicted, 0U);
  EXPECT_EQ(site.reject(std::vector{service("192.0.2.60:443")}, site_time(2000)).services.size(), 0U)
      << "20 are enough";
  EXPECT_EQ(site.undo(std::vector{service("192.0.2.1:443")}).services.size(), 1U);
  EXPECT_EQ(site.recorder().services().at(key_of(site_flow(1, 1, "https", 0))).samples.size(), 30U);
}

TEST_F(SiteLearningTest, WhatCannotBeReadIsNotWrittenOver) {
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    ASSERT_TRUE(site.save());
  }
  fs::resize_file(directory_ / "recording.site", std::uintmax_t{2} << 30U);  // sparse
  EXPECT_FALSE(SiteLearning::open(settings_, MeterRules::corrected, warnings_).has_value());
  EXPECT_EQ(fs::file_size(directory_ / "recording.site"), std::uintmax_t{2} << 30U);
  EXPECT_TRUE(look().review().empty());
  EXPECT_EQ(warnings_.size(), 1U);
  fs::remove(directory_ / "recording.site");
  fs::create_directory(directory_ / "notes.site");
  EXPECT_TRUE(open().review().empty());
  EXPECT_TRUE(warnings_.empty()) << "what is no file is none of ours";
}

TEST_F(SiteLearningTest, LeavesFilesOfOtherRulesWhereTheyAre) {
  {
    SiteLearning site = recording();
    see(site, 1, 10);
    accept(site, "192.0.2.1:443");
  }
  EXPECT_FALSE(SiteLearning::open(settings_, MeterRules::strict, warnings_).has_value());
  EXPECT_EQ(open().models().models.front().flows, 10U);
}

TEST_F(SiteLearningTest, SaysWhatIsMissingUntilTheSiteIsKnown) {
  settings_.enforce_flows = 60;
  settings_.family_share = 1;
  settings_.enforce_limit = 0.1;
  SiteLearning site = recording();
  EXPECT_FALSE(site.ready());
  EXPECT_EQ(site.progress().missing.size(), 1U) << "nothing accepted";
  for (std::uint8_t server = 1; server <= 4; ++server) see(site, server, 30);
  accept(site, "192.0.2.1:443");
  ASSERT_TRUE(site.measure(judge_));
  SiteProgress progress = site.progress();
  EXPECT_EQ(progress.counted_flows, 20U) << "one service counts for a third at most";
  EXPECT_EQ(progress.unreviewed, 3U);
  EXPECT_EQ(progress.missing.size(), 3U) << "too few are judged, too";
  accept(site, {{}, true, ""});
  EXPECT_FALSE(site.ready()) << "not measured since";
  ASSERT_TRUE(site.measure(judge_));
  EXPECT_TRUE(site.ready());
  see(site, 5, 4);
  EXPECT_TRUE(site.ready()) << "a service with few flows need not be reviewed";
  see(site, 6, 5);
  EXPECT_FALSE(site.ready());
  EXPECT_EQ(site.reject(std::vector{service("192.0.2.6:443")}, site_time(2000)).services.size(), 1U);
  ASSERT_TRUE(site.measure(judge_));
  EXPECT_TRUE(site.ready()) << "rejecting is a decision, too";
}

TEST_F(SiteLearningTest, OneFamilyOfProtocolsIsNotTheSite) {
  settings_.enforce_flows = 60;
  settings_.enforce_limit = 0.1;
  SiteLearning site = recording();
  for (std::uint8_t server = 1; server <= 8; ++server) see(site, server, 30);
  for (std::uint8_t server = 11; server <= 14; ++server) see(site, server, 30, kPlainKind, "dns");
  accept(site, {{}, true, ""});
  ASSERT_TRUE(site.measure(judge_));
  EXPECT_EQ(site.progress().counted_flows, 48U) << "two fifths each";
  EXPECT_EQ(site.progress().families.at("tls"), 240U);
  EXPECT_FALSE(site.ready());
  see(site, 21, 12, kPlainKind, "ntp");
  accept(site, {{}, true, ""});
  ASSERT_TRUE(site.measure(judge_));
  EXPECT_TRUE(site.ready());
}

TEST_F(SiteLearningTest, FewJudgedFlowsSayNothingEvenIfNoneIsBlocked) {
  settings_.enforce_flows = 60;
  settings_.family_share = 1;
  SiteLearning site = recording();
  for (std::uint8_t server = 1; server <= 24; ++server) see(site, server, 30);
  accept(site, {{}, true, ""});
  ASSERT_TRUE(site.measure(judge_));
  SiteProgress progress = site.progress();
  EXPECT_EQ(progress.rates->flows, 288U);
  EXPECT_EQ(progress.rates->blocks_after, 0U);
  EXPECT_FALSE(progress.ready()) << "1.03 % is not excluded, 1 % is allowed";
  see(site, 25, 30);
  accept(site, {{}, true, ""});
  ASSERT_TRUE(site.measure(judge_));
  EXPECT_TRUE(site.ready());
}

TEST_F(SiteLearningTest, MeasuresHowOftenItsFlowsWouldBeCalledTunnels) {
  settings_.enforce_flows = 30;
  settings_.family_share = 1;
  settings_.enforce_limit = 0.1;
  SiteLearning site = recording();
  for (std::uint8_t server = 1; server <= 4; ++server) see(site, server, 12);
  see(site, 5, 12, kOddKind);
  SiteLearning& learned = site;
  accept(learned, {{}, true, ""});
  ASSERT_TRUE(learned.measure(judge_));
  const SiteRates rates = *learned.progress().rates;
  EXPECT_EQ(rates.flows, 60U);
  EXPECT_EQ(rates.blocks_before, 12U);
  EXPECT_EQ(rates.blocks_after, 0U) << "each flow is judged by models that know the others of its service";
  EXPECT_EQ(rates.blocks_elsewhere, 12U) << "nobody knows the odd kind where its service is left out";
  EXPECT_TRUE(learned.ready());
}

TEST_F(SiteLearningTest, AFlowIsNotJudgedByItself) {
  settings_.enforce_flows = 1;
  SiteLearning site = recording();
  see(site, 1, 60);
  site.add(site_flow(2, 1, "https", 1, kOddKind));
  accept(site, {{}, true, "https"});
  ASSERT_TRUE(site.measure(judge_));
  const SiteProgress progress = site.progress();
  EXPECT_EQ(progress.rates->blocks_after, 1U);
  EXPECT_FALSE(progress.ready());
  EXPECT_NE(progress.missing.back().find("192.0.2.2:443/tcp/https"), std::string::npos);
}

ProtocolModel model_of(const char* label, Category category, Origin origin, std::uint16_t kind, int flows) {
  ProtocolModel model;
  model.label = model.family = label;
  model.category = category;
  model.origin = origin;
  for (int i = 0; i < flows; ++i) model.add(site_flow(1, 1, label, i, kind).fingerprint);
  return model;
}

TEST(AddLearnedModels, AddsTheSiteToTheShippedModelOfItsLabel) {
  ModelDatabase shipped;
  shipped.models = {model_of("https", Category::encrypted, Origin::shipped, 1, 10)};
  ModelDatabase site;
  site.models = {model_of("https", Category::encrypted, Origin::site, 2, 4),
                 model_of("till", Category::plain, Origin::site, 3, 4)};
  ASSERT_TRUE(add_learned_models(shipped, site));
  ASSERT_EQ(shipped.models.size(), 2U);
  EXPECT_EQ(shipped.models[0].flows, 14U);
  EXPECT_EQ(shipped.models[0].origin, Origin::site);
  EXPECT_EQ(shipped.models[0].counters[1], 80U);
  EXPECT_EQ(shipped.models[0].counters[2], 32U);
  EXPECT_EQ(shipped.models[1].label, "till");
}

TEST(AddLearnedModels, GivesTheSiteNoMoreSayThanWhatIsShipped) {
  ModelDatabase shipped;
  shipped.models = {model_of("https", Category::encrypted, Origin::shipped, 1, 10)};
  ModelDatabase site;
  site.models = {model_of("https", Category::encrypted, Origin::site, 2, 1000)};
  ASSERT_TRUE(add_learned_models(shipped, site));
  EXPECT_EQ(shipped.models[0].counters[1], 80U);
  EXPECT_EQ(shipped.models[0].counters[2], 80U);
  EXPECT_EQ(shipped.models[0].flows, 20U);
}

TEST(AddLearnedModels, LeavesTunnelsAndWhatNobodyAcceptedAlone) {
  ModelDatabase shipped;
  shipped.models = {model_of("vpn", Category::tunnel, Origin::shipped, 1, 10)};
  ModelDatabase learned;
  learned.models = {model_of("vpn", Category::plain, Origin::site, 2, 10)};
  ASSERT_TRUE(add_learned_models(shipped, learned));
  ASSERT_EQ(shipped.models.size(), 2U);
  EXPECT_EQ(shipped.models[0].counters[2], 0U);
}

TEST(UpperLimit, IsThatOfClopperAndPearson) {
  EXPECT_NEAR(upper_limit_95(0, 1373), 1 - std::pow(0.05, 1.0 / 1373), 1e-9);  // 0.22 %
  EXPECT_NEAR(upper_limit_95(1, 100), 0.0466, 1e-4);
  EXPECT_NEAR(upper_limit_95(5, 10), 0.7776, 1e-4);
  EXPECT_EQ(upper_limit_95(0, 0), 1);
  EXPECT_EQ(upper_limit_95(7, 7), 1);
}

}  // namespace
}  // namespace spidd
