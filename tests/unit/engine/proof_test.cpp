// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the engine knows beyond one verdict: flows to the same server, a flow that lasts, FTP between the same hosts,
// and names for flows too short to have their own. Two small models: "shout" (upper-case text, a tunnel), "hum"
// (plain).
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/engine/engine_doubles.h"
#include "userspace/engine/engine.h"

namespace spidd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};

enum class Kind { shout, hum, noise };

std::mt19937 random_bytes(7);

PayloadPacket packet(Kind kind, unsigned order, Timestamp time) {
  PayloadPacket result;
  result.time = time;
  result.length = kind == Kind::hum ? 400 + 10 * order : 64 + order;
  result.offset = 54;
  result.direction = order % 2 == 0 ? Direction::to_server : Direction::to_client;
  result.captured = 64;
  for (unsigned i = 0; i < result.captured; ++i) {
    const unsigned byte = kind == Kind::shout ? 'A' + (i + order) % 26
                          : kind == Kind::hum ? (i * 37 + order * 11) & 0x9f
                                              : static_cast<unsigned>(random_bytes());
    result.bytes[i] = static_cast<std::uint8_t>(byte);
  }
  return result;
}

ProtocolModel& train(ModelDatabase& database, Kind kind, std::string_view label, Transport transport,
                     Category category) {
  AttributeMeters meters;
  Fingerprint fingerprint;
  ProtocolModel& model = database.find_or_add(label, transport, category, label);
  for (unsigned flow = 0; flow < 15; ++flow) {
    std::vector<PayloadPacket> packets;
    for (unsigned order = 0; order < 8; ++order) packets.push_back(packet(kind, order, kStart + milliseconds(order)));
    meters.measure(packets, fingerprint);
    model.add(fingerprint);
  }
  model.captures = 2;
  return model;
}

std::shared_ptr<const Matcher> models_of(const ModelDatabase& database) {
  auto matcher = Matcher::build(database);
  EXPECT_TRUE(matcher) << matcher.error().message;
  return std::make_shared<const Matcher>(std::move(*matcher));
}

std::shared_ptr<const Matcher> small_models() {
  ModelDatabase database;
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    train(database, Kind::shout, "shout", transport, Category::tunnel);
    train(database, Kind::hum, "hum", transport, Category::plain);
  }
  return models_of(database);
}

struct Taken {
  std::uint16_t port;
  Action action;
  Obstacle obstacle;
  bool operator==(const Taken&) const = default;
};

struct Ended {
  std::string label;
  Verdict verdict;
};

class Recorder final : public EngineSink {
 public:
  void decision(const FlowView& view, const Decision& decision) override {
    taken.push_back({view.flow.client().port, decision.action, decision.obstacle});
  }
  void flow_ended(const FlowView& view, const FlowTotals&, EndReason) override {
    ended.push_back({view.label ? view.label->label : "", view.flow.verdict});
  }

  std::vector<Taken> taken;
  std::vector<Ended> ended;
};

class ProofTest : public testing::Test {
 protected:
  static Policy blocking_policy() { return tunnel_blocking_policy(); }

  Engine make(EngineSettings settings = {}, Policy policy = blocking_policy(),
              std::shared_ptr<const Matcher> models = small_models()) {
    settings.udp_idle = std::chrono::hours(2);
    settings.tcp_idle = std::chrono::hours(2);
    return Engine(settings, std::move(models), std::make_shared<const Policy>(std::move(policy)), source, sink);
  }

  static FlowKey key(std::uint16_t client_port, std::uint16_t server_port = 5000,
                     Transport transport = Transport::udp) {
    FlowKey key;
    key.low = IpAddress::from_ipv4(0x0a000001);
    key.high = IpAddress::from_ipv4(0xc6336401);
    key.port_low = client_port;
    key.port_high = server_port;
    key.transport = transport;
    return key;
  }

  void send(Engine& engine, const FlowKey& key, Kind kind, unsigned first, unsigned last, Timestamp start = kStart) {
    for (unsigned order = first; order < last; ++order) {
      PacketRecord record;
      record.time = start + milliseconds(10 * order);
      record.flow_start = start;
      record.key = key;
      record.start_seen = start_seen_;
      record.order = static_cast<std::uint16_t>(order);
      record.packet = packet(kind, order, record.time);
      engine.on_record(record);
    }
  }

