// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl train by label, filter and live flow; explain and analyze of what it made.
#include <gmock/gmock.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <numeric>
#include <thread>

#include "tests/support/capture_writer.h"
#include "tests/support/packet_builder.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/explain_input.h"
#include "userspace/ctl/explanation.h"
#include "userspace/ctl/strict_analysis.h"
#include "userspace/daemon/control_socket.h"
#include "userspace/daemon/explain_answer.h"
#include "userspace/daemon/requests.h"
#include "userspace/spid/database_header.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;
using test::CaptureWriter;
using test::MemoryFile;
using test::PacketBuilder;
using testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Three questions and answers over UDP to `port`, by so many clients.
void add_exchanges(CaptureWriter& capture, unsigned clients, std::uint16_t port, const std::string& word) {
  for (unsigned i = 0; i < clients; ++i) {
    const auto client_port = static_cast<std::uint16_t>(40000 + i);
    for (unsigned k = 0; k < 3; ++k) {
      const std::uint64_t time = kSecond * (1000 + i) + k * 1000;
      capture.add(time,
                  PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(client_port, port).payload(word + "?").build());
      capture.add(time + 500,
                  PacketBuilder().ipv4("10.0.0.2", "10.0.0.1").udp(port, client_port).payload(word + "!!!").build());
    }
  }
}

class TrainCommand : public testing::Test {
 protected:
  TrainCommand() {
    std::string pattern = testing::TempDir() + "spidd-train-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    CaptureWriter writer;
    add_exchanges(writer, 12, 53, "name of a host");
    add_exchanges(writer, 12, 99, "zzzzzzzzzz");
    capture_.emplace(writer.bytes());
  }
  ~TrainCommand() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  CaptureQuestion question_for(std::vector<std::string> words, const std::string& capture = "") const {
    return {capture.empty() ? capture_->path() : capture, "", std::move(words), std::make_shared<const Policy>()};
  }
  int train(std::vector<std::string> words, const std::string& socket = "") {
    testing::internal::CaptureStdout();
    words.insert(words.begin(), {"--into", path("models")});
    const int code = command_train({socket, words});
    testing::internal::GetCapturedStdout();
    return code;
  }
  void train_both() {
    ASSERT_EQ(train({"--label", "names", "--filter", "port 53", capture_->path()}), kExitDone);
    ASSERT_EQ(train({"--label", "zed", "--filter", "port 99", "--category", "tunnel", capture_->path()}), kExitDone);
  }
  ModelDatabase models() const {
    auto loaded = load_models(path("models"));
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? *loaded : ModelDatabase{};
  }

  std::string root_;
  std::optional<MemoryFile> capture_;
};

TEST_F(TrainCommand, LearnsWhatTheFilterLetsThroughAndAddsWhatComesLater) {
  ASSERT_EQ(train({"--label", "names", "--filter", "udp port 53", capture_->path()}), kExitDone);
  const ModelDatabase once = models();
  const ProtocolModel* model = once.find("names", Transport::udp);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->flows, 12U);
  EXPECT_EQ(model->payload_packets, 72U);
  EXPECT_NE(once.find("names", Transport::udp, View::to_server), nullptr);
  EXPECT_EQ(once.find("names", Transport::udp, View::to_server)->payload_packets, 36U);
  ASSERT_EQ(train({"--label", "names", "--filter", "udp port 53", capture_->path()}), kExitDone);
  const ModelDatabase twice = models();
  for (std::size_t i = 0; i < once.models.size(); ++i) {
    EXPECT_EQ(twice.models[i].flows, 2 * once.models[i].flows);
    for (unsigned row = 0; row < kRowCount; ++row)
      ASSERT_EQ(twice.models[i].counters[row], 2 * once.models[i].counters[row]) << row;
  }
  EXPECT_EQ(twice.creator.substr(0, 6), "spidd ");
}

