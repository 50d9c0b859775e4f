// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel as a packet source: what a worker gets to read, and what the kernel does with what it is told.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "tests/bpf/live_network.h"
#include "tests/support/tls_stream.h"
#include "userspace/capture/bpf_datapath.h"

namespace spidd {
namespace {

std::vector<PacketRecord> drain(BpfSource& source) {
  std::vector<PacketRecord> records;
  source.drain([&](const PacketRecord& record) { records.push_back(record); }, 100000);
  return records;
}

class LiveSource : public testing::Test {
 protected:
  void start(const BpfSettings& settings) {
    auto started = BpfDatapath::start(settings);
    ASSERT_TRUE(started) << started.error().message;
    datapath_ = std::make_unique<BpfDatapath>(*std::move(started));
    for (unsigned worker = 0; worker < settings.workers; ++worker) {
      auto source = datapath_->open_source(worker);
      ASSERT_TRUE(source) << source.error().message;
      sources_.push_back(*std::move(source));
    }
    client_ = network_.client_socket();
    server_ = live::Network::server_socket();
  }
  void TearDown() override {
    if (datapath_) {
      EXPECT_TRUE(datapath_->stop());
    }
  }
  unsigned exchange(unsigned count) { return live::exchange(client_.get(), server_.get(), count); }

  live::Network network_;
  BpfSettings settings_ = live::Network::settings();
  std::unique_ptr<BpfDatapath> datapath_;
  std::vector<std::unique_ptr<BpfSource>> sources_;
  UniqueFd client_;
  UniqueFd server_;
};

TEST_F(LiveSource, RecordsSayWhatWasOnTheWire) {
  start(settings_);
  const Timestamp before = wall_clock_now();
  ASSERT_EQ(exchange(1), 1U);
  const Timestamp after = wall_clock_now();
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 2U);
  const PacketRecord& question = records[0];
  EXPECT_EQ(question.type, PacketRecord::Type::payload);
  EXPECT_EQ(question.client().to_string(), "10.77.0.1:40000");
  EXPECT_EQ(question.server().to_string(), "10.77.0.2:5000");
  EXPECT_EQ(question.packet.direction, Direction::to_server);
  EXPECT_FALSE(question.egress);
  EXPECT_TRUE(question.start_seen);
  EXPECT_EQ(question.order, 0);
  EXPECT_EQ(question.packet.offset, 14 + 20 + 8);
  EXPECT_EQ(question.packet.length, 10U);
  EXPECT_EQ(std::string(question.packet.bytes.begin(), question.packet.bytes.begin() + 10), "question 0");
  EXPECT_GE(question.time, before - std::chrono::milliseconds(10));
  EXPECT_LE(question.time, after + std::chrono::milliseconds(10));
  const PacketRecord& answer = records[1];
  EXPECT_EQ(answer.key, question.key);
  EXPECT_EQ(answer.flow_start, question.flow_start);
  EXPECT_EQ(answer.packet.direction, Direction::to_client);
  EXPECT_TRUE(answer.egress);
  EXPECT_EQ(answer.order, 1);
  EXPECT_GE(answer.time, question.time);
}

TEST_F(LiveSource, OnlyTheFirstTwentyPayloadPacketsBecomeRecordsButAllAreCounted) {
  start(settings_);
  ASSERT_EQ(exchange(30), 30U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), kRecordLimit);
  const auto totals = sources_[0]->totals(records[0].key, records[0].flow_start);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->counters.packets[0], 30U);
  EXPECT_EQ(totals->counters.packets[1], 30U);
  EXPECT_EQ(totals->counters.bytes[1], 30U * (20 + 8 + 6));
  EXPECT_EQ(totals->payload_packets, 60U);
}