  void end(Engine& engine, const FlowKey& key, Timestamp start = kStart, Duration lasted = seconds(1)) {
    PacketRecord record;
    record.type = PacketRecord::Type::end;
    record.time = start + lasted;
    record.flow_start = start;
    record.key = key;
    record.totals.last = record.time;
    record.totals.closed = true;
    engine.on_record(record);
  }

  FakeSource source;
  Recorder sink;
  bool start_seen_ = true;
};

TEST_F(ProofTest, TheThirdFlowThatAgreesIsBlocked) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 3; ++port) send(engine, key(port), Kind::shout, 0, 8);
  EXPECT_EQ(sink.taken, (std::vector<Taken>{{1, Action::alert, Obstacle::no_proof},
                                            {2, Action::alert, Obstacle::no_proof},
                                            {3, Action::block, Obstacle::none}}));
}

TEST_F(ProofTest, FlowsThatWaitedAreBlockedWhenOthersCome) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 3; ++port) send(engine, key(port), Kind::shout, 0, 8);
  sink.taken.clear();
  engine.advance(kStart + seconds(2));
  EXPECT_EQ(sink.taken, (std::vector<Taken>{{1, Action::block, Obstacle::none}, {2, Action::block, Obstacle::none}}));
  engine.advance(kStart + seconds(3));
  EXPECT_EQ(sink.taken.size(), 2U);
}

TEST_F(ProofTest, FlowsToOtherServersProveNothing) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 9; ++port) send(engine, key(port, 5000 + port), Kind::shout, 0, 8);
  for (const Taken& taken : sink.taken) EXPECT_EQ(taken.obstacle, Obstacle::no_proof);
  EXPECT_EQ(engine.counters().blocks, 0U);
}

TEST_F(ProofTest, FlowsThatContradictTakeTheProofAway) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 4; ++port) {
    send(engine, key(port), Kind::hum, 0, 8);
    end(engine, key(port));
  }
  for (std::uint16_t port = 11; port <= 13; ++port) send(engine, key(port), Kind::shout, 0, 8);
  EXPECT_EQ(engine.counters().blocks, 0U);
  EXPECT_EQ(engine.counters().alerts, 3U);
}

TEST_F(ProofTest, WhatWasSeenAnHourAgoProvesNothing) {
  Engine engine = make();
  for (std::uint16_t port = 1; port <= 2; ++port) {
    send(engine, key(port), Kind::shout, 0, 8);
    end(engine, key(port));
  }
  send(engine, key(3), Kind::shout, 0, 8, kStart + minutes(61));
  EXPECT_EQ(sink.taken.back(), (Taken{3, Action::alert, Obstacle::no_proof}));
}

TEST_F(ProofTest, AFlowThatLastsIsBlocked) {
  Engine engine = make();
  send(engine, key(1), Kind::shout, 0, 8);
  FlowTotals totals;
  totals.last = kStart + minutes(9);
  source.known[key(1)] = totals;
  engine.advance(kStart + minutes(11));  // old, but silent for two minutes
  EXPECT_EQ(engine.counters().blocks, 0U);
  source.known[key(1)].last = kStart + minutes(12);
  engine.advance(kStart + minutes(12));
  EXPECT_EQ(sink.taken.back(), (Taken{1, Action::block, Obstacle::none}));
}

TEST_F(ProofTest, AFlowThatLastedIsBlockedAtItsEnd) {
  Engine engine = make();
  send(engine, key(1), Kind::shout, 0, 8);
  end(engine, key(1), kStart, minutes(10));
  EXPECT_EQ(sink.taken.back(), (Taken{1, Action::block, Obstacle::none}));
}

TEST_F(ProofTest, ALearnedSiteNeedsNoOtherProof) {
  Engine engine = make();
  engine.set_site_learned(true);
  send(engine, key(1), Kind::shout, 0, 8);
  EXPECT_EQ(sink.taken, (std::vector<Taken>{{1, Action::block, Obstacle::none}}));
}

TEST_F(ProofTest, AModelThatHasSeenLittleDoesNotBlock) {
  ModelDatabase database;
  train(database, Kind::shout, "shout", Transport::udp, Category::tunnel).captures = 1;
  train(database, Kind::hum, "hum", Transport::udp, Category::plain);
  Engine engine = make({}, blocking_policy(), models_of(database));
  engine.set_site_learned(true);
  for (std::uint16_t port = 1; port <= 4; ++port) send(engine, key(port), Kind::shout, 0, 8);
  engine.advance(kStart + minutes(20));
  for (const Taken& taken : sink.taken) EXPECT_EQ(taken.obstacle, Obstacle::little_evidence);
  EXPECT_EQ(engine.counters().blocks, 0U);
}