TEST_F(TrainCommand, TheSameCaptureAgainIsNoNewEvidence) {
  fs::copy_file(capture_->path(), path("copy.pcap"));
  for (unsigned i = 0; i < 2; ++i)
    ASSERT_EQ(train({"--label", "names", "--filter", "port 53", capture_->path(), path("copy.pcap")}), kExitDone);
  EXPECT_EQ(models().find("names", Transport::udp)->captures, 1U);
  EXPECT_EQ(models().find("names", Transport::udp)->flows, 48U);
  EXPECT_FALSE(models().find("names", Transport::udp)->has_evidence());
  testing::internal::CaptureStdout();
  for (const char* name : {"all.json", "all.xml"}) {
    EXPECT_EQ(command_models({"", {"export", "all", path(name), "--models", path("models")}}), kExitDone);
    EXPECT_EQ(command_models({"", {"import", path(name), "--add", "--models", path("models")}}), kExitDone);
    EXPECT_EQ(models().find("names", Transport::udp)->captures, 1U) << name;
  }
  testing::internal::GetCapturedStdout();
  CaptureWriter writer;
  add_exchanges(writer, 2, 53, "name of a host");
  const MemoryFile other(writer.bytes());
  ASSERT_EQ(train({"--label", "names", other.path()}), kExitDone);
  EXPECT_EQ(models().find("names", Transport::udp)->captures, 2U);
  EXPECT_TRUE(models().find("names", Transport::udp)->has_evidence());
}

TEST_F(TrainCommand, RefusesNamesThatSpiddSaysOfFlowsWithoutALabel) {
  for (const char* name : {"unknown", "unknown-3fa2", "tunnel", "fully-encrypted", "undecided"}) {
    EXPECT_EQ(train({"--label", name, capture_->path()}), kExitFailed) << name;
    EXPECT_EQ(train({"--label", "zed", "--family", name, capture_->path()}), kExitFailed) << name;
  }
  fs::create_directories(path("tree/unknown"));
  fs::copy_file(capture_->path(), path("tree/unknown/a.pcap"));
  EXPECT_EQ(train({path("tree")}), kExitFailed);
  EXPECT_FALSE(fs::exists(path("models")));
}

TEST_F(TrainCommand, RefusesAMeaningThatIsNotTheOneOfTheModels) {
  train_both();
  testing::internal::CaptureStderr();
  EXPECT_EQ(train({"--label", "zed", "--category", "plain", capture_->path()}), kExitFailed);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("'zed' is a tunnel of family zed here, not plain of family zed"));
  EXPECT_EQ(train({"--label", "zed", "--family", "other", capture_->path()}), kExitFailed);
  EXPECT_EQ(train({"--from-flow", "7", "--label", "zed", "--category", "p2p"}), kExitFailed);
  fs::create_directories(path("tree/zed"));
  fs::copy_file(capture_->path(), path("tree/zed/a.pcap"));
  EXPECT_EQ(train({"--category", "plain", path("tree")}), kExitFailed);
  EXPECT_EQ(models().find("zed", Transport::udp)->flows, 12U);
  EXPECT_EQ(train({path("tree")}), kExitDone);
  EXPECT_EQ(train({"--label", "zed", "--category", "tunnel", "--family", "zed", capture_->path()}), kExitDone);
  EXPECT_EQ(models().find("zed", Transport::udp)->category, Category::tunnel);
}

