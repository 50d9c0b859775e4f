// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Flows in the kernel: entries, directions, ends, records, super-packets, budget, and the program flow_verdict.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "tests/bpf/datapath.h"

namespace spidd::test {
namespace {

constexpr const char* kClient = "10.0.0.9";
constexpr const char* kServer = "10.0.0.2";

PacketBuilder to_server() { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443); }
PacketBuilder to_client() { return PacketBuilder().ipv4(kServer, kClient).tcp(443, 40000); }
PacketBuilder datagram() { return PacketBuilder().ipv4(kClient, kServer).udp(40000, 53); }

class FlowTest : public testing::Test {
 protected:
  spidd_flow flow() { return datapath_.flow(key_of(to_server().build())).value(); }

  // About the flow of `record`.
  void mark(const spidd_record& record, spidd_mark mark) {
    spidd_verdict_request request{};
    request.count = 1;
    request.items[0] = {record.key, record.flow_start_ns, static_cast<__u32>(mark), 0};
    ASSERT_EQ(datapath_.mark(request), 0);
  }

  Datapath& datapath_ = Datapath::fresh();
};

TEST_F(FlowTest, FollowsAConnectionFromSynToFin) {
  datapath_.ingress(to_server().flags("S").seq(100).build());
  datapath_.egress(to_client().flags("SA").seq(500).build());
  datapath_.ingress(to_server().flags("A").seq(101).build());
  datapath_.ingress(to_server().flags("PA").seq(101).payload("hello").build());
  datapath_.egress(to_client().flags("PA").seq(501).payload("world!").build());
  EXPECT_EQ(datapath_.flows(), 1U);
  datapath_.ingress(to_server().flags("FA").seq(106).build());
  datapath_.egress(to_client().flags("FA").seq(507).build());
  datapath_.ingress(to_server().flags("A").seq(107).build());

  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].type, SPIDD_RECORD_PAYLOAD);
  EXPECT_EQ(records[0].direction, SPIDD_TO_SERVER);
  EXPECT_EQ(records[0].order, 0U);
  EXPECT_EQ(records[0].payload_length, 5U);
  EXPECT_EQ(records[0].payload_offset, 54U);
  EXPECT_EQ(records[0].captured, 5U);
  EXPECT_EQ(records[0].tcp_seq, 101U);
  EXPECT_EQ(records[0].flags, SPIDD_RECORD_START_SEEN | SPIDD_RECORD_ANSWERED) << "the client is the higher address";
  EXPECT_EQ(std::memcmp(records[0].payload, "hello\0\0", 7), 0) << "zero beyond what was captured";
  EXPECT_EQ(records[1].direction, SPIDD_TO_CLIENT);
  EXPECT_EQ(records[1].order, 1U);
  EXPECT_EQ(records[1].flags, SPIDD_RECORD_START_SEEN | SPIDD_RECORD_EGRESS | SPIDD_RECORD_ANSWERED);
  EXPECT_EQ(records[2].type, SPIDD_RECORD_END);
  EXPECT_EQ(records[2].totals.packets[SPIDD_TO_SERVER], 4U);
  EXPECT_EQ(records[2].totals.packets[SPIDD_TO_CLIENT], 3U);
  EXPECT_EQ(records[2].totals.bytes[SPIDD_TO_SERVER], 4U * 40 + 5);
  EXPECT_EQ(records[2].totals.payload_packets, 2U);
  EXPECT_EQ(records[2].flow_start_ns, records[0].flow_start_ns);
  EXPECT_EQ(flow().packets[SPIDD_TO_SERVER], 5U) << "what comes after the end still counts";
  EXPECT_EQ(datapath_.counter(SPIDD_ENDS_SENT, SPIDD_HOOK_EGRESS), 1U);
}

TEST_F(FlowTest, EndsOnceWithReset) {
  datapath_.ingress(to_server().flags("S").build());
  datapath_.ingress(to_client().flags("RA").seq(0).build());
  datapath_.ingress(to_client().flags("RA").seq(0).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].type, SPIDD_RECORD_END);
  EXPECT_NE(records[0].totals.flags & SPIDD_FLOW_RESET, 0);
}

TEST_F(FlowTest, ASynAfterTheEndStartsAnew) {
  datapath_.ingress(to_server().flags("S").seq(1).build());
  datapath_.ingress(to_client().flags("RA").seq(0).build());
  datapath_.ingress(to_server().flags("S").seq(9000).build());
  datapath_.ingress(to_server().flags("A").seq(9001).payload_size(1).build());
  EXPECT_EQ(datapath_.counter(SPIDD_FLOWS_RESTARTED), 1U);
  EXPECT_EQ(flow().packets[SPIDD_TO_SERVER], 2U);
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 2U) << "the end was out already";
  EXPECT_EQ(records[1].order, 0U);
}