TEST_F(ProofTest, TooManyFlowsThatAwaitProofAreCounted) {
  EngineSettings settings;
  settings.awaiting_proof = 2;
  Engine engine = make(settings);
  for (std::uint16_t port = 1; port <= 5; ++port) send(engine, key(port, 5000 + port), Kind::shout, 0, 8);
  EXPECT_EQ(engine.counters().proofs_forgotten, 3U);
}

TEST_F(ProofTest, AShortFlowGetsTheNameThatItsServerHas) {
  Engine engine = make();
  send(engine, key(1), Kind::noise, 0, 1);
  end(engine, key(1));
  ASSERT_EQ(sink.ended.back().label, "");
  for (std::uint16_t port = 11; port <= 13; ++port) {
    send(engine, key(port), Kind::hum, 0, 8);
    end(engine, key(port));
  }
  send(engine, key(2), Kind::noise, 0, 1);
  end(engine, key(2));
  EXPECT_EQ(sink.ended.back().label, "hum");
  EXPECT_EQ(sink.ended.back().verdict.basis, LabelBasis::endpoint);
  send(engine, key(3), Kind::noise, 0, 12);
  end(engine, key(3));
  EXPECT_EQ(sink.ended.back().label, "");  // long enough to speak for itself
}

TEST_F(ProofTest, ANameFromTheServerNeverBlocks) {
  Policy policy = blocking_policy();
  policy.rules[0].match.min_score = -20;
  policy.rules[0].match.min_margin = 0;
  policy.rules[0].match.min_payload_packets = 0;
  Engine engine = make({}, policy);
  engine.set_site_learned(true);
  for (std::uint16_t port = 11; port <= 14; ++port) {
    send(engine, key(port), Kind::shout, 0, 8);
    end(engine, key(port));
  }
  sink.taken.clear();
  send(engine, key(1), Kind::noise, 0, 1);
  end(engine, key(1));
  ASSERT_EQ(sink.ended.back().label, "shout");
  for (const Taken& taken : sink.taken) EXPECT_NE(taken.action, Action::block);
}

TEST_F(ProofTest, TheNameOfAServerCanBeSwitchedOffOrSaveTheScoring) {
  for (const EndpointLabels labels : {EndpointLabels::off, EndpointLabels::decide}) {
    EngineSettings settings;
    settings.endpoint_labels = labels;
    Engine engine = make(settings);
    for (std::uint16_t port = 1; port <= 3; ++port) {
      send(engine, key(port), Kind::hum, 0, 8);
      end(engine, key(port));
    }
    const std::uint64_t before = engine.counters().matches;
    for (std::uint16_t port = 100; port < 164; ++port) {
      send(engine, key(port), Kind::hum, 0, 8);
      end(engine, key(port));
      EXPECT_EQ(sink.ended.back().label, "hum");
    }
    const std::uint64_t matches = engine.counters().matches - before;
    if (labels == EndpointLabels::off) {
      EXPECT_GE(matches, 64U);
    } else {
      EXPECT_GE(matches, 1U);  // some are verified
      EXPECT_LE(matches, 64U);
    }
  }
}

TEST_F(ProofTest, RandomBytesWithoutANameAreFullyEncrypted) {
  Engine engine = make();
  const FlowKey flow = key(1, 5000, Transport::tcp);
  send(engine, flow, Kind::noise, 0, 12);
  end(engine, flow);
  EXPECT_TRUE(sink.ended.back().verdict.fully_encrypted);
  EXPECT_EQ(sink.ended.back().verdict.verdict_class, VerdictClass::fully_encrypted);
}