TEST_F(LiveSource, ADecidedFlowSendsNoMoreRecords) {
  start(settings_);
  ASSERT_EQ(exchange(2), 2U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 4U);
  sources_[0]->decided(records[0].key, records[0].flow_start);
  drain(*sources_[0]);
  EXPECT_EQ(sources_[0]->verdicts_missed(), 0U);
  ASSERT_EQ(exchange(2), 2U);
  EXPECT_EQ(drain(*sources_[0]).size(), 0U);
}

TEST_F(LiveSource, SizesThatAreWantedComeUpToTheHundredthPayloadPacket) {
  start(settings_);
  ASSERT_EQ(exchange(2), 2U);
  const auto first = drain(*sources_[0]);
  ASSERT_EQ(first.size(), 4U);
  sources_[0]->sizes_wanted(first[0].key, first[0].flow_start);
  drain(*sources_[0]);
  ASSERT_EQ(exchange(60), 60U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), kSizesLimit - 4);
  EXPECT_EQ(records.back().order, kSizesLimit - 1);
  EXPECT_EQ(records.back().packet.captured, 0);
  EXPECT_GT(records.back().packet.length, 0U);
  EXPECT_EQ(sources_[0]->undecodable() + sources_[0]->verdicts_missed(), 0U);
}

// A host sends many segments as one packet whose payload is not in the linear part of its buffer.
TEST_F(LiveSource, FindsTheTlsRecordsOfWhatTheHostItselfSends) {
  start(settings_);
  const test::Bytes stream = test::tls_stream({{22, 90},
                                               {20, 1},
                                               {23, 23},
                                               {23, 2200},
                                               {23, 281},
                                               {23, 37},
                                               {23, 4096},
                                               {23, 700},
                                               {23, 700},
                                               {23, 700},
                                               {23, 8000},
                                               {21, 2}});
  const auto ends = network_.connected_streams();
  ASSERT_EQ(::send(ends.server.get(), stream.data(), stream.size(), 0), static_cast<ssize_t>(stream.size()));
  test::Bytes received(stream.size());
  ASSERT_EQ(::recv(ends.client.get(), received.data(), received.size(), MSG_WAITALL),
            static_cast<ssize_t>(stream.size()));

  std::size_t seen = 0, header = 0, found = 0;
  for (const PacketRecord& record : drain(*sources_[0])) {
    if (record.type != PacketRecord::Type::payload || record.key.transport != Transport::tcp) continue;
    SCOPED_TRACE(record.order);
    const std::size_t end = seen + record.packet.length;
    unsigned count = 0;
    for (; header < end && header + 5 <= end; ++count, ++found) {
      ASSERT_LT(count, record.packet.tls.count);
      const std::size_t length = stream[header + 3] * 256U + stream[header + 4];
      EXPECT_EQ(record.packet.tls.type(count), stream[header]);
      EXPECT_EQ(record.packet.tls.lengths[count], length);
      header += 5 + length;
    }
    EXPECT_EQ(count, record.packet.tls.count);
    seen = end;
  }
  EXPECT_EQ(seen, stream.size());
  EXPECT_EQ(found, 12U);
}

TEST_F(LiveSource, AVerdictOnAnotherFlowOfTheSameFiveTupleIsMissed) {
  start(settings_);
  ASSERT_EQ(exchange(1), 1U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 2U);
  const Timestamp other_start = records[0].flow_start - std::chrono::seconds(1);
  sources_[0]->decided(records[0].key, other_start);
  drain(*sources_[0]);
  EXPECT_EQ(sources_[0]->verdicts_missed(), 1U);
  EXPECT_FALSE(sources_[0]->totals(records[0].key, other_start));
  ASSERT_EQ(exchange(1), 1U);
  EXPECT_EQ(drain(*sources_[0]).size(), 2U);
}

TEST_F(LiveSource, AFiveTupleUsedAgainAfterSilenceIsANewFlow) {
  settings_.udp_idle = std::chrono::milliseconds(100);
  start(settings_);
  ASSERT_EQ(exchange(1), 1U);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ASSERT_EQ(exchange(1), 1U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 5U);
  EXPECT_EQ(records[2].type, PacketRecord::Type::end);
  EXPECT_EQ(records[2].flow_start, records[0].flow_start);
  EXPECT_EQ(records[2].totals.counters.packets[0], 1U);
  EXPECT_GT(records[3].flow_start, records[0].flow_start);
  EXPECT_EQ(records[3].order, 0);
}

