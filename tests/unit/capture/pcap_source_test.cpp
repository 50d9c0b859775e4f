// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a capture file gives: the records of the first payload packets, and one end with totals for every flow.
#include "userspace/capture/pcap_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/capture_writer.h"
#include "tests/support/tls_stream.h"
#include "tests/unit/capture/frames.h"

namespace spidd {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1'700'000'000 * kSecond;

Timestamp at(std::uint64_t ns) { return Timestamp{Duration{static_cast<std::int64_t>(ns)}}; }

// A capture whose packets come a millisecond apart unless a test says otherwise.
class Capture {
 public:
  explicit Capture(std::uint32_t link_type = CaptureWriter::kEthernet)
      : writer_(CaptureFormat::pcap_nanoseconds, link_type) {}

  Capture& add(const Bytes& frame, std::size_t captured = SIZE_MAX) {
    writer_.add(now_, frame, captured);
    now_ += 1'000'000;
    return *this;
  }
  Capture& handshake(std::uint16_t port = kClientPort) {
    return add(tcp_up(100, "S", "", port)).add(tcp_down(500, "SA", "", port)).add(tcp_up(101, "A", "", port));
  }
  Capture& pass(std::int64_t ns) {
    now_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(now_) + ns);
    return *this;
  }
  std::vector<std::uint8_t>& bytes() { return writer_.bytes(); }

 private:
  CaptureWriter writer_;
  std::uint64_t now_ = kStart;
};

struct Outcome {
  std::vector<PacketRecord> payloads;
  std::vector<PacketRecord> ends;
  PcapCounters counters;
  std::string damage;
};

class PcapSourceTest : public ::testing::Test {
 protected:
  PcapSource open(Capture& capture, const PcapSource::Settings& settings = {}) {
    files_.push_back(std::make_unique<MemoryFile>(capture.bytes()));
    return PcapSource::open(files_.back()->path(), settings).value();
  }

  Outcome run(Capture& capture, const PcapSource::Settings& settings = {}) {
    Outcome result;
    PcapSource source = open(capture, settings);
    const auto done = source.run([&](const PacketRecord& record) {
      (record.type == PacketRecord::Type::end ? result.ends : result.payloads).push_back(record);
    });
    if (!done) result.damage = done.error().message;
    result.counters = source.counters();
    return result;
  }

 private:
  std::vector<std::unique_ptr<MemoryFile>> files_;
};

TEST_F(PcapSourceTest, GivesTheRecordsAndTheTotalsOfATcpSession) {
  Capture capture;
  capture.handshake();
  capture.add(tcp_up(101, "PA", "hello")).add(tcp_down(501, "PA", "goodbye"));
  capture.add(tcp_up(106, "FA")).add(tcp_down(508, "FA")).add(tcp_up(107, "A"));
  const Outcome result = run(capture);

  ASSERT_EQ(result.payloads.size(), 2U);
  const PacketRecord& first = result.payloads[0];
  EXPECT_EQ(first.time, at(kStart + 3'000'000));
  EXPECT_EQ(first.flow_start, at(kStart));
  EXPECT_EQ(first.client().to_string(), "10.0.0.1:50000");
  EXPECT_EQ(first.server().to_string(), "192.0.2.7:443");
  EXPECT_EQ(first.key.transport, Transport::tcp);
  EXPECT_TRUE(first.start_seen);
  EXPECT_EQ(first.order, 0);
  EXPECT_EQ(first.tcp_seq, 101U);
  EXPECT_EQ(first.tcp_flags, 0x18);
  EXPECT_EQ(first.packet.direction, Direction::to_server);
  EXPECT_EQ(first.packet.length, 5U);
  EXPECT_EQ(first.packet.offset, 54);
  EXPECT_EQ(first.packet.captured, 5);
  EXPECT_EQ(std::string(first.packet.bytes.begin(), first.packet.bytes.begin() + 6), std::string("hello\0", 6));
  EXPECT_EQ(result.payloads[1].order, 1);
  EXPECT_EQ(result.payloads[1].packet.direction, Direction::to_client);

  ASSERT_EQ(result.ends.size(), 1U);
  const FlowTotals& totals = result.ends[0].totals;
  EXPECT_TRUE(totals.closed);
  EXPECT_EQ(totals.payload_packets, 2U);
  EXPECT_EQ(totals.counters.packets[0], 4U);  // the last ACK comes after the end
  EXPECT_EQ(totals.counters.packets[1], 3U);
  EXPECT_EQ(totals.counters.bytes[0], 4U * 40 + 5);
  EXPECT_EQ(totals.last, at(kStart + 6'000'000));
  EXPECT_EQ(result.counters.seen_packets, 8U);
  EXPECT_EQ(result.counters.flows_created, 1U);
}