TEST_F(TrainCommand, AddsNothingIfACaptureIsDamagedUnlessToldTo) {
  CaptureWriter writer;
  add_exchanges(writer, 2, 53, "name of a host");
  writer.bytes().resize(writer.bytes().size() - 5);
  const MemoryFile cut(writer.bytes());
  testing::internal::CaptureStderr();
  EXPECT_EQ(train({"--label", "names", cut.path(), capture_->path()}), kExitFailed);
  EXPECT_EQ(train({"--label", "names", capture_->path(), path("missing.pcap")}), kExitFailed);
  fs::create_directories(path("bad/names"));
  fs::copy_file(cut.path(), path("bad/names/a.pcap"));
  EXPECT_EQ(train({path("bad")}), kExitFailed);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("of 1 capture not everything can be read, and nothing was added: --use-damaged"));
  EXPECT_FALSE(fs::exists(path("models")));
  testing::internal::CaptureStderr();
  EXPECT_EQ(train({"--use-damaged", "--label", "names", path("missing.pcap")}), kExitFailed);
  EXPECT_EQ(train({"--use-damaged", "--label", "names", cut.path(), path("missing.pcap")}), kExitDone);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("missing.pcap"));
  EXPECT_EQ(models().find("names", Transport::udp)->flows, 2U);
  testing::internal::CaptureStderr();
  EXPECT_EQ(train({"--use-damaged", path("bad")}), kExitDone);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("damaged"));
  EXPECT_EQ(models().find("names", Transport::udp)->flows, 4U);
  for (const char* name : {"tree/names/a.pcap", "tree/names/b.pcap", "tree/zed/a.pcap", "tree/zed/b.pcap"}) {
    fs::create_directories(fs::path(path(name)).parent_path());
    fs::copy_file(capture_->path(), path(name));
  }
  const auto eval = [&] {
    testing::internal::CaptureStdout();
    const int code = command_eval({"", {"--min-flows", "1", "--folds", "2", "--threads", "1", path("tree")}});
    EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("flows"));
    return code;
  };
  EXPECT_EQ(eval(), kExitDone);
  fs::copy_file(cut.path(), path("tree/names/cut.pcap"));
  EXPECT_EQ(eval(), kExitFailed);
}

TEST_F(TrainCommand, MakesStrictModelsAndKeepsThemStrict) {
  ASSERT_EQ(train({"--strict", "--label", "names", "--filter", "port 53", capture_->path()}), kExitDone);
  EXPECT_EQ(models().rules, MeterRules::strict);
  EXPECT_EQ(models().snap, kStrictSnap);
  ASSERT_EQ(train({"--label", "zed", "--filter", "port 99", capture_->path()}), kExitDone);
  EXPECT_EQ(models().rules, MeterRules::strict);
  fs::remove_all(path("models"));
  ASSERT_EQ(train({"--label", "zed", "--filter", "port 99", capture_->path()}), kExitDone);
  EXPECT_EQ(train({"--strict", "--label", "names", capture_->path()}), kExitFailed);
  EXPECT_EQ(models().find("names", Transport::udp), nullptr);
}

TEST_F(TrainCommand, RefusesCommandLinesThatSayTooLittleOrTooMuch) {
  EXPECT_EQ(train({}), kExitUsage);
  EXPECT_EQ(train({"--filter", "port 53", capture_->path()}), kExitUsage);
  EXPECT_EQ(train({"--from-flow", "7"}), kExitUsage);
  EXPECT_EQ(train({"--from-flow", "7", "--label", "x", capture_->path()}), kExitUsage);
  EXPECT_EQ(train({"--label", "Not A Label", capture_->path()}), kExitFailed);
  EXPECT_EQ(train({"--label", "names", "--filter", "port port", capture_->path()}), kExitFailed);
  EXPECT_EQ(train({"--label", "names", path("missing.pcap")}), kExitFailed);
  EXPECT_FALSE(fs::exists(path("models")));
}

TEST_F(TrainCommand, StampsThresholdsThatWereFoundAmongAllModels) {
  fs::create_directories(path("tree/names"));
  fs::create_directories(path("tree/zed"));
  for (const char* name : {"tree/names/a.pcap", "tree/names/b.pcap", "tree/zed/a.pcap", "tree/zed/b.pcap"})
    fs::copy_file(capture_->path(), path(name));
  ASSERT_EQ(train({"--calibrate", path("tree")}), kExitDone);
  EXPECT_TRUE(models().thresholds_for);
  EXPECT_TRUE(thresholds_fit(models()));
  ASSERT_EQ(train({"--label", "more", capture_->path()}), kExitDone);
  EXPECT_NE(*models().thresholds_for, background_hash(models()));
}