TEST_F(LiveSource, AFlowTheEngineHasEndedSendsNoEndRecord) {
  settings_.udp_idle = std::chrono::milliseconds(100);
  start(settings_);
  ASSERT_EQ(exchange(1), 1U);
  const auto first = drain(*sources_[0]);
  ASSERT_EQ(first.size(), 2U);
  sources_[0]->ended(first[0].key, first[0].flow_start);
  drain(*sources_[0]);
  EXPECT_EQ(sources_[0]->totals(first[0].key, first[0].flow_start)->payload_packets, 2U);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ASSERT_EQ(exchange(1), 1U);
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].type, PacketRecord::Type::payload);
  EXPECT_EQ(records[0].order, 0);
}

TEST_F(LiveSource, AFullRingLosesRecordsCountsThemAndDelaysNobody) {
  settings_.ring_bytes = 4096;  // 24 records
  settings_.max_flows = 1024;
  start(settings_);
  for (std::uint16_t port = 41000; port < 41005; ++port) {
    const UniqueFd client = network_.client_socket(live::kServerPort, port);
    ASSERT_EQ(live::exchange(client.get(), server_.get(), 4), 4U);
  }
  const auto counters = datapath_->counters();
  ASSERT_TRUE(counters);
  const std::uint64_t sent = counters->sum(DatapathCounter::records_sent);
  EXPECT_EQ(sent + counters->sum(DatapathCounter::records_lost), 40U);
  EXPECT_GT(counters->sum(DatapathCounter::records_lost), 0U);
  EXPECT_EQ(drain(*sources_[0]).size(), sent);
  // The ring is free again.
  const UniqueFd client = network_.client_socket(live::kServerPort, 41010);
  ASSERT_EQ(live::exchange(client.get(), server_.get(), 2), 2U);
  EXPECT_EQ(drain(*sources_[0]).size(), 4U);
}

TEST_F(LiveSource, TheRingIsReadPastItsEnd) {
  settings_.ring_bytes = 4096;
  start(settings_);
  unsigned records = 0;
  for (std::uint16_t port = 42000; port < 42040; ++port) {
    const UniqueFd client = network_.client_socket(live::kServerPort, port);
    ASSERT_EQ(live::exchange(client.get(), server_.get(), 3), 3U);
    for (const PacketRecord& record : drain(*sources_[0])) {
      EXPECT_EQ(record.client().port, port);
      ++records;
    }
  }
  EXPECT_EQ(records, 240U);
  EXPECT_EQ(sources_[0]->undecodable(), 0U);
  EXPECT_EQ(sources_[0]->pending_bytes(), 0U);
}

TEST_F(LiveSource, ADrainStopsAtItsLimit) {
  start(settings_);
  ASSERT_EQ(exchange(5), 5U);
  unsigned handled = 0;
  EXPECT_EQ(sources_[0]->drain([&](const PacketRecord&) { ++handled; }, 3), 3U);
  EXPECT_EQ(handled, 3U);
  EXPECT_EQ(drain(*sources_[0]).size(), 7U);
}

TEST_F(LiveSource, AllRecordsOfAFlowComeToOneWorker) {
  settings_.workers = 3;
  start(settings_);
  for (std::uint16_t port = 43000; port < 43030; ++port) {
    const UniqueFd client = network_.client_socket(live::kServerPort, port);
    ASSERT_EQ(live::exchange(client.get(), server_.get(), 2), 2U);
  }
  std::map<FlowKey, std::set<std::size_t>> workers_of;
  std::size_t busy = 0;
  for (std::size_t worker = 0; worker < sources_.size(); ++worker) {
    const auto records = drain(*sources_[worker]);
    busy += records.empty() ? 0 : 1;
    for (const PacketRecord& record : records) workers_of[record.key].insert(worker);
  }
  EXPECT_EQ(workers_of.size(), 30U);
  EXPECT_EQ(busy, 3U);
  for (const auto& [key, workers] : workers_of) EXPECT_EQ(workers.size(), 1U);
  EXPECT_FALSE(datapath_->open_source(0));
}