TEST_F(PcapSourceTest, RecordsTheFirstTwentyPayloadPacketsAndCountsTheRest) {
  Capture capture;
  for (int i = 0; i < 30; ++i) capture.add(i % 2 ? udp_down("answer") : udp_up("query"));
  const Outcome result = run(capture);
  ASSERT_EQ(result.payloads.size(), kRecordLimit);
  for (std::size_t i = 0; i < result.payloads.size(); ++i) EXPECT_EQ(result.payloads[i].order, i);
  ASSERT_EQ(result.ends.size(), 1U);
  EXPECT_EQ(result.ends[0].totals.payload_packets, 30U);
  EXPECT_EQ(result.ends[0].totals.counters.packets[0], 15U);
  EXPECT_FALSE(result.ends[0].totals.closed);
}

TEST_F(PcapSourceTest, DoesNotRecordRetransmissions) {
  Capture capture;
  capture.handshake().add(tcp_up(101, "A", "hello")).add(tcp_up(101, "A", "hello")).add(tcp_up(106, "A", "more"));
  const Outcome result = run(capture);
  EXPECT_EQ(result.payloads.size(), 2U);
  EXPECT_EQ(result.counters.retransmissions, 1U);
}

TEST_F(PcapSourceTest, KeepsTheWireLengthOfPayloadThatTheSnapLengthCut) {
  Capture capture;
  capture.add(udp_up(std::string(1000, 'x')), kEthernetHeader + 28 + 10);
  capture.add(udp_up(std::string(1000, 'x')), kEthernetHeader + 28);
  capture.add(udp_up(std::string(1000, 'x')), kEthernetHeader + 27);
  const Outcome result = run(capture);
  ASSERT_EQ(result.payloads.size(), 2U);
  EXPECT_EQ(result.payloads[0].packet.length, 1000U);
  EXPECT_EQ(result.payloads[0].packet.captured, 10);
  EXPECT_EQ(result.payloads[0].packet.bytes[10], 0);
  EXPECT_EQ(result.payloads[1].packet.captured, 0);
  EXPECT_EQ(result.counters.truncated, 1U);  // not even the header
}

TEST_F(PcapSourceTest, DoesNotTakeEthernetPaddingForPayload) {
  Capture capture;
  Bytes padded = tcp_up(101, "A");
  padded.resize(60, 0);
  capture.handshake().add(padded);
  EXPECT_TRUE(run(capture).payloads.empty());
}

TEST_F(PcapSourceTest, StartsAFiveTupleAnewAfterItsEndAndAfterSilence) {
  Capture capture;
  capture.handshake().add(tcp_up(101, "A", "one")).add(tcp_down(501, "R"));
  capture.handshake().add(tcp_up(101, "A", "two"));
  capture.add(udp_up("one")).pass(121 * static_cast<std::int64_t>(kSecond)).add(udp_up("two"));
  const Outcome result = run(capture);
  ASSERT_EQ(result.payloads.size(), 4U);
  for (const PacketRecord& record : result.payloads) EXPECT_EQ(record.order, 0);
  EXPECT_EQ(result.counters.flows_restarted, 1U);  // the silent one ended before its next packet
  EXPECT_EQ(result.counters.flows_idle, 1U);
  EXPECT_EQ(result.ends.size(), 4U);
  EXPECT_NE(result.payloads[0].flow_start, result.payloads[1].flow_start);
}

TEST_F(PcapSourceTest, EndsASilentFlowWhileOthersGoOn) {
  Capture capture;
  capture.add(udp_up("silent", 40000));
  for (int i = 0; i < 200; ++i) capture.add(udp_up("busy", 40001)).pass(static_cast<std::int64_t>(kSecond));
  PcapSource source = open(capture);
  PacketRecord record;
  PcapSource::Next next;
  while ((next = source.next(record)) == PcapSource::Next::tick || record.type == PacketRecord::Type::payload) {
  }
  ASSERT_EQ(next, PcapSource::Next::record);
  EXPECT_EQ(record.client().port, 40000);
  EXPECT_GT(record.time, at(kStart + 120 * kSecond));
  EXPECT_LT(record.time, at(kStart + 123 * kSecond));
  EXPECT_EQ(record.totals.last, at(kStart));
}

