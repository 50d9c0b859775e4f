// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What requests do, as far as no kernel is needed for it; the rest is in tests/netns.
#include "userspace/daemon/answers.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/spid/test_flows.h"
#include "userspace/daemon/flow_snapshot.h"
#include "userspace/report/events.h"

namespace spidd {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() : directory_(make_directory()), daemon_(make_config()) {
    auto policy = std::make_shared<Policy>();
    policy->mode = Mode::enforce;
    policy->never_block = {*IpPrefix::parse("192.0.2.0/24")};
    set_policy(policy);
    daemon_.output =
        std::make_unique<EventOutput>(*EventLog::open(directory_ + "/events.jsonl"), EventOutput::Limits{10, 10, 0});
  }
  ~AnswersTest() override { std::filesystem::remove_all(directory_); }

  static std::string make_directory() {
    std::string pattern = testing::TempDir() + "spidd-answers-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  DaemonConfig make_config() const {
    DaemonConfig config;
    config.policy_path = directory_ + "/policy.toml";
    return config;
  }
  void set_policy(std::shared_ptr<const Policy> policy) {
    daemon_.policy = std::move(policy);
    daemon_.enforcer = std::make_unique<Enforcer>(*daemon_.policy, std::nullopt, "");
  }

  json ask(std::string_view line) { return json::parse(answer(daemon_, line).line); }
  std::string log() {
    daemon_.output->log().flush();
    std::ifstream file(directory_ + "/events.jsonl");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  Daemon daemon_;
};

TEST_F(AnswersTest, BlocksShowsAndUnblocks) {
  const json blocked = ask(R"({"version":1,"command":"block","target":"tcp/198.51.100.7:443","for":"10m"})");
  EXPECT_EQ(blocked["version"], 1);
  EXPECT_EQ(blocked["ok"], true) << blocked;
  EXPECT_EQ(blocked["result"]["target"], "tcp 198.51.100.7:443");
  EXPECT_EQ(blocked["result"]["rule"], "manual");
  EXPECT_NEAR(blocked["result"]["remaining_seconds"].get<double>(), 600, 1);

  const json drops = ask(R"({"version":1,"command":"drops"})");
  EXPECT_EQ(drops["result"]["active"], 1);
  EXPECT_EQ(drops["result"]["enforced"], true);
  EXPECT_EQ(drops["result"]["drops"][0]["target"], "tcp 198.51.100.7:443");

  EXPECT_EQ(ask(R"({"version":1,"command":"unblock","target":"tcp/198.51.100.7:443"})")["ok"], true);
  const json again = ask(R"({"version":1,"command":"unblock","target":"tcp/198.51.100.7:443"})");
  EXPECT_EQ(again["error"], "tcp 198.51.100.7:443 is not blocked");
  EXPECT_EQ(daemon_.requests_refused, 1U);
  EXPECT_THAT(log(), HasSubstr(R"("event_type":"drop","drop":{"change":"added")"));
  EXPECT_THAT(log(), HasSubstr(R"("event_type":"drop_end","drop":{"change":"removed")"));
}

TEST_F(AnswersTest, ExplainWhyABlockIsRefused) {
  const json refused = ask(R"({"version":1,"command":"block","target":"192.0.2.7","for":"10m"})");
  EXPECT_EQ(refused["ok"], false);
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("never_block"));
}

TEST_F(AnswersTest, RefuseToBlockWhileObservingAndSayHowToEnforce) {
  auto policy = std::make_shared<Policy>();
  policy->path = "/etc/spidd/policy.toml";
  set_policy(policy);
  const json refused = ask(R"({"version":1,"command":"block","target":"198.51.100.7","for":"10m"})");
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("mode = \"enforce\" into /etc/spidd/policy.toml"));
  EXPECT_EQ(daemon_.enforcer->size(), 0U);
}

TEST_F(AnswersTest, GiveTheAlertsThatTheClientDoesNotKnow) {
  for (const char* const rule : {"first", "second", "third"}) {
    AlertEvent event;
    event.rule = rule;
    daemon_.output->write(event);
  }
  const json all = ask(R"({"version":1,"command":"alerts"})");
  EXPECT_EQ(all["result"]["last"], 3);
  EXPECT_EQ(all["result"]["alerts"].size(), 3U);
  const json rest = ask(R"({"version":1,"command":"alerts","since":2})");
  ASSERT_EQ(rest["result"]["alerts"].size(), 1U);
  EXPECT_EQ(rest["result"]["alerts"][0]["alert"]["rule"], "third");
}

TEST_F(AnswersTest, Subscribe) {
  EXPECT_TRUE(answer(daemon_, R"({"version":1,"command":"subscribe"})").subscribe);
  EXPECT_FALSE(answer(daemon_, R"({"version":2,"command":"subscribe"})").subscribe);
}

TEST_F(AnswersTest, KeepTheOldPolicyWhenTheNewOneIsWrong) {
  std::ofstream(directory_ + "/policy.toml") << "version = 1\nmode = \"enforcing\"\n";
  const auto before = daemon_.policy;
  const json refused = ask(R"({"version":1,"command":"policy_reload"})");
  EXPECT_EQ(refused["ok"], false);
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("the old policy stays in force"));
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("policy.toml:2:"));
  EXPECT_EQ(daemon_.policy, before);
}

TEST_F(AnswersTest, CountWhatIsNotUnderstood) {
  for (const char* const line : {"", "{}", "[]", R"({"version":1,"command":"reboot"})"})
    EXPECT_EQ(ask(line)["ok"], false) << line;
  EXPECT_EQ(daemon_.requests_refused, 4U);
}