TEST_F(TrainCommand, FindsThresholdsWithoutAddingFlows) {
  for (const char* label : {"names", "zed"}) {
    fs::create_directories(path("tree/") + label);
    for (const char* name : {"a.pcap", "b.pcap"}) {
      CaptureWriter writer;
      add_exchanges(writer, 6, label[0] == 'n' ? 53 : 99, fmt::format("{} asks {}", label, name));
      fs::copy_file(MemoryFile(writer.bytes()).path(), path("tree/") + label + "/" + name);
    }
  }
  ASSERT_EQ(train({path("tree")}), kExitDone);
  const ModelDatabase before = models();
  EXPECT_FALSE(before.thresholds_for);
  ASSERT_EQ(train({"--calibrate-only", path("tree")}), kExitDone);
  const ModelDatabase after = models();
  EXPECT_TRUE(after.thresholds_for);
  EXPECT_TRUE(thresholds_fit(after));
  ASSERT_EQ(after.models.size(), before.models.size());
  bool any = false;
  for (std::size_t i = 0; i < after.models.size(); ++i) {
    EXPECT_EQ(after.models[i].flows, before.models[i].flows);
    EXPECT_EQ(after.models[i].counters, before.models[i].counters);
    EXPECT_EQ(after.models[i].captures, before.models[i].captures);
    any |= after.models[i].threshold > 0;
  }
  EXPECT_TRUE(any);

  // Added to, they are calibrated no more; with the captures of all, they are again.
  fs::create_directories(path("more/zed"));
  CaptureWriter writer;
  add_exchanges(writer, 6, 99, "zed asks something else");
  fs::copy_file(MemoryFile(writer.bytes()).path(), path("more/zed/c.pcap"));
  ASSERT_EQ(train({path("more")}), kExitDone);
  EXPECT_FALSE(thresholds_fit(models()));
  ASSERT_EQ(train({"--calibrate-only", path("more")}), kExitDone);
  EXPECT_FALSE(models().thresholds_for) << "of names, these captures have nothing";
  ASSERT_EQ(train({"--calibrate-only", path("tree"), path("more")}), kExitDone);
  EXPECT_TRUE(thresholds_fit(models()));
  EXPECT_EQ(train({"--calibrate-only", "--label", "other", capture_->path()}), kExitFailed);
}

TEST_F(TrainCommand, LearnsFromAFlowOfTheDaemon) {
  train_both();
  SettledFlow flow;
  flow.key.transport = Transport::udp;
  std::vector<PayloadPacket> packets(5);
  for (PayloadPacket& packet : packets) packet.length = packet.captured = 30;
  AttributeMeters().measure(packets, flow.fingerprint);
  flow.view = View::to_server;

  ControlSettings settings;
  settings.socket_path = path("control.sock");
  auto socket = ControlSocket::open(settings, [](std::string_view reason) { return error_line(reason); });
  ASSERT_TRUE(socket);
  std::atomic<bool> stopping = false;
  std::thread server([&] {
    while (!stopping) {
      pollfd ready{socket->fd(), POLLIN, 0};
      ::poll(&ready, 1, 5);
      socket->serve([&](std::string_view line) {
        const auto request = parse_request(line);
        const bool known = request && std::get<SettledFlowRequest>(*request).id == 7;
        return ControlSocket::Reply{
            known ? success_line(settled_flow_json(flow, MeterRules::corrected)) : error_line("no such flow"), false};
      });
    }
  });
  const auto before = models().find("zed", Transport::udp, View::to_server)->flows;
  EXPECT_EQ(train({"--from-flow", "7", "--label", "zed"}, settings.socket_path), kExitDone);
  EXPECT_EQ(train({"--from-flow", "7", "--label", "new"}, settings.socket_path), kExitDone);
  EXPECT_EQ(train({"--from-flow", "8", "--label", "new"}, settings.socket_path), kExitFailed);
  stopping = true;
  server.join();
  const ModelDatabase after = models();
  const ProtocolModel* zed = after.find("zed", Transport::udp, View::to_server);
  EXPECT_EQ(zed->flows, before + 1);
  EXPECT_EQ(zed->category, Category::tunnel);
  EXPECT_EQ(zed->captures, 1U);
  const ProtocolModel* fresh = after.find("new", Transport::udp, View::to_server);
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(fresh->flows, 1U);
  EXPECT_EQ(fresh->payload_packets, 5U);
  EXPECT_FALSE(fresh->has_evidence());
}

