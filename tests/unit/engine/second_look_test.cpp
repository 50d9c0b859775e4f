// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which flows get a second look by their sizes, and what comes of it. Two models trained on the spot: "ssh" and "hum";
// where a test asks for it a third, of random bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "userspace/engine/engine.h"
#include "userspace/engine/flow_events.h"
#include "userspace/engine/replay.h"

namespace spidd {
namespace {

using std::chrono::milliseconds;

const Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};
// Connections forwarded within SSH, and keystrokes.
constexpr std::array kForwarding = {92, -44, 180, -1448, -1448, -600, 36, -72, 36};
constexpr std::array kTyping = {36, -36, 36, -36, 36, -36, 36, -36, 60};

enum class Bytes { ssh, hum, random };
enum class Use { typing, forwarding };

PayloadPacket packet(Bytes bytes, Use use, unsigned order, Timestamp time) {
  PayloadPacket result;
  result.time = time;
  result.offset = 54;
  if (order < 12) {
    result.length = (bytes == Bytes::hum ? 400 : 80) + 10 * order;
    result.direction = order % 2 == 0 ? Direction::to_server : Direction::to_client;
  } else {
    const auto& cycle = use == Use::forwarding ? kForwarding : kTyping;
    const int size = cycle[(order - 12) % cycle.size()];
    result.length = static_cast<std::uint32_t>(std::abs(size));
    result.direction = size < 0 ? Direction::to_client : Direction::to_server;
  }
  if (order >= kRecordLimit) return result;
  static std::mt19937 random_bytes(7);
  result.captured = static_cast<std::uint8_t>(std::min<std::uint32_t>(result.length, 64));
  for (unsigned i = 0; i < result.captured; ++i) {
    const unsigned value = bytes == Bytes::random ? static_cast<unsigned>(random_bytes())
                           : bytes == Bytes::ssh  ? 'A' + (i + order) % 26
                                                  : (i * 37 + order * 11) & 0x9f;
    result.bytes[i] = static_cast<std::uint8_t>(value);
  }
  return result;
}

void train(ProtocolModel& model, Bytes bytes) {
  AttributeMeters meters;
  Fingerprint fingerprint;
  for (unsigned flow = 0; flow < 15; ++flow) {
    std::vector<PayloadPacket> packets;
    for (unsigned order = 0; order < 8; ++order)
      packets.push_back(packet(bytes, Use::typing, order, kStart + milliseconds(order)));
    meters.measure(packets, fingerprint);
    model.add(fingerprint);
  }
  model.captures = 2;
}

ModelDatabase small_database() {
  ModelDatabase database;
  train(database.find_or_add("ssh", Transport::tcp, Category::encrypted, "ssh"), Bytes::ssh);
  train(database.find_or_add("hum", Transport::tcp, Category::encrypted, "hum"), Bytes::hum);
  return database;
}

std::shared_ptr<const Matcher> models_of(const ModelDatabase& database) {
  return std::make_shared<const Matcher>(Matcher::build(database).value());
}

std::shared_ptr<const Matcher> small_models() { return models_of(small_database()); }

class FakeSource final : public PacketSource {
 public:
  std::optional<FlowTotals> totals(const FlowKey&, Timestamp) const override { return std::nullopt; }
  void decided(const FlowKey& key, Timestamp) override { decided_ports.push_back(key.port_low); }
  void sizes_wanted(const FlowKey& key, Timestamp) override { wanted_ports.push_back(key.port_low); }
  void ended(const FlowKey&, Timestamp) override {}

  std::vector<std::uint16_t> decided_ports;
  std::vector<std::uint16_t> wanted_ports;
};

struct Alert {
  std::string rule;
  Action action;
  SecondLook look;
};

class Recorder final : public EngineSink {
 public:
  void decision(const FlowView& view, const Decision& decision) override {
    alerts.push_back({std::to_string(decision.rule), decision.action, view.flow.verdict.second_look});
    std::string line;
    append_json(line, alert_event(view, decision, builtin_policy(), ""));
    events.push_back(line);
  }
  void flow_ended(const FlowView& view, const FlowTotals&, EndReason) override {
    looks.push_back(view.flow.verdict.second_look);
    labels.push_back(view.label ? view.label->label : "");
  }
  void flow_settled(const SettledFlow& flow) override { settled.push_back(flow); }