TEST_F(FlowTest, SilenceStartsAUdpFlowAnew) {
  datapath_.settings().udp_idle_ns = 20000000;
  datapath_.apply();
  datapath_.ingress(datagram().payload_size(1).build());
  const std::uint64_t sent = coarse_now_ns();
  while (coarse_now_ns() < sent + 40000000) {
  }
  datapath_.ingress(datagram().payload_size(2).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1].type, SPIDD_RECORD_END);
  EXPECT_EQ(records[1].flow_start_ns, records[0].flow_start_ns);
  EXPECT_EQ(records[2].order, 0U);
  EXPECT_GT(records[2].flow_start_ns, records[0].flow_start_ns);
}

TEST_F(FlowTest, RecordsOnlyTheFirstTwentyPayloadPackets) {
  for (int i = 0; i < 25; ++i) datapath_.ingress(datagram().payload_size(100).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 20U);
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].order, i);
  EXPECT_EQ(records[0].captured, 64U);
  const auto entry = datapath_.flow(key_of(datagram().build())).value();
  EXPECT_EQ(entry.payload_packets, 25U);
  EXPECT_EQ(entry.packets[SPIDD_TO_SERVER], 25U);
}

TEST_F(FlowTest, EmptyPayloadIsNotRecorded) {
  datapath_.ingress(to_server().flags("A").pad_to(60).build());
  datapath_.ingress(datagram().pad_to(60).build());
  EXPECT_TRUE(datapath_.records().empty()) << "padding is no payload";
}

TEST_F(FlowTest, RetransmissionsAndKeepAlivesAreNotRecorded) {
  datapath_.ingress(to_server().seq(1000).payload_size(100).build());
  datapath_.ingress(to_server().seq(1000).payload_size(100).build());
  datapath_.ingress(to_server().seq(1050).payload_size(50).build());
  datapath_.ingress(to_server().seq(1099).payload_size(1).build());
  datapath_.ingress(to_server().seq(1050).payload_size(60).build());
  EXPECT_EQ(datapath_.counter(SPIDD_RETRANSMISSIONS), 3U);
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].order, 1U);
  EXPECT_EQ(records[1].payload_length, 60U);
}

TEST_F(FlowTest, SequenceNumbersMayWrap) {
  datapath_.ingress(to_server().seq(0xffffffc0).payload_size(100).build());
  datapath_.ingress(to_server().seq(0x24).payload_size(100).build());
  datapath_.ingress(to_server().seq(0xffffffc0).payload_size(100).build());
  EXPECT_EQ(datapath_.records().size(), 2U);
  EXPECT_EQ(datapath_.counter(SPIDD_RETRANSMISSIONS), 1U);
}

TEST_F(FlowTest, OnePacketFarAheadDoesNotHideTheRest) {
  datapath_.ingress(to_server().seq(1000).payload_size(10).build());
  datapath_.ingress(to_server().seq(1000 + (1U << 30U)).payload_size(10).build());
  datapath_.ingress(to_server().seq(1010).payload_size(10).build());
  EXPECT_EQ(datapath_.records().size(), 3U);
}

TEST_F(FlowTest, TheClientIsTheSynSenderElseTheHigherPort) {
  datapath_.ingress(to_client().flags("SA").build());
  EXPECT_EQ(flow().flags & SPIDD_FLOW_CLIENT_IS_LO, 0) << "the receiver of a SYN-ACK";
  datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).udp(53, 40000).payload_size(1).build());
  EXPECT_EQ(datapath_.flow(key_of(datagram().build()))->packets[SPIDD_TO_CLIENT], 1U);
  datapath_.ingress(PacketBuilder().ipv4(kServer, kClient).udp(5000, 6000).payload_size(1).build());
  EXPECT_EQ(datapath_.flow(key_of(PacketBuilder().ipv4(kServer, kClient).udp(5000, 6000).build()))->packets[0], 1U);
}

TEST_F(FlowTest, EchoIsAFlowOfItsIdentifier) {
  datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 77, 1).payload_size(56).build());
  datapath_.egress(PacketBuilder().ipv4(kServer, kClient).icmp(0, 0, 77, 1).payload_size(56).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].direction, SPIDD_TO_SERVER);
  EXPECT_EQ(records[1].direction, SPIDD_TO_CLIENT);
  EXPECT_EQ(records[0].key.port_lo, htons(77));
  EXPECT_EQ(records[0].key.port_hi, htons(77));
  EXPECT_EQ(records[0].payload_offset, 42U);
}

TEST_F(FlowTest, ALoneResetMakesNoEntry) {
  datapath_.ingress(to_client().flags("R").build());
  EXPECT_EQ(datapath_.flows(), 0U);
}