TEST_F(TrainCommand, ExplanationsAddUpToTheScores) {
  train_both();
  const ModelDatabase database = models();
  for (const Profile profile :
       {Profile::background, Profile::bg34, Profile::bg43, Profile::classic34, Profile::classic15}) {
    const auto matcher = std::make_shared<const Matcher>(std::move(*Matcher::build(database, profile)));
    std::string damage;
    const auto flow = settled_flow_of_capture(question_for({"UDP 10.0.0.2:53 10.0.0.1:40003"}), matcher, damage);
    ASSERT_TRUE(flow) << flow.error().message;
    EXPECT_EQ(damage, "");
    const ClassificationRules rules = classification_rules(profile);
    const FlowToExplain measured{flow->key.transport, flow->view, flow->fingerprint, {.random = flow->structured}};
    const auto explanation = explain_flow(*matcher, rules, measured, "");
    ASSERT_TRUE(explanation) << explanation.error().message;
    EXPECT_EQ(matcher->models()[explanation->best.model].label, "names");
    EXPECT_EQ(matcher->models()[explanation->second.model].label, "zed");
    for (const auto& side : {explanation->best, explanation->second})
      EXPECT_NEAR(std::accumulate(side.parts.begin(), side.parts.end(), 0.0), side.score, 2e-3)
          << profile_name(profile);
    for (std::size_t i = 1; i < explanation->meters.size(); ++i)
      EXPECT_GE(std::abs(explanation->difference(explanation->meters[i - 1])),
                std::abs(explanation->difference(explanation->meters[i])));
    EXPECT_FLOAT_EQ(explanation->standing.score, flow->verdict.score);
    EXPECT_FLOAT_EQ(explanation->standing.margin, flow->verdict.margin);
    const auto json = answer_explain(*matcher, rules, measured_flow(*flow, matcher->rules()), verdict_json(*flow), "");
    ASSERT_TRUE(json) << json.error().message;
    EXPECT_EQ((*json)["best"]["label"], "names");
    EXPECT_EQ((*json)["verdict"]["label"], "names");
    EXPECT_EQ((*json)["standing"]["rival"], "zed");
    EXPECT_EQ((*json)["meters"].size(), explanation->meters.size());
    const std::string text = explanation_text(*json);
    EXPECT_THAT(text, HasSubstr("udp 10.0.0.1:40003 -> 10.0.0.2:53"));
    EXPECT_THAT(text, HasSubstr(fmt::format("profile {}", profile_name(profile))));
    EXPECT_THAT(text, HasSubstr("verdict: names (class label), after "));
    EXPECT_THAT(text, HasSubstr("nearest: names, score "));
    EXPECT_THAT(text, HasSubstr(" over zed\nbecause: 'names' scores enough, and no model that it has to be ahead of"));
    EXPECT_FALSE(explain_flow(*matcher, rules, measured, "xyz"));
    EXPECT_EQ(matcher->models()[explain_flow(*matcher, rules, measured, "names")->second.model].label, "names");
  }
}