TEST_F(ProofTest, RandomBytesBetweenHostsThatSpeakFtpAreItsData) {
  for (const bool linked : {true, false}) {
    EngineSettings settings;
    settings.link_ftp_data = linked;
    ModelDatabase database;
    train(database, Kind::shout, "ftp", Transport::tcp, Category::plain);
    train(database, Kind::noise, "obfs4", Transport::tcp, Category::tunnel).family = "obfuscated";
    Engine engine = make(settings, blocking_policy(), models_of(database));
    const FlowKey control = key(1, 2121, Transport::tcp);
    const FlowKey data = key(2, 40000, Transport::tcp);
    send(engine, control, Kind::shout, 0, 8);
    send(engine, data, Kind::noise, 0, 12);
    end(engine, data);
    const Verdict& verdict = sink.ended.back().verdict;
    EXPECT_EQ(verdict.fully_encrypted, !linked);
    EXPECT_EQ(sink.ended.back().label, linked ? "" : "obfs4");
    EXPECT_EQ(verdict.verdict_class, linked ? VerdictClass::unknown : VerdictClass::label);
    EXPECT_EQ(verdict.action, linked ? Action::pass : Action::alert);
    sink.ended.clear();
  }
}

TEST_F(ProofTest, TlsToAHighPortBetweenHostsThatSpeakFtpIsItsData) {
  ModelDatabase database;
  train(database, Kind::shout, "ftps", Transport::tcp, Category::encrypted);
  train(database, Kind::hum, "trojan", Transport::tcp, Category::tunnel).family = "tls-tunnel";
  Engine engine = make({}, blocking_policy(), models_of(database));
  const auto action_of = [&](const FlowKey& data) {
    send(engine, data, Kind::hum, 0, 12);
    end(engine, data);
    return sink.ended.back().verdict.action;
  };
  EXPECT_EQ(action_of(key(2, 40000, Transport::tcp)), Action::alert);
  send(engine, key(1, 990, Transport::tcp), Kind::shout, 0, 8);
  EXPECT_EQ(action_of(key(3, 40000, Transport::tcp)), Action::pass);
  EXPECT_EQ(sink.ended.back().verdict.basis, LabelBasis::ftp_control);
  EXPECT_EQ(action_of(key(4, 443, Transport::tcp)), Action::alert);
}

TEST_F(ProofTest, WhatHasStructureIsNoObfuscatedTunnel) {
  for (const std::string_view family : {"obfuscated", "vpn"}) {
    ModelDatabase database;
    train(database, Kind::shout, "shout", Transport::tcp, Category::plain);
    train(database, Kind::hum, "obfs4", Transport::tcp, Category::tunnel).family = family;
    Engine engine = make({}, blocking_policy(), models_of(database));
    const FlowKey flow = key(1, 5000, Transport::tcp);
    send(engine, flow, Kind::hum, 0, 12);
    end(engine, flow);
    EXPECT_EQ(sink.ended.back().verdict.action, family == "vpn" ? Action::alert : Action::pass);
    EXPECT_EQ(sink.ended.back().label, family == "vpn" ? "obfs4" : "");
  }
}

TEST_F(ProofTest, ATunnelThatDressesUpItsBeginningIsNotNamedWithoutIt) {
  start_seen_ = false;
  for (const std::string_view family : {"obfuscated", "tls-tunnel", "http-tunnel", "vpn"}) {
    ModelDatabase database;
    train(database, Kind::shout, "shout", Transport::tcp, Category::plain);
    train(database, Kind::noise, "tunnel", Transport::tcp, Category::tunnel).family = family;
    Engine engine = make({}, blocking_policy(), models_of(database));
    const FlowKey flow = key(1, 5000, Transport::tcp);
    send(engine, flow, Kind::noise, 0, 12);
    end(engine, flow);
    EXPECT_EQ(sink.ended.back().verdict.action, family == "vpn" ? Action::alert : Action::pass) << family;
    EXPECT_FALSE(sink.ended.back().verdict.fully_encrypted);
  }
}

TEST_F(ProofTest, FtpDataHasItsNameIfThereIsAModelOfIt) {
  ModelDatabase database;
  train(database, Kind::hum, "ftp-data", Transport::tcp, Category::plain);
  Engine engine = make({}, blocking_policy(), models_of(database));
  send(engine, key(1, 21, Transport::tcp), Kind::shout, 0, 8);  // nobody knows it, but its port is 21
  const FlowKey data = key(2, 40000, Transport::tcp);
  send(engine, data, Kind::noise, 0, 12);
  end(engine, data);
  EXPECT_EQ(sink.ended.back().label, "ftp-data");
  EXPECT_EQ(sink.ended.back().verdict.basis, LabelBasis::ftp_control);
}

}  // namespace
}  // namespace spidd