TEST_F(AnswersTest, HandOutWhatWasMeasuredOfASettledFlow) {
  ModelDatabase models;
  models.find_or_add("dns", Transport::udp, Category::plain, "dns");
  daemon_.matcher = std::make_shared<const Matcher>(std::move(*Matcher::build(models)));
  daemon_.study = std::make_unique<Study>(StudySettings{});
  SettledFlow flow;
  flow.key.transport = Transport::udp;
  flow.key.port_low = 53;
  flow.fingerprint.payload_packets = 2;
  flow.fingerprint.rows = {{7, 2}};
  const std::uint64_t id = event_flow_id(flow.key, flow.start);
  daemon_.study->state().recent.add(flow);
  daemon_.study->start();
  const json found = ask(fmt::format(R"({{"version":1,"command":"settled_flow","id":{}}})", id));
  EXPECT_EQ(found["ok"], true) << found;
  EXPECT_EQ(found["result"]["transport"], "udp");
  EXPECT_EQ(found["result"]["rows"], json::array({7, 2}));
  const json missing = ask(R"({"version":1,"command":"settled_flow","id":1})");
  EXPECT_THAT(missing["error"].get<std::string>(), HasSubstr("there is no live flow 1, and it is not among the"));
}

TEST_F(AnswersTest, ExplainAFlowByTheModelsInUse) {
  ModelDatabase models;
  const auto train = [&models](const char* label, std::uint16_t length, Origin origin) {
    ProtocolModel& model = models.find_or_add(label, Transport::udp, Category::plain, label);
    model.origin = origin;
    for (int flow = 0; flow < 20; ++flow) model.add(equal_packets(length, 5));
  };
  train("dns", 300, Origin::shipped);
  train("leafcast", 30, Origin::learned);
  models.find_or_add("leafcast", Transport::udp, Category::plain, "leafcast").threshold = 0.25F;
  daemon_.matcher = std::make_shared<const Matcher>(std::move(*Matcher::build(models)));
  daemon_.study = std::make_unique<Study>(StudySettings{});
  SettledFlow flow;
  flow.key.transport = Transport::udp;
  flow.key.port_low = 53;
  flow.fingerprint = equal_packets(30, 5);
  flow.label = flow.shown = "leafcast";
  flow.verdict.state = IdentificationState::identified;
  flow.verdict.verdict_class = VerdictClass::label;
  flow.verdict.score = 2.19F;
  const std::uint64_t id = event_flow_id(flow.key, flow.start);
  daemon_.study->state().recent.add(flow);
  daemon_.study->start();
  const json answer = ask(fmt::format(R"({{"version":1,"command":"explain","id":{}}})", id));
  ASSERT_EQ(answer["ok"], true) << answer;
  const json& result = answer["result"];
  EXPECT_EQ(result["verdict"]["label"], "leafcast");
  EXPECT_NEAR(result["verdict"]["score"].get<double>(), 2.19, 1e-5);
  EXPECT_EQ(result["standing"]["label"], "leafcast");
  EXPECT_EQ(result["standing"]["holds"], true);
  EXPECT_EQ(result["standing"]["threshold"], 0.25);
  EXPECT_EQ(result["standing"]["rival"], "dns");
  EXPECT_EQ(result["best"]["label"], "leafcast");
  EXPECT_EQ(result["best"]["origin"], "learned");
  EXPECT_EQ(result["second"]["label"], "dns");
  EXPECT_GT(result["meters"].size(), 5U);
  EXPECT_EQ(result["models_changed"], false);

  daemon_.models_loaded = flow.time + std::chrono::seconds(1);
  const json later = ask(fmt::format(R"({{"version":1,"command":"explain","id":{},"against":"leafcast"}})", id));
  EXPECT_EQ(later["result"]["models_changed"], true);
  EXPECT_EQ(later["result"]["second"]["label"], "leafcast");
  const json nobody = ask(fmt::format(R"({{"version":1,"command":"explain","id":{},"against":"x"}})", id));
  EXPECT_THAT(nobody["error"].get<std::string>(), HasSubstr("there is no model 'x' over udp"));
  const json missing = ask(R"({"version":1,"command":"explain","id":1})");
  EXPECT_THAT(missing["error"].get<std::string>(), HasSubstr("there is no live flow 1"));
}

TEST(WhyNotSettled, SaysWhatIsKnownOfTheFlow) {
  std::optional<Flow> flow{Flow{}};
  EXPECT_THAT(why_not_settled(7, flow, 9), HasSubstr("flow 7 has had no payload so far"));
  flow->stored_packets = 4;
  EXPECT_THAT(why_not_settled(7, flow, 9), HasSubstr("no final verdict yet, after 4 of at most 20 packets"));
  flow->verdict.final = true;
  EXPECT_THAT(why_not_settled(7, flow, 9), HasSubstr("flow 7 is not among the 9 that settled last any more"));
  EXPECT_THAT(why_not_settled(7, std::nullopt, 9), HasSubstr("there is no live flow 7"));
}

TEST_F(AnswersTest, SaysThatSpadeIsOff) {
  const json answer = ask(R"({"version":1,"command":"spade","verb":"status"})");
  EXPECT_EQ(answer["ok"], false);
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("SPADE is switched off"));
  EXPECT_EQ(ask(R"({"version":1,"command":"spade","verb":"flush"})")["ok"], false);
}

}  // namespace
}  // namespace spidd
