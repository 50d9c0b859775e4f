// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/replay.h"

#include <gtest/gtest.h>

#include <random>

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
    record.key.high = IpAddress::from_ipv4(0xc6336401);
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

TEST(Replay, NothingFedIsNothingSaid) { EXPECT_EQ(replay({}, 2), ""); }

}  // namespace
}  // namespace spidd