  std::vector<Alert> alerts;
  std::vector<std::string> events;
  std::vector<SecondLook> looks;
  std::vector<std::string> labels;
  std::vector<SettledFlow> settled;
};

class SecondLookTest : public testing::Test {
 protected:
  Engine make(EngineSettings settings = {}, Policy policy = builtin_policy(),
              std::shared_ptr<const Matcher> models = small_models()) {
    return Engine(settings, std::move(models), std::make_shared<const Policy>(std::move(policy)), source, sink);
  }

  // Alerts on random bytes that carry connections, and on nothing else.
  static Policy encrypted_tunnels_only() {
    Policy policy = builtin_policy();
    std::erase_if(policy.rules, [](const Rule& rule) { return rule.match.second_looks.empty(); });
    for (Rule& rule : policy.rules) rule.match.second_looks = {SecondLook::encrypted_tunnel};
    return policy;
  }

  static PacketRecord record(std::uint16_t port, Bytes bytes, Use use, unsigned order) {
    PacketRecord record;
    record.time = kStart + milliseconds(10 * order);
    record.flow_start = kStart;
    record.key.low = IpAddress::from_ipv4(0x0a000001);
    record.key.high = IpAddress::from_ipv4(0xc6336401);
    record.key.port_low = port;
    record.key.port_high = 22;
    record.start_seen = record.answered = true;
    record.order = static_cast<std::uint16_t>(order);
    record.packet = packet(bytes, use, order, record.time);
    return record;
  }

  static void run(Engine& engine, std::uint16_t port, Bytes bytes, Use use, unsigned packets = kSizesLimit) {
    for (unsigned order = 0; order < packets; ++order) engine.on_record(record(port, bytes, use, order));
  }

  // Requests and answers in random bytes.
  static void run_random(Engine& engine, std::uint16_t port) {
    for (unsigned order = 0; order < kSizesLimit; ++order) {
      PacketRecord sent = record(port, Bytes::random, Use::forwarding, order);
      if (order >= 12) {
        sent.packet.length = order % 4 == 0 ? 150 : 1448;
        sent.packet.direction = order % 4 == 0 ? Direction::to_server : Direction::to_client;
      }
      engine.on_record(sent);
    }
  }