TEST_F(PcapSourceTest, EndsEveryFlowExactlyOnceHoweverSmallTheTable) {
  Capture capture;
  for (std::uint16_t round = 0; round < 3; ++round) {
    for (std::uint16_t port = 1000; port < 1100; ++port) capture.add(udp_up("query", port));
  }
  PcapSource::Settings settings;
  settings.max_flows = 16;
  const Outcome result = run(capture, settings);
  EXPECT_EQ(result.payloads.size(), 300U);
  EXPECT_EQ(result.ends.size(), 300U);
  EXPECT_EQ(result.counters.flows_created, 300U);
  EXPECT_EQ(result.counters.flows_evicted, 300U - 16);
  for (const PacketRecord& end : result.ends) EXPECT_EQ(end.totals.counters.packets[0], 1U);
}

TEST_F(PcapSourceTest, SurvivesAClockThatJumps) {
  Capture capture;
  const auto day = static_cast<std::int64_t>(86'400 * kSecond);
  capture.add(udp_up("one")).add(udp_down("two"));
  capture.pass(-5'000'000).add(udp_up("three, late"));
  capture.pass(-day).add(udp_up("yesterday"));
  capture.pass(3 * day).add(udp_up("the day after tomorrow"));
  const Outcome result = run(capture);
  ASSERT_EQ(result.payloads.size(), 5U);
  EXPECT_LT(result.payloads[2].time, result.payloads[1].time);  // the capture's own time
  EXPECT_EQ(result.payloads[2].order, 2);                       // one flow, a little disorder
  EXPECT_EQ(result.payloads[3].order, 0);
  EXPECT_EQ(result.payloads[4].order, 0);
  ASSERT_EQ(result.ends.size(), 3U);
  for (const PacketRecord& end : result.ends) EXPECT_GE(end.totals.last, end.flow_start);
}

TEST_F(PcapSourceTest, CountsWhatIsNoFlow) {
  Capture capture;
  const auto packet = [] { return PacketBuilder().ipv4(kClient, kServer); };
  capture.add(PacketBuilder().ether_type(0x0806).payload_size(28).build());  // ARP
  capture.add(packet().protocol(47).payload_size(20).build());               // GRE
  capture.add(Bytes(10, 0));                                                 // no Ethernet header
  capture.add(packet().icmp(3, 1).build());                                  // an error that quotes nothing
  capture.add(packet().icmp(9, 0).build());                                  // router advertisement
  capture.add(tcp_up(1, "R"));                                               // of no known flow
  capture.add(packet().fragment(1, false).udp(1, 2).build());
  const Outcome result = run(capture);
  EXPECT_TRUE(result.payloads.empty());
  EXPECT_EQ(result.counters.seen_packets, 7U);
  EXPECT_EQ(result.counters.not_ip, 1U);
  EXPECT_EQ(result.counters.other_protocol, 1U);
  EXPECT_EQ(result.counters.truncated, 1U);
  EXPECT_EQ(result.counters.icmp_other, 2U);
  EXPECT_EQ(result.counters.without_flow, 1U);
  EXPECT_EQ(result.counters.fragment, 1U);
  EXPECT_EQ(result.counters.flows_created, 0U);
}

TEST_F(PcapSourceTest, FollowsIcmpEchoByItsIdentifier) {
  Capture capture;
  const auto echo = [](std::uint8_t type, std::uint8_t identifier) {
    const bool request = type == 8;
    return PacketBuilder()
        .ipv4(request ? kClient : kServer, request ? kServer : kClient)
        .icmp(type, 0, identifier)
        .payload("data")
        .build();
  };
  capture.add(echo(8, 7)).add(echo(0, 7)).add(echo(8, 9));
  const Outcome result = run(capture);
  ASSERT_EQ(result.payloads.size(), 3U);
  EXPECT_EQ(result.payloads[0].key, result.payloads[1].key);
  EXPECT_EQ(result.payloads[0].key.port_low, 7);
  EXPECT_EQ(result.payloads[1].packet.direction, Direction::to_client);
  EXPECT_EQ(result.payloads[2].key.port_low, 9);
}

TEST_F(PcapSourceTest, GivesNoMoreRecordsOfADecidedFlowButKeepsCounting) {
  Capture capture;
  for (int i = 0; i < 10; ++i) capture.add(udp_up("query"));
  PcapSource source = open(capture);
  PacketRecord record;
  unsigned payloads = 0;
  PcapSource::Next next;
  while ((next = source.next(record)) == PcapSource::Next::record || next == PcapSource::Next::tick) {
    if (next == PcapSource::Next::tick || record.type == PacketRecord::Type::end) continue;
    if (++payloads == 3) {
      source.decided(record.key, record.flow_start + 1ns);  // another flow: no effect
    } else if (payloads == 4) {
      source.decided(record.key, record.flow_start);
    }
  }
  EXPECT_EQ(payloads, 4U);
  EXPECT_EQ(record.type, PacketRecord::Type::end);
  EXPECT_EQ(record.totals.payload_packets, 10U);
}

TEST_F(PcapSourceTest, SendsNoEndForAFlowThatTheEngineEnded) {
  Capture capture;
  capture.add(udp_up("query")).add(udp_down("answer")).add(udp_up("late"));
  PcapSource source = open(capture);
  PacketRecord record;
  unsigned records = 0;
  PcapSource::Next next;
  while ((next = source.next(record)) == PcapSource::Next::record || next == PcapSource::Next::tick) {
    if (next == PcapSource::Next::tick) continue;
    if (++records == 2) source.ended(record.key, record.flow_start);
  }
  EXPECT_EQ(records, 2U);
}

TEST_F(PcapSourceTest, TellsTotalsOfLiveFlowsByKeyAndStart) {
  Capture capture;
  capture.handshake().add(tcp_up(101, "A", "hello")).add(tcp_down(501, "A"));
  PcapSource source = open(capture);
  PacketRecord record;
  while (source.next(record) == PcapSource::Next::tick) {
  }
  const auto totals = source.totals(record.key, record.flow_start);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->counters.packets[0], 3U);
  EXPECT_FALSE(totals->closed);
  EXPECT_FALSE(source.totals(record.key, record.flow_start + 1ns));
  FlowKey other = record.key;
  other.port_low ^= 1;
  EXPECT_FALSE(source.totals(other, record.flow_start));
}

