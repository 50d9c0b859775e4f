// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The walk over TLS record headers, in XDP and tc: what it finds, and where it stops. That a capture file gives the
// same is the differential test's affair.
#include <gtest/gtest.h>

#include "tests/bpf/datapath.h"
#include "tests/support/tls_stream.h"

namespace spidd::test {
namespace {

constexpr const char* kClient = "10.0.0.9";
constexpr const char* kServer = "10.0.0.2";
constexpr std::uint32_t kStart = 1000;

PacketBuilder to_server() { return PacketBuilder().ipv4(kClient, kServer).tcp(40000, 443); }
PacketBuilder to_client() { return PacketBuilder().ipv4(kServer, kClient).tcp(443, 40000); }

class TlsTest : public testing::TestWithParam<Program> {
 protected:
  // Headers found in one packet of the client whose payload is stream[begin, end).
  std::string packet(const Bytes& stream, std::size_t begin, std::size_t end) {
    const auto seq = static_cast<std::uint32_t>(kStart + begin);
    return send(to_server().seq(seq).payload(slice(stream, begin, end)).build());
  }
  std::string send(const Bytes& frame, Gso gso = {}) {
    datapath_.run(GetParam(), frame, gso);
    std::string found;
    for (const spidd_record& record : datapath_.records()) {
      found += (found.empty() ? "" : " | ") + headers_text(record.tls_count, record.tls_types, record.tls_lengths);
    }
    return found;
  }