  FakeSource source;
  Recorder sink;
};

TEST_F(SecondLookTest, AlertsOnceOnSshThatCarriesConnections) {
  Engine engine = make();
  run(engine, 1, Bytes::ssh, Use::forwarding);
  EXPECT_EQ(source.wanted_ports, std::vector<std::uint16_t>{1});
  EXPECT_EQ(source.decided_ports, std::vector<std::uint16_t>{1}) << "only once the sizes have come";
  ASSERT_EQ(sink.alerts.size(), 1U);
  EXPECT_EQ(sink.alerts[0].action, Action::alert);
  EXPECT_EQ(sink.alerts[0].look, SecondLook::ssh_tunnel);
  EXPECT_NE(sink.events[0].find(R"("second_look":"ssh-tunnel")"), std::string::npos) << sink.events[0];
  EXPECT_NE(sink.events[0].find(R"("label":"ssh")"), std::string::npos) << sink.events[0];
  EXPECT_NE(sink.events[0].find(R"("rule":"tunnels-by-size")"), std::string::npos) << sink.events[0];
  engine.finish(EndReason::shutdown);
  EXPECT_EQ(sink.looks, std::vector{SecondLook::ssh_tunnel});
  EXPECT_EQ(engine.counters().second_looks, 1U);
  EXPECT_EQ(engine.counters().second_looks_found, 1U);
  EXPECT_EQ(engine.counters().alerts, 1U);
  EXPECT_EQ(engine.counters().packets_not_stored, 0U);
  EXPECT_EQ(engine.counters().records_late, 0U);
}

TEST_F(SecondLookTest, AShellRaisesNoAlert) {
  Engine engine = make();
  run(engine, 1, Bytes::ssh, Use::typing);
  engine.finish(EndReason::shutdown);
  EXPECT_TRUE(sink.alerts.empty());
  EXPECT_EQ(sink.looks, std::vector{SecondLook::nothing});
  EXPECT_EQ(sink.labels, std::vector<std::string>{"ssh"});
}

TEST_F(SecondLookTest, AFlowThatEndsEarlierIsLookedAtByWhatCame) {
  Engine engine = make();
  run(engine, 1, Bytes::ssh, Use::forwarding, 60);
  run(engine, 2, Bytes::ssh, Use::forwarding, 30);
  EXPECT_TRUE(sink.alerts.empty());
  engine.finish(EndReason::shutdown);
  ASSERT_EQ(sink.alerts.size(), 1U);
  EXPECT_EQ(engine.counters().second_looks_found, 1U);
}

TEST_F(SecondLookTest, NothingIsLearnedBeforeItsEnd) {
  EngineSettings settings;
  settings.report_settled = true;
  Engine engine = make(settings);
  run(engine, 1, Bytes::ssh, Use::forwarding);
  ASSERT_EQ(sink.settled.size(), 2U);
  EXPECT_TRUE(sink.settled[0].looked_at_again);
  EXPECT_FALSE(sink.settled[1].looked_at_again);
  EXPECT_TRUE(sink.settled[1].touched());
  EXPECT_EQ(sink.settled[1].label, "ssh");
  EXPECT_EQ(sink.settled[1].fingerprint.rows, sink.settled[0].fingerprint.rows);

  sink.settled.clear();
  run(engine, 2, Bytes::ssh, Use::forwarding, 60);  // ends while it is looked at
  run(engine, 3, Bytes::ssh, Use::forwarding, 15);  // ends before its verdict has settled
  run(engine, 4, Bytes::ssh, Use::typing);
  engine.finish(EndReason::shutdown);
  std::map<std::uint16_t, std::vector<SettledFlow>> settled;
  for (const SettledFlow& flow : sink.settled) settled[flow.key.port_low].push_back(flow);
  ASSERT_EQ(settled[2].size(), 2U);
  EXPECT_TRUE(settled[2].back().touched());
  EXPECT_FALSE(settled[2].back().looked_at_again);
  ASSERT_EQ(settled[3].size(), 1U);
  EXPECT_FALSE(settled[3].back().looked_at_again);
  ASSERT_EQ(settled[4].size(), 2U);
  EXPECT_FALSE(settled[4].back().touched());
}

TEST_F(SecondLookTest, FlowsThatAreLookedAtLeaveRoomForOthers) {
  EngineSettings settings;
  settings.report_settled = true;
  settings.packet_blocks = 16;  // a flow of 20 packets takes 5
  Engine engine = make(settings);
  for (std::uint16_t port = 1; port <= 10; ++port) run(engine, port, Bytes::ssh, Use::typing, 40);
  EXPECT_EQ(engine.counters().second_looks, 10U);
  EXPECT_EQ(engine.counters().packets_not_stored, 0U);
  EXPECT_EQ(engine.counters().second_looks_not_learned, 9U);
  engine.finish(EndReason::shutdown);
  EXPECT_EQ(std::ranges::count(sink.settled, false, &SettledFlow::looked_at_again), 1);
}

TEST_F(SecondLookTest, AFlowThatIsGivenUpMayBeLearned) {
  EngineSettings settings;
  settings.report_settled = true;
  settings.second_looks = 1;
  Engine engine = make(settings);
  run(engine, 1, Bytes::ssh, Use::typing, 40);
  run(engine, 2, Bytes::ssh, Use::typing, 40);
  ASSERT_EQ(sink.settled.size(), 3U);
  EXPECT_TRUE(sink.settled[0].looked_at_again);
  EXPECT_EQ(sink.settled[1].key.port_low, 1);
  EXPECT_FALSE(sink.settled[1].looked_at_again);
  EXPECT_EQ(sink.settled[1].fingerprint.rows, sink.settled[0].fingerprint.rows);
}

TEST_F(SecondLookTest, OtherProtocolsAreNotAskedFor) {
  Engine engine = make();
  run(engine, 1, Bytes::hum, Use::forwarding);
  EXPECT_TRUE(source.wanted_ports.empty());
  EXPECT_TRUE(sink.alerts.empty());
  EXPECT_EQ(source.decided_ports, std::vector<std::uint16_t>{1});
  engine.finish(EndReason::shutdown);
  EXPECT_EQ(engine.counters().second_looks, 0U);
  EXPECT_EQ(engine.flows().size(), 0U);
  EXPECT_EQ(sink.labels.size(), 1U) << "sizes that nobody asked for begin no flow";
}

TEST_F(SecondLookTest, RandomBytesAreLookedAtToo) {
  Engine engine = make();
  run_random(engine, 1);
  EXPECT_EQ(source.wanted_ports.size(), 1U);
  ASSERT_EQ(sink.alerts.size(), 1U);
  EXPECT_EQ(sink.alerts[0].look, SecondLook::encrypted_tunnel);
}

TEST_F(SecondLookTest, RandomBytesThatHaveANameAreLookedAtToo) {
  struct Case {
    std::string label;
    Category category;
    std::string family;
  };
  for (const auto& [label, category, family] :
       {Case{"obfs4", Category::tunnel, "obfuscated"}, Case{"noise", Category::encrypted, "noise"}}) {
    sink = {};
    ModelDatabase database = small_database();
    train(database.find_or_add(label, Transport::tcp, category, family), Bytes::random);
    Engine engine = make({}, encrypted_tunnels_only(), models_of(database));
    run_random(engine, 1);
    ASSERT_EQ(sink.alerts.size(), 1U) << label;
    EXPECT_EQ(sink.alerts[0].look, SecondLook::encrypted_tunnel);
    engine.finish(EndReason::shutdown);
    EXPECT_EQ(sink.labels, std::vector{label});
  }
}

TEST_F(SecondLookTest, FilesBetweenHostsThatSpeakFtpAreNot) {
  ModelDatabase database = small_database();
  train(database.find_or_add("obfs4", Transport::tcp, Category::tunnel, "obfuscated"), Bytes::random);
  EngineSettings settings;
  settings.endpoints = std::make_shared<SharedEndpointMemory>(settings.endpoint_limits);
  const FlowKey key = record(1, Bytes::random, Use::forwarding, 0).key;
  settings.endpoints->note_ftp(HostPair(key.low, key.high), kStart);
  Engine engine = make(settings, encrypted_tunnels_only(), models_of(database));
  run_random(engine, 1);
  engine.finish(EndReason::shutdown);
  EXPECT_TRUE(source.wanted_ports.empty());
  EXPECT_TRUE(sink.alerts.empty());
}

TEST_F(SecondLookTest, NobodyIsAskedWhereNoRuleWantsToKnow) {
  Policy without = builtin_policy();
  without.rules.resize(1);
  Policy disabled = builtin_policy();
  disabled.second_look.enabled = false;
  for (const Policy& policy : {without, disabled}) {
    Engine engine = make({}, policy);
    run(engine, 1, Bytes::ssh, Use::forwarding);
    EXPECT_TRUE(source.wanted_ports.empty());
    EXPECT_TRUE(sink.alerts.empty());
  }
  EngineSettings none;
  none.second_looks = 0;
  Engine engine = make(none);
  run(engine, 1, Bytes::ssh, Use::forwarding);
  EXPECT_TRUE(source.wanted_ports.empty());
}

TEST_F(SecondLookTest, FewerPacketsAreEnoughIfThePolicySaysSo) {
  Policy policy = builtin_policy();
  policy.second_look.packets = 50;
  Engine engine = make({}, policy);
  run(engine, 1, Bytes::ssh, Use::forwarding, 49);
  EXPECT_TRUE(sink.alerts.empty());
  engine.on_record(record(1, Bytes::ssh, Use::forwarding, 49));
  EXPECT_EQ(sink.alerts.size(), 1U);
}

TEST_F(SecondLookTest, AnAllowedServerRaisesNoAlert) {
  Policy policy = builtin_policy();
  Rule rule;
  rule.name = "our-jump-host";
  rule.action = Action::pass;
  rule.match.server_ports = {{22, 22}};
  rule.match.min_margin = 0;
  policy.rules.insert(policy.rules.begin(), rule);
  Engine engine = make({}, policy);
  run(engine, 1, Bytes::ssh, Use::forwarding);
  EXPECT_TRUE(sink.alerts.empty());
  EXPECT_EQ(engine.counters().second_looks_found, 1U);
}

TEST_F(SecondLookTest, TheFlowThatIsSilentForLongestMakesRoom) {
  EngineSettings settings;
  settings.second_looks = 2;
  Engine engine = make(settings);
  for (std::uint16_t port = 1; port <= 3; ++port) run(engine, port, Bytes::ssh, Use::forwarding, 40);
  EXPECT_EQ(engine.counters().second_looks, 3U);
  EXPECT_EQ(engine.counters().second_looks_forgotten, 1U);
  EXPECT_EQ(source.decided_ports, std::vector<std::uint16_t>{1});
  for (std::uint16_t port = 1; port <= 3; ++port)
    for (unsigned order = 40; order < kSizesLimit; ++order)
      engine.on_record(record(port, Bytes::ssh, Use::forwarding, order));
  EXPECT_EQ(sink.alerts.size(), 2U);
}

// A capture gives the sizes of all flows, asked for or not.
TEST_F(SecondLookTest, AReplaySaysTheSameOnAnyNumberOfThreads) {
  class Writer final : public ReplayWriter {
   public:
    void decision(const FlowView& view, const Decision& decision, std::string& out) override {
      out += fmt::format("{} {} {}\n", view.flow.key.port_low, action_name(decision.action),
                         second_look_name(view.flow.verdict.second_look));
    }
    void flow_ended(const FlowView& view, const FlowTotals&, EndReason, std::string& out) override {
      out += fmt::format("{} ended {}\n", view.flow.key.port_low, second_look_name(view.flow.verdict.second_look));
    }
  };
  const auto replay = [](unsigned workers) {
    Replay::Settings settings;
    settings.workers = workers;
    std::string text;
    Replay all(
        settings, small_models(), std::make_shared<const Policy>(builtin_policy()),
        [] { return std::make_unique<Writer>(); }, [&](std::string_view lines) { text += lines; });
    for (unsigned order = 0; order < kSizesLimit; ++order)
      for (std::uint16_t port = 1; port <= 60; ++port) {
        PacketRecord next =
            record(port, port % 3 == 0 ? Bytes::hum : Bytes::ssh, port % 2 == 0 ? Use::forwarding : Use::typing, order);
        next.key.high = IpAddress::from_ipv4(0xc6336401U + port);
        all.feed(next);
      }
    all.finish();
    EXPECT_EQ(all.counters().second_looks, 40U);
    EXPECT_EQ(all.counters().second_looks_found, 20U);
    EXPECT_EQ(all.counters().flows, 60U);
    return text;
  };
  const std::string one = replay(1);
  EXPECT_NE(one.find("2 alert ssh-tunnel\n"), std::string::npos) << one;
  EXPECT_EQ(replay(3), one);
}

}  // namespace
}  // namespace spidd