TEST_F(TrainCommand, ExplanationsNeedAFlowThatIsThere) {
  train_both();
  const auto matcher = std::make_shared<const Matcher>(std::move(*Matcher::build(models())));
  const auto error_of = [&](std::vector<std::string> words) {
    std::string damage;
    const auto flow = settled_flow_of_capture(question_for(std::move(words)), matcher, damage);
    return flow ? "found" : flow.error().message;
  };
  EXPECT_EQ(error_of({"udp", "10.0.0.1:40003", "10.0.0.2:53"}), "found");
  EXPECT_THAT(error_of({"tcp", "10.0.0.1:40003", "10.0.0.2:53"}), HasSubstr("there is no such flow"));
  EXPECT_THAT(error_of({"12345"}), HasSubstr("there is no such flow"));
  EXPECT_THAT(error_of({"abc"}), HasSubstr("'abc' is no flow_id"));
  EXPECT_THAT(error_of({"udp", "1"}), HasSubstr("say the flow as"));
}

TEST_F(TrainCommand, ExplanationsSayThatTheCaptureIsDamaged) {
  train_both();
  const auto matcher = std::make_shared<const Matcher>(std::move(*Matcher::build(models())));
  CaptureWriter writer;
  add_exchanges(writer, 2, 53, "name of a host");
  auto bytes = writer.bytes();
  bytes.resize(bytes.size() - 5);
  const MemoryFile cut(bytes);
  std::string damage;
  const auto flow =
      settled_flow_of_capture(question_for({"udp 10.0.0.1:40000 10.0.0.2:53"}, cut.path()), matcher, damage);
  EXPECT_TRUE(flow);
  EXPECT_THAT(damage, HasSubstr("damaged"));
  const auto none = settled_flow_of_capture(question_for({"udp 10.0.0.1:4 10.0.0.2:53"}, cut.path()), matcher, damage);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("damaged"));
}

class Collected final : public ReplayWriter {
 public:
  void decision(const FlowView& view, const Decision&, std::string& out) override {
    out += fmt::format("alert {}\n", view.label->label);
  }
  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason, std::string& out) override {
    out += fmt::format("{} {} {}\n", view.label == nullptr ? "?" : view.label->label, view.flow.verdict.payload_packets,
                       totals.counters.packets[0]);
  }
};