TEST_F(PcapSourceTest, TicksWithTheCapturesClock) {
  Capture capture;
  for (int i = 0; i < 5; ++i) capture.add(tcp_up(1, "A")).pass(static_cast<std::int64_t>(kSecond));
  PcapSource source = open(capture);
  PacketRecord record;
  std::vector<Timestamp> ticks;
  while (source.next(record) == PcapSource::Next::tick) ticks.push_back(source.clock());
  ASSERT_EQ(ticks.size(), 5U);
  EXPECT_EQ(ticks[0], at(kStart));
  EXPECT_EQ(ticks[4], at(kStart + 4 * kSecond + 4'000'000));
}

TEST_F(PcapSourceTest, HandsOnEverythingBeforeADamageAndSaysWhereItIs) {
  Capture capture;
  capture.add(udp_up("one")).add(udp_up("two"));
  capture.bytes().pop_back();
  const std::size_t size = capture.bytes().size();
  const Outcome result = run(capture);
  EXPECT_EQ(result.payloads.size(), 1U);
  EXPECT_EQ(result.ends.size(), 1U);
  EXPECT_THAT(result.damage, HasSubstr(fmt::format("damaged at byte {}, after packet 1: ", size)));
}

TEST_F(PcapSourceTest, GivesSizesWithoutBytesUpToTheHundredthPayloadPacketWhereAskedFor) {
  Capture capture;
  for (int i = 0; i < 120; ++i) capture.add(udp_up(std::string(50, 'x'))).add(udp_up("other", 40000));
  PcapSource source = open(capture);
  std::vector<PacketRecord> wanted;
  std::size_t others = 0;
  ASSERT_TRUE(source.run([&](const PacketRecord& record) {
    if (record.type == PacketRecord::Type::end) return;
    if (record.client().port == 40000) {
      ++others;
      return;
    }
    wanted.push_back(record);
    if (record.order == 7) source.sizes_wanted(record.key, record.flow_start);
  }));
  EXPECT_EQ(others, kRecordLimit);
  ASSERT_EQ(wanted.size(), kSizesLimit);
  for (unsigned i = 0; i < kSizesLimit; ++i) {
    EXPECT_EQ(wanted[i].order, i);
    EXPECT_EQ(wanted[i].packet.length, 50U);
    EXPECT_EQ(wanted[i].packet.captured, i < kRecordLimit ? 50 : 0);
    EXPECT_EQ(wanted[i].packet.bytes[0], i < kRecordLimit ? 'x' : 0);
  }
}