TEST_F(LiveSource, CountersPortsAndFlowsCanBeRead) {
  settings_.port_counters = true;
  start(settings_);
  ASSERT_EQ(exchange(4), 4U);
  const auto counters = datapath_->counters();
  ASSERT_TRUE(counters) << counters.error().message;
  EXPECT_GE(counters->of(HookDirection::ingress, DatapathCounter::seen_packets), 4U);
  EXPECT_EQ(counters->of(HookDirection::ingress, DatapathCounter::records_sent), 4U);
  EXPECT_EQ(counters->of(HookDirection::egress, DatapathCounter::records_sent), 4U);
  EXPECT_EQ(counters->sum(DatapathCounter::flows_created), 1U);
  EXPECT_EQ(counters->sum(DatapathCounter::unknown_interface), 0U);
  EXPECT_EQ(counters->sum(DatapathCounter::dropped_packets), 0U);

  const auto ports = datapath_->ports();
  ASSERT_TRUE(ports) << ports.error().message;
  ASSERT_EQ(ports->size(), 2U);
  EXPECT_EQ((*ports)[0].hook, HookDirection::ingress);
  EXPECT_EQ((*ports)[0].transport, Transport::udp);
  EXPECT_EQ((*ports)[0].port, live::kServerPort);
  EXPECT_EQ((*ports)[0].packets, 4U);
  EXPECT_EQ((*ports)[0].bytes, 4U * (20 + 8 + 10));
  EXPECT_EQ((*ports)[0].attempts, 1U);
  EXPECT_EQ((*ports)[1].port, live::kClientPort);

  std::vector<KernelFlow> flows;
  const auto visited = datapath_->flows(100, [&](const KernelFlow& flow) { flows.push_back(flow); });
  ASSERT_TRUE(visited) << visited.error().message;
  ASSERT_EQ(*visited, 1U);
  EXPECT_EQ(flows[0].totals.counters.packets[0], 4U);
  EXPECT_EQ(flows[0].client_is_low, true);
  EXPECT_FALSE(flows[0].decided);
  EXPECT_EQ(datapath_->flows(0, [](const KernelFlow&) {}).value(), 0U);
}

TEST_F(LiveSource, AnInterfaceWithoutEthernetIsParsedFromTheIpHeader) {
  const UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, "tun7");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  ASSERT_EQ(::ioctl(tun.get(), TUNSETIFF, &request), 0);
  ASSERT_TRUE(live::run({"ip addr add 10.78.0.1/24 dev tun7", "ip link set tun7 up"}));
  settings_.interfaces = {"tun7"};
  start(settings_);

  // IPv4 and UDP, 10.78.0.2:40009 to 10.78.0.1:5000, four bytes.
  const std::array<std::uint8_t, 32> packet = {0x45, 0,    0,  32, 0, 0,  0,   0,   64,  17,   0,
                                               0,    10,   78, 0,  2, 10, 78,  0,   1,   0x9c, 0x49,
                                               0x13, 0x88, 0,  12, 0, 0,  'p', 'i', 'n', 'g'};
  ASSERT_EQ(::write(tun.get(), packet.data(), packet.size()), static_cast<ssize_t>(packet.size()));
  const auto records = drain(*sources_[0]);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].client().to_string(), "10.78.0.2:40009");
  EXPECT_EQ(records[0].server().to_string(), "10.78.0.1:5000");
  EXPECT_EQ(records[0].packet.length, 4U);
  EXPECT_EQ(records[0].packet.bytes[0], 'p');
}

}  // namespace
}  // namespace spidd
