// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <thread>

#include "tests/unit/engine/engine_doubles.h"

namespace spidd {
namespace {

const Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};

class LineWriter final : public ReplayWriter {
 public:
  void decision(const FlowView& view, const Decision&, std::string& out) override {
    out += fmt::format("decision {}\n", view.flow.key.port_low);
  }
  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason, std::string& out) override {
    out += fmt::format("{} {} {} {}\n", view.flow.key.port_low, view.label ? view.label->label : "-",
                       view.flow.verdict.payload_packets, totals.counters.packets[0]);
  }
};

std::shared_ptr<const Matcher> one_model() {
  ModelDatabase database;
  AttributeMeters meters;
  Fingerprint fingerprint;
  std::vector<PayloadPacket> packets(4);
  for (PayloadPacket& packet : packets) {
    packet.length = 64;
    packet.captured = 64;
  }
  meters.measure(packets, fingerprint);
  ProtocolModel& model = database.find_or_add("zeros", Transport::tcp, Category::plain, "zeros");
  model.add(fingerprint);
  model.captures = 1;
  return std::make_shared<const Matcher>(Matcher::build(database).value());
}

// Ten thousand records of two hundred flows, interleaved; flows end with an end record.
std::vector<PacketRecord> stream() {
  std::mt19937 random(7);
  std::vector<PacketRecord> records;
  std::vector<unsigned> orders(200);
  for (unsigned i = 0; i < 10000; ++i) {
    const auto port = static_cast<std::uint16_t>(random() % 200);
    PacketRecord record;
    record.time = kStart + std::chrono::milliseconds(20 * i);
    record.flow_start = kStart + std::chrono::milliseconds(port);
    record.key.low = IpAddress::from_ipv4(0x0a000001);
    record.key.high = IpAddress::from_ipv4(0xc6336401 + port % 7);
    record.key.port_low = port;
    record.order = static_cast<std::uint16_t>(orders[port]++);
    record.packet.length = random() % 3 == 0 ? 64 : 1200;
    record.packet.captured = 64;
    record.packet.direction = random() % 2 == 0 ? Direction::to_server : Direction::to_client;
    for (auto& byte : record.packet.bytes) byte = static_cast<std::uint8_t>(port % 2 == 0 ? 0 : random());
    if (orders[port] > 30) {
      record.type = PacketRecord::Type::end;
      record.totals.counters.packets[0] = orders[port];
      record.totals.last = record.time;
      orders[port] = 0;
    }
    records.push_back(record);
  }
  return records;
}

std::string replay(const std::vector<PacketRecord>& records, unsigned workers) {
  std::string out;
  Replay replay(
      {.engine = {}, .workers = workers}, one_model(), std::make_shared<const Policy>(builtin_policy()),
      [] { return std::make_unique<LineWriter>(); }, [&](std::string_view lines) { out += lines; });
  for (const PacketRecord& record : records) replay.feed(record);
  replay.finish();
  return out;
}

TEST(Replay, SaysTheSameOnAnyNumberOfThreads) {
  const auto records = stream();
  const std::string one = replay(records, 1);
  EXPECT_GT(std::count(one.begin(), one.end(), '\n'), 200);
  EXPECT_EQ(replay(records, 2), one);
  EXPECT_EQ(replay(records, 5), one);
}

// Tunnels to few servers from many clients: whether a flow is the third to its server decides whether it is blocked.
// What others have to say of every third record and of a time without records, among what the engines say.
std::string replay_with_asides(unsigned workers, std::size_t bytes) {
  std::string out;
  Replay replay(
      {.engine = {}, .workers = workers}, one_model(), std::make_shared<const Policy>(builtin_policy()),
      [] { return std::make_unique<LineWriter>(); }, [&](std::string_view lines) { out += lines; });
  unsigned number = 0;
  for (const PacketRecord& record : stream()) {
    replay.feed(record);
    if (++number % 3 == 0) replay.say(fmt::format("aside {}{}\n", number, std::string(bytes, '.')));
  }
  replay.say("the last\n");
  replay.finish();
  return out;
}

TEST(Replay, PutsAsidesBetweenTheRecordsTheyWereSaidBetween) {
  const std::string alone = replay_with_asides(1, 0);
  EXPECT_EQ(replay_with_asides(3, 0), alone);
  EXPECT_NE(alone.find("aside 9999\n"), std::string::npos);
  // Each aside once and in order, the last before what the end makes the engines say.
  std::string only_asides;
  std::string only_engines;
  std::istringstream lines(alone);
  for (std::string line; std::getline(lines, line);)
    (line.starts_with("aside") ? only_asides : only_engines) += line + '\n';
  std::string expected;
  for (unsigned number = 3; number <= 10000; number += 3) expected += fmt::format("aside {}\n", number);
  EXPECT_EQ(only_asides, expected);
  EXPECT_EQ(only_engines.erase(only_engines.find("the last\n"), 9), replay(stream(), 2));
}