TEST_F(PcapSourceTest, ADecisionEndsTheWishForSizes) {
  Capture capture;
  for (int i = 0; i < 120; ++i) capture.add(udp_up("x"));
  PcapSource::Settings settings;
  settings.all_sizes = true;
  PcapSource source = open(capture, settings);
  std::size_t records = 0;
  ASSERT_TRUE(source.run([&](const PacketRecord& record) {
    if (record.type == PacketRecord::Type::payload && ++records == 50) source.decided(record.key, record.flow_start);
  }));
  EXPECT_EQ(records, 50U);
  EXPECT_EQ(run(capture, settings).payloads.size(), kSizesLimit);
}

TEST_F(PcapSourceTest, FollowsTlsRecordsAsFarAsTheirHeadersWereCaptured) {
  const Bytes stream = tls_stream({{22, 300}, {23, 200}, {23, 1000}, {23, 30}});
  const auto packet = [&](std::size_t begin, std::size_t end) {
    const Bytes part = slice(stream, begin, end);
    return tcp_up(static_cast<std::uint32_t>(101 + begin), "A",
                  {reinterpret_cast<const char*>(part.data()), part.size()});
  };
  const auto headers = [](const PacketRecord& record) {
    const TlsRecords& tls = record.packet.tls;
    return headers_text(tls.count, tls.types, tls.lengths);
  };
  Capture whole;
  whole.handshake().add(packet(0, 600)).add(packet(600, stream.size()));
  const auto found = run(whole).payloads;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(headers(found[0]), "22:300 23:200 23:1000");
  EXPECT_EQ(headers(found[1]), "23:30");

  Capture cut;
  cut.handshake().add(packet(0, 600), kEthernetHeader + 40 + 400).add(packet(600, stream.size()));
  const auto partly = run(cut).payloads;
  ASSERT_EQ(partly.size(), 2U);
  EXPECT_EQ(headers(partly[0]), "22:300 23:200");
  EXPECT_EQ(headers(partly[1]), "");
}

TEST_F(PcapSourceTest, AppliesTheFilterAndTheDomain) {
  Capture capture;
  capture.add(udp_up("one")).add(tcp_up(1, "A", "two"));
  PcapSource::Settings settings;
  settings.filter = "tcp";
  settings.domain = 63;
  const Outcome result = run(capture, settings);
  ASSERT_EQ(result.payloads.size(), 1U);
  EXPECT_EQ(result.payloads[0].key.transport, Transport::tcp);
  EXPECT_EQ(result.payloads[0].key.domain, 63);
  EXPECT_EQ(result.counters.seen_packets, 1U);
}

TEST_F(PcapSourceTest, GivesOneKeyAndOneOffsetWhateverTheLinkType) {
  Capture ethernet_capture;
  ethernet_capture.add(udp_up("hello"));
  Capture raw_capture(101);  // LINKTYPE_RAW
  const Bytes frame = udp_up("hello");
  raw_capture.add(Bytes(frame.begin() + kEthernetHeader, frame.end()));
  const Outcome with_header = run(ethernet_capture);
  const Outcome without = run(raw_capture);
  ASSERT_EQ(with_header.payloads.size(), 1U);
  ASSERT_EQ(without.payloads.size(), 1U);
  EXPECT_EQ(with_header.payloads[0].key, without.payloads[0].key);
  EXPECT_EQ(with_header.payloads[0].packet.offset, without.payloads[0].packet.offset);
}

TEST_F(PcapSourceTest, SaysWhenNothingInTheFileIsOfASupportedLinkType) {
  Capture radio(127);  // IEEE802_11_RADIOTAP
  radio.add(Bytes(60, 0)).add(Bytes(60, 0));
  const Outcome result = run(radio);
  EXPECT_EQ(result.counters.unknown_link, 2U);
  EXPECT_THAT(result.damage, HasSubstr("link type IEEE802_11_RADIO (127) is not supported: Ethernet, "));
}

TEST_F(PcapSourceTest, RefusesSettingsItCannotServe) {
  Capture capture;
  const MemoryFile file(capture.bytes());
  PcapSource::Settings settings;
  settings.max_flows = 0;
  EXPECT_FALSE(PcapSource::open(file.path(), settings));
  settings = {};
  settings.domain = 64;
  EXPECT_FALSE(PcapSource::open(file.path(), settings));
  settings = {};
  settings.filter = "udp and and";
  EXPECT_THAT(PcapSource::open(file.path(), settings).error().message, HasSubstr("filter \"udp and and\": "));
}

}  // namespace
}  // namespace spidd