TEST_F(FlowTest, ASuperPacketBecomesTheSegmentsOfTheWire) {
  datapath_.egress(to_client().seq(5000).payload_size(2500).build(), {1000, 3});
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(records[i].order, i);
    EXPECT_EQ(records[i].segment, i);
    EXPECT_EQ(records[i].payload_length, i < 2 ? 1000U : 500U);
    EXPECT_EQ(records[i].tcp_seq, 5000U + i * 1000);
    EXPECT_EQ(records[i].payload_offset, 54U);
    EXPECT_EQ(records[i].payload[0], static_cast<std::uint8_t>(i * 1000));
  }
  EXPECT_EQ(flow().packets[SPIDD_TO_CLIENT], 3U);
  EXPECT_EQ(flow().bytes[SPIDD_TO_CLIENT], 2500U + 3 * 40);
  EXPECT_EQ(datapath_.counter(SPIDD_SEEN_PACKETS, SPIDD_HOOK_EGRESS), 3U);
  EXPECT_EQ(datapath_.counter(SPIDD_SEEN_BYTES, SPIDD_HOOK_EGRESS), 2500U + 3 * 40);
}

TEST_F(FlowTest, ASuperPacketStopsAtTheRecordLimitAndSkipsWhatWasSeen) {
  datapath_.egress(to_client().seq(1).payload_size(150).build(), {100, 2});
  datapath_.egress(to_client().seq(1).payload_size(3000).build(), {100, 30});
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 20U);
  EXPECT_EQ(records[2].segment, 1U) << "the segment that was half seen is new";
  EXPECT_EQ(records[19].order, 19U);
  EXPECT_EQ(flow().payload_packets, 2U + 29U);
}

TEST_F(FlowTest, ADecidedFlowSendsNoMoreRecords) {
  datapath_.ingress(datagram().payload_size(5).build());
  const auto first = datapath_.records();
  ASSERT_EQ(first.size(), 1U);
  spidd_verdict_request request{};
  request.count = 2;
  request.items[0] = {first[0].key, first[0].flow_start_ns + 1, SPIDD_MARK_DECIDED, 0};
  request.items[1] = {first[0].key, first[0].flow_start_ns, SPIDD_MARK_DECIDED, 0};
  ASSERT_EQ(datapath_.mark(request), 0);
  EXPECT_EQ(request.missed, 1U) << "only the flow with that start";
  datapath_.ingress(datagram().payload_size(5).build());
  EXPECT_TRUE(datapath_.records().empty());
  EXPECT_EQ(datapath_.flow(first[0].key)->payload_packets, 2U);
}

TEST_F(FlowTest, MarksAFullBatchAndIgnoresAnImpossibleCount) {
  spidd_verdict_request request{};
  for (std::uint16_t i = 0; i < SPIDD_VERDICT_BATCH; ++i) {
    const Bytes frame = PacketBuilder().ipv4(kClient, kServer).udp(static_cast<std::uint16_t>(2000 + i), 53).build();
    datapath_.ingress(frame);
    request.items[i] = {key_of(frame), datapath_.flow(key_of(frame))->start_ns, SPIDD_MARK_DECIDED, 0};
  }
  request.count = 5000;
  ASSERT_EQ(datapath_.mark(request), 0);
  EXPECT_EQ(request.missed, 0U);
  for (const spidd_verdict_item& item : request.items)
    EXPECT_EQ(datapath_.flow(item.key)->verdict, SPIDD_VERDICT_DECIDED);
}

TEST_F(FlowTest, AFlowWhoseSizesAreWantedGoesOnToAHundredRecordsWithoutBytes) {
  datapath_.ingress(datagram().payload_size(5).build());
  const auto first = datapath_.records();
  ASSERT_EQ(first.size(), 1U);
  mark(first[0], SPIDD_MARK_SIZES);
  for (unsigned i = 1; i < 110; ++i) datapath_.ingress(datagram().payload_size(100 + i).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 99U);
  for (unsigned i = 0; i < 99; ++i) {
    const unsigned order = i + 1;
    EXPECT_EQ(records[i].order, order);
    EXPECT_EQ(records[i].payload_length, 100 + order);
    EXPECT_EQ(records[i].captured, order < SPIDD_RECORD_LIMIT ? 64 : 0) << order;
  }
  EXPECT_EQ(std::count(std::begin(records[98].payload), std::end(records[98].payload), 0), SPIDD_SNAP);
  EXPECT_EQ(datapath_.flow(first[0].key)->payload_packets, 110U);
}