TEST(Replay, LongAsidesDoNotWaitForAFullBatch) { EXPECT_EQ(replay_with_asides(3, 5000), replay_with_asides(1, 5000)); }

TEST(Replay, BlocksTheSameFlowsOnAnyNumberOfThreads) {
  ModelDatabase database;
  AttributeMeters meters;
  Fingerprint fingerprint;
  const auto packet_of = [](bool tunnel, unsigned order, Timestamp time) {
    PayloadPacket packet;
    packet.time = time;
    packet.length = tunnel ? 60 + order : 400 + 10 * order;
    packet.captured = static_cast<std::uint8_t>(std::min(64U, packet.length));
    packet.direction = order % 2 == 0 ? Direction::to_server : Direction::to_client;
    for (unsigned i = 0; i < packet.captured; ++i)
      packet.bytes[i] = static_cast<std::uint8_t>(tunnel ? 'A' + (i + order) % 26 : (i * 37 + order * 11) & 0x9f);
    return packet;
  };
  for (const bool tunnel : {true, false}) {
    ProtocolModel& model = database.find_or_add(tunnel ? "shout" : "hum", Transport::tcp,
                                                tunnel ? Category::tunnel : Category::plain, tunnel ? "shout" : "hum");
    for (unsigned flow = 0; flow < 15; ++flow) {
      std::vector<PayloadPacket> packets;
      for (unsigned order = 0; order < 8; ++order) packets.push_back(packet_of(tunnel, order, kStart));
      meters.measure(packets, fingerprint);
      model.add(fingerprint);
    }
    model.captures = 2;
  }
  const auto matcher = std::make_shared<const Matcher>(Matcher::build(database).value());
  const Policy policy = tunnel_blocking_policy();

  std::mt19937 random(11);
  std::vector<PacketRecord> records;
  for (unsigned flow = 0; flow < 4000; ++flow) {
    const auto server = static_cast<unsigned>(random() % 40);
    const auto client = static_cast<unsigned>(random() % 50);
    const bool tunnel = server % 2 == 0 && random() % 8 != 0;
    for (unsigned order = 0; order < 10; ++order) {
      PacketRecord record;
      record.time = kStart + std::chrono::milliseconds(3 * flow + 20 * order);
      record.flow_start = kStart + std::chrono::milliseconds(3 * flow);
      record.key.low = IpAddress::from_ipv4(0x0a000001 + client);
      record.key.high = IpAddress::from_ipv4(0xc6336401 + server);
      record.key.port_low = static_cast<std::uint16_t>(flow + 1);
      record.key.port_high = 443;
      record.order = static_cast<std::uint16_t>(order);
      record.packet = packet_of(tunnel, order, record.time);
      records.push_back(record);
    }
  }
  std::ranges::stable_sort(records, {}, &PacketRecord::time);

  class DecisionWriter final : public ReplayWriter {
   public:
    void decision(const FlowView& view, const Decision& decision, std::string& out) override {
      out += fmt::format("{} {}\n", action_name(decision.action), view.flow.key.port_low);
    }
    void flow_ended(const FlowView&, const FlowTotals&, EndReason, std::string&) override {}
  };
  const auto run = [&](unsigned workers, bool slowly) {
    std::string out;
    Replay replay(
        {.engine = {}, .workers = workers}, matcher, std::make_shared<const Policy>(policy),
        [] { return std::make_unique<DecisionWriter>(); }, [&](std::string_view lines) { out += lines; });
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (slowly && i % 9000 == 5000) std::this_thread::sleep_for(std::chrono::milliseconds(320));
      replay.feed(records[i]);
    }
    replay.finish();
    return out;
  };
  const std::string one = run(1, false);
  EXPECT_NE(one.find("drop "), std::string::npos);
  EXPECT_NE(one.find("alert "), std::string::npos);
  EXPECT_EQ(run(3, false), one);
  EXPECT_EQ(run(8, false), one);
  EXPECT_EQ(run(2, true), one);  // as from a pipe
}

TEST(Replay, NothingFedIsNothingSaid) { EXPECT_EQ(replay({}, 2), ""); }

}  // namespace
}  // namespace spidd