TEST_F(TrainCommand, StrictNeedsStrictModels) {
  const auto run = [this](int (*command)(const CommandArguments&), std::vector<std::string> words) {
    words.insert(words.end(), {"--models", path("models")});
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = command({"", words});
    testing::internal::GetCapturedStdout();
    return std::pair(code, testing::internal::GetCapturedStderr());
  };
  fs::create_directories(path("tree/names"));
  fs::copy_file(capture_->path(), path("tree/names/a.pcap"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(command_eval({"", {path("tree")}}), kExitFailed);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("all flows are of one label, 'names'"));
  ASSERT_EQ(train({"--label", "names", capture_->path()}), kExitDone);
  const auto refused = run(command_analyze, {"--strict", capture_->path()});
  EXPECT_EQ(refused.first, kExitFailed);
  EXPECT_THAT(refused.second, HasSubstr("its models are not strict: make some with 'spidctl train --strict'"));
  EXPECT_THAT(run(command_eval, {"--strict", path("tree")}).second, HasSubstr("its models are not strict"));
  EXPECT_EQ(run(command_eval, {path("tree")}).first, kExitDone);
  fs::remove_all(path("models"));
  ASSERT_EQ(train({"--strict", "--label", "names", capture_->path()}), kExitDone);
  EXPECT_EQ(run(command_analyze, {"--strict", capture_->path()}).first, kExitDone);
  EXPECT_EQ(run(command_eval, {"--strict", "--profile", "classic15", path("tree")}).first, kExitDone);
  EXPECT_THAT(run(command_eval, {path("tree")}).second, HasSubstr("its models are strict"));
  ModelDatabase short_ones = models();
  short_ones.snap = kSnapLength;
  ASSERT_TRUE(save_models(short_ones, path("models")));
  EXPECT_THAT(run(command_analyze, {"--strict", capture_->path()}).second,
              HasSubstr("its models know 64 bytes of a payload, the original all"));
}

TEST_F(TrainCommand, StrictSessionsAreExplainedAsTheyAreJudged) {
  ASSERT_EQ(train({"--strict", "--label", "names", "--filter", "port 53", capture_->path()}), kExitDone);
  ASSERT_EQ(train({"--label", "zed", "--filter", "port 99", "--category", "tunnel", capture_->path()}), kExitDone);
  const auto explain = [&](std::vector<std::string> options) {
    options.insert(options.end(), {"--models", path("models"), "--json", "--capture", capture_->path(),
                                   "udp 10.0.0.1:40003 10.0.0.2:53"});
    testing::internal::CaptureStdout();
    EXPECT_EQ(command_explain({"", options}), kExitDone);
    return nlohmann::json::parse(testing::internal::GetCapturedStdout());
  };
  for (const char* profile : {"classic34", "classic15", "bg"}) {
    const auto strict = explain({"--strict", "--profile", profile});
    EXPECT_EQ(strict["verdict"]["label"], "names");
    EXPECT_EQ(strict["best"]["label"], "names");
    EXPECT_EQ(strict["second"]["label"], "zed");
    EXPECT_EQ(strict["payload_packets"], 6);
    EXPECT_NEAR(strict["verdict"]["score"].get<double>(), strict["best"]["score"].get<double>(), 1e-5);
  }
  EXPECT_EQ(explain({"--strict", "--session-frames", "4"})["payload_packets"], 4);
  EXPECT_EQ(command_explain({"", {"--strict", "7"}}), kExitUsage);
}

TEST_F(TrainCommand, LimitsOfStrictSessionsAreOptions) {
  const std::vector<std::string> words = {"--strict", "--label", "names", "--filter", "port 53", capture_->path()};
  const auto with = [&](std::vector<std::string> options) {
    options.insert(options.end(), words.begin(), words.end());
    return train(options);
  };
  ASSERT_EQ(with({"--session-frames", "2"}), kExitDone);
  EXPECT_EQ(models().find("names", Transport::udp)->payload_packets, 24U);
  for (const char* frames : {"0", "256", "x"}) EXPECT_EQ(with({"--session-frames", frames}), kExitUsage);
  EXPECT_EQ(with({"--max-sessions", "0"}), kExitUsage);
  EXPECT_EQ(with({"--session-timeout", "3d"}), kExitUsage);
  ASSERT_EQ(with({"--max-sessions", "1", "--session-timeout", "1h"}), kExitDone);
  EXPECT_EQ(models().find("names", Transport::udp)->payload_packets, 24U + 72U);
}

TEST_F(TrainCommand, StrictSessionsHaveOneVerdictEach) {
  ASSERT_EQ(train({"--strict", "--label", "names", "--filter", "port 53", capture_->path()}), kExitDone);
  ASSERT_EQ(train({"--label", "zed", "--filter", "port 99", "--category", "tunnel", capture_->path()}), kExitDone);
  const ModelDatabase database = models();
  CaptureWriter writer;
  add_exchanges(writer, 1, 53, "name of a host");
  add_exchanges(writer, 1, 99, "zzzzzzzzzz");
  const MemoryFile few(writer.bytes());
  for (const Profile profile : {Profile::classic34, Profile::classic15}) {
    const StrictAnalysis how{std::make_shared<const Matcher>(std::move(*Matcher::build(database, profile))),
                             std::make_shared<const Policy>(builtin_policy()), ""};
    Collected lines;
    std::string text;
    StrictSums sums;
    ASSERT_TRUE(analyze_strictly(
        few.path(), how, lines, [&](std::string_view part) { text += part; }, sums));
    EXPECT_EQ(sums.packets, 12U);
    EXPECT_EQ(sums.sessions, 2U);
    EXPECT_THAT(text, HasSubstr("names 6 3\n"));
    EXPECT_THAT(text, HasSubstr("alert zed\n"));
    EXPECT_THAT(text, HasSubstr("zed 6 3\n"));
  }
}

}  // namespace
}  // namespace spidd