TEST_F(FlowTest, ADecisionEndsTheWishForSizes) {
  for (unsigned i = 0; i < 25; ++i) datapath_.ingress(datagram().payload_size(9).build());
  const auto first = datapath_.records();
  ASSERT_EQ(first.size(), 20U);
  mark(first[0], SPIDD_MARK_SIZES);
  datapath_.ingress(datagram().payload_size(9).build());
  const auto late = datapath_.records();
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].order, 25U) << "a hole where nobody had asked yet";
  mark(first[0], SPIDD_MARK_DECIDED);
  datapath_.ingress(datagram().payload_size(9).build());
  EXPECT_TRUE(datapath_.records().empty());
}

TEST_F(FlowTest, SegmentsOfASuperPacketStopAtAHundredRecords) {
  datapath_.egress(to_client().seq(1).payload_size(10).build());
  mark(datapath_.records().at(0), SPIDD_MARK_SIZES);
  datapath_.egress(to_client().seq(11).payload_size(3000).build(), {20, 150});
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 99U);
  EXPECT_EQ(records[98].order, 99U);
  EXPECT_EQ(records[98].segment, 98U);
  EXPECT_EQ(flow().payload_packets, 151U);
}

TEST_F(FlowTest, AFlowReportedAsEndedSendsNoEndAndLosesNoCounts) {
  datapath_.ingress(to_server().flags("S").build());
  datapath_.ingress(to_server().flags("A").seq(1).payload_size(10).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 1U);
  spidd_record other = records[0];
  ++other.flow_start_ns;
  mark(other, SPIDD_MARK_ENDED);
  EXPECT_EQ(flow().flags & SPIDD_FLOW_END_SENT, 0) << "another flow of the five-tuple";
  mark(records[0], SPIDD_MARK_ENDED);
  EXPECT_NE(flow().flags & SPIDD_FLOW_END_SENT, 0);
  datapath_.ingress(to_server().flags("RA").seq(11).build());
  EXPECT_TRUE(datapath_.records().empty());
  EXPECT_EQ(flow().packets[SPIDD_TO_SERVER], 3U);
}

TEST_F(FlowTest, TheBudgetOfNewFlowsHolds) {
  datapath_.settings().new_flow_limit = 3;
  datapath_.apply();
  for (std::uint16_t port = 1; port <= 5; ++port) {
    EXPECT_EQ(datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).tcp(port, 80).flags("S").build()),
              Verdict::pass);
  }
  // Test runs may move between CPUs, each with its own budget.
  EXPECT_EQ(datapath_.counter(SPIDD_FLOWS_CREATED) + datapath_.counter(SPIDD_FLOW_RATE_LIMITED), 5U);
  EXPECT_GE(datapath_.counter(SPIDD_FLOWS_CREATED), 3U);
  EXPECT_EQ(datapath_.flows(), datapath_.counter(SPIDD_FLOWS_CREATED));
}

TEST_F(FlowTest, AFullRingLosesRecordsButCountsThem) {
  constexpr std::size_t kRoom = kRingBytes / (sizeof(spidd_record) + 8);
  std::size_t sent = 0;
  for (std::uint16_t port = 1; sent <= kRoom; ++port) {
    const Bytes frame = PacketBuilder().ipv4(kClient, kServer).udp(port, 53).payload_size(1).build();
    for (int i = 0; i < 20; ++i, ++sent) EXPECT_EQ(datapath_.ingress(frame), Verdict::pass);
  }
  EXPECT_GT(datapath_.counter(SPIDD_RECORDS_LOST), 0U);
  EXPECT_EQ(datapath_.counter(SPIDD_RECORDS_LOST) + datapath_.counter(SPIDD_RECORDS_SENT), sent);

  datapath_.ingress(to_server().flags("S").build());
  datapath_.ingress(to_server().flags("R").build());
  EXPECT_EQ(datapath_.counter(SPIDD_ENDS_LOST), 1U);
  EXPECT_EQ(datapath_.records().size(), datapath_.counter(SPIDD_RECORDS_SENT));
}

TEST_F(FlowTest, BothDirectionsOfAFlowUseOneRing) {
  datapath_.settings().rings = kRings;
  datapath_.apply();
  std::array<std::size_t, kRings> used{};
  for (std::uint16_t port = 1; port <= 100; ++port) {
    datapath_.ingress(PacketBuilder().ipv4(kClient, kServer).udp(port, 53).payload_size(1).build());
    datapath_.egress(PacketBuilder().ipv4(kServer, kClient).udp(53, port).payload_size(1).build());
    const auto records = datapath_.records_by_ring();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].first, records[1].first);
    ++used[records[0].first];
  }
  for (const std::size_t count : used) EXPECT_GT(count, 10U);
}

TEST_F(FlowTest, DomainsKeepInterfacesApart) {
  datapath_.set_interface(1, 7, false);
  datapath_.ingress(datagram().payload_size(1).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key.domain, 7U);
}

}  // namespace
}  // namespace spidd::test