  Datapath& datapath_ = Datapath::fresh();
};

std::string hook_name(const testing::TestParamInfo<Program>& parameter) {
  if (parameter.param == Program::ingress_xdp) return "Xdp";
  return parameter.param == Program::ingress_tc ? "TcIngress" : "TcEgress";
}

INSTANTIATE_TEST_SUITE_P(Hooks, TlsTest, testing::Values(Program::ingress_xdp, Program::ingress_tc, Program::egress_tc),
                         hook_name);

TEST_P(TlsTest, FindsHeadersBeyondTheSnapAndAcrossPackets) {
  const Bytes stream = tls_stream({{22, 200}, {20, 1}, {23, 700}, {23, 0}, {23, 3000}, {21, 2}});
  EXPECT_EQ(packet(stream, 0, 205), "22:200");
  EXPECT_EQ(packet(stream, 205, 400), "20:1 23:700");
  EXPECT_EQ(packet(stream, 400, 916), "");
  EXPECT_EQ(packet(stream, 916, 2316), "23:0 23:3000");
  EXPECT_EQ(packet(stream, 2316, stream.size()), "21:2");
}

TEST_P(TlsTest, WalksBothDirectionsOnTheirOwn) {
  EXPECT_EQ(packet(tls_stream({{22, 100}}), 0, 105), "22:100");
  EXPECT_EQ(send(to_client().seq(7).payload("SSH-2.0-what").build()), "");
  EXPECT_EQ(send(to_client().seq(19).payload(tls_stream({{23, 10}})).build()), "") << "not TLS from the beginning";
  EXPECT_EQ(send(to_server().seq(kStart + 105).payload(tls_stream({{23, 10}})).build()), "23:10");
}

TEST_P(TlsTest, BeginsAtTheSequenceNumberBehindASyn) {
  send(to_server().flags("S").seq(kStart - 1).build());
  const Bytes stream = tls_stream({{22, 100}, {23, 40}});
  EXPECT_EQ(packet(stream, 0, 50), "22:100");
  EXPECT_EQ(packet(stream, 50, 150), "23:40");
}

TEST_P(TlsTest, StopsAfterAPacketWithMoreHeadersThanARecordHolds) {
  const Bytes stream = tls_stream({{22, 1}, {22, 2}, {22, 3}, {22, 4}, {22, 5}, {22, 6}, {22, 7}, {23, 8}});
  const std::size_t seven = stream.size() - 13;
  EXPECT_EQ(packet(stream, 0, seven), "22:1 22:2 22:3 22:4 22:5 22:6");
  EXPECT_EQ(packet(stream, seven, stream.size()), "");
}

TEST_P(TlsTest, GoesOnAfterExactlyAsManyHeadersAsARecordHolds) {
  const Bytes stream = tls_stream({{22, 1}, {22, 2}, {22, 3}, {22, 4}, {22, 5}, {22, 60}, {23, 8}});
  EXPECT_EQ(packet(stream, 0, 80), "22:1 22:2 22:3 22:4 22:5 22:60");
  EXPECT_EQ(packet(stream, 80, stream.size()), "23:8");
}

TEST_P(TlsTest, StopsAtAHeaderThatAPacketCutsInTwo) {
  const Bytes stream = tls_stream({{22, 100}, {23, 50}, {23, 60}});
  EXPECT_EQ(packet(stream, 0, 108), "22:100");
  EXPECT_EQ(packet(stream, 108, 160), "");
  EXPECT_EQ(packet(stream, 160, stream.size()), "");
}

TEST_P(TlsTest, IsNotMisledByRetransmissions) {
  const Bytes stream = tls_stream({{22, 100}, {23, 50}, {23, 60}});
  EXPECT_EQ(packet(stream, 0, 105), "22:100");
  EXPECT_EQ(packet(stream, 0, 105), "");
  EXPECT_EQ(packet(stream, 50, 130), "23:50") << "the half that is new";
  EXPECT_EQ(packet(stream, 0, stream.size()), "23:60");
}

TEST_P(TlsTest, SurvivesAGapInsideARecordButNotALostHeader) {
  const Bytes stream = tls_stream({{22, 1000}, {23, 50}, {23, 60}, {23, 70}});
  EXPECT_EQ(packet(stream, 0, 100), "22:1000");
  EXPECT_EQ(packet(stream, 900, 1060), "23:50") << "nothing missing was a header";
  EXPECT_EQ(packet(stream, 500, 900), "") << "late";
  EXPECT_EQ(packet(stream, 1125, stream.size()), "") << "the header at 1060 is missing";
  EXPECT_EQ(packet(stream, 1060, 1125), "");
}

TEST_P(TlsTest, StopsAtWhatIsNoHeader) {
  const Bytes good = tls_stream({{22, 20}, {23, 20}, {23, 20}});
  const auto second_with = [&](std::size_t at, std::uint8_t value) {
    Bytes stream = good;
    stream[25 + at] = value;
    Datapath::fresh();
    EXPECT_EQ(packet(stream, 0, 25), "22:20");
    const std::string found = packet(stream, 25, 50);
    EXPECT_EQ(packet(stream, 50, 75), found.empty() ? "" : "23:20");
    return found;
  };
  EXPECT_EQ(second_with(0, 20), "20:20");
  EXPECT_EQ(second_with(0, 19), "");
  EXPECT_EQ(second_with(0, 24), "");
  EXPECT_EQ(second_with(1, 2), "");
  EXPECT_EQ(second_with(1, 4), "");
  EXPECT_EQ(second_with(2, 4), "23:20");
  EXPECT_EQ(second_with(2, 5), "");
}

TEST_P(TlsTest, TakesTheLongestRecordOfTheStandardAndNoLonger) {
  EXPECT_EQ(packet({23, 3, 3, 0x48, 0x00}, 0, 5), "23:18432");
  Datapath::fresh();
  EXPECT_EQ(packet({23, 3, 3, 0x48, 0x01}, 0, 5), "");
}

TEST_P(TlsTest, LooksAtTcpAndUndecidedFlowsOnly) {
  EXPECT_EQ(send(PacketBuilder().ipv4(kClient, kServer).udp(40000, 443).payload(tls_stream({{22, 20}})).build()), "");
  const Bytes stream = tls_stream({{22, 20}, {22, 20}, {23, 5}});
  datapath_.run(GetParam(), to_server().seq(kStart).payload(slice(stream, 0, 25)).build());
  const auto records = datapath_.records();
  ASSERT_EQ(records.size(), 1U);
  spidd_verdict_request request{};
  request.count = 1;
  request.items[0] = {records[0].key, records[0].flow_start_ns, SPIDD_MARK_DECIDED, 0};
  ASSERT_EQ(datapath_.mark(request), 0);
  packet(stream, 25, 50);
  EXPECT_EQ(datapath_.flow(records[0].key)->tls_next[SPIDD_TO_SERVER], kStart + 25) << "nobody looked";
}

TEST_P(TlsTest, EverySegmentOfASuperPacketHasItsOwnHeaders) {
  if (GetParam() == Program::ingress_xdp) return;  // sees no super-packets
  const Bytes stream = tls_stream({{22, 120}, {20, 1}, {23, 300}, {23, 90}, {23, 95}, {23, 8}, {23, 400}});
  const Bytes frame = to_server().seq(kStart).payload(stream).build();
  EXPECT_EQ(send(frame, {200, 6}), "22:120 20:1 23:300 |  | 23:90 23:95 | 23:8 23:400 |  | ");
}

}  // namespace
}  // namespace spidd::test
