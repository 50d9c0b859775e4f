// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE is told of a capture: every packet with a header it knows, and what unreachables quote.
#include "userspace/capture/packet_observations.h"

#include <gtest/gtest.h>

#include "tests/support/capture_writer.h"
#include "tests/unit/capture/frames.h"
#include "userspace/capture/pcap_source.h"

namespace spidd {
namespace {

using namespace test;

constexpr std::uint64_t kStart = 1'700'000'000'000'000'000;

class PacketObservationsTest : public ::testing::Test {
 protected:
  void add(const Bytes& frame) { writer_.add(kStart + 1'000'000 * frames_++, frame); }
  std::vector<Observation> read() {
    MemoryFile file(writer_.bytes());
    std::vector<Observation> seen;
    PcapSource::Settings settings;
    settings.observe = [&](const Observation& observation) { seen.push_back(observation); };
    settings.observed = observed_;
    auto source = PcapSource::open(file.path(), settings).value();
    EXPECT_TRUE(source.run([](const PacketRecord&) {}));
    fragments_ = source.counters().fragment;
    return seen;
  }

  std::uint64_t fragments_ = 0;
  PcapSource::Observed observed_ = PcapSource::Observed::every_packet;

 private:
  CaptureWriter writer_;
  std::uint64_t frames_ = 0;
};

TEST_F(PacketObservationsTest, EveryTcpAndUdpPacketIsOneEvenOfNoFlow) {
  add(tcp_up(1, "S"));
  add(tcp_down(1, "SA"));
  add(tcp_up(1, "S"));
  add(tcp_up(9, "R", "", 40000));
  add(udp_up("x"));
  add(udp_up(""));
  const auto seen = read();
  ASSERT_EQ(seen.size(), 6U);
  EXPECT_EQ(seen[0].source.to_string(), kClient);
  EXPECT_EQ(seen[0].destination.to_string(), kServer);
  EXPECT_EQ(seen[0].source_port, kClientPort);
  EXPECT_EQ(seen[0].destination_port, kServerPort);
  EXPECT_EQ(seen[0].tcp_flags, 0x02);
  EXPECT_EQ(seen[0].time.time_since_epoch().count(), static_cast<std::int64_t>(kStart));
  EXPECT_EQ(seen[1].source.to_string(), kServer);
  EXPECT_EQ(seen[1].source_port, kServerPort);
  EXPECT_EQ(seen[1].tcp_flags, 0x12);
  EXPECT_EQ(seen[2].tcp_flags, 0x02);
  EXPECT_EQ(seen[3].tcp_flags, 0x04);
  EXPECT_EQ(seen[4].transport, Transport::udp);
  for (const Observation& observation : seen) {
    EXPECT_EQ(observation.count, 1U);
    EXPECT_EQ(observation.kind, Observation::Kind::packet);
    EXPECT_FALSE(observation.reply);
  }
}

TEST_F(PacketObservationsTest, IcmpHasTypeAndCodeAndNoPorts) {
  add(PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 77).build());
  add(PacketBuilder().ipv4(kClient, kServer).icmp(13, 2).build());
  add(PacketBuilder().ipv6("2001:db8::1", "2001:db8::2").icmp(128, 0, 5).build());
  const auto seen = read();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].icmp_type, 8);
  EXPECT_EQ(seen[0].source_port, 0);
  EXPECT_EQ(seen[0].destination_port, 0);
  EXPECT_EQ(seen[1].icmp_type, 13);
  EXPECT_EQ(seen[1].icmp_code, 2);
  EXPECT_EQ(seen[2].transport, Transport::icmp6);
  EXPECT_EQ(seen[2].source.to_string(), "2001:db8::1");
}

TEST_F(PacketObservationsTest, AnUnreachableIsTwo) {
  const Bytes quoted = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(4000, 53).build();
  add(PacketBuilder().ipv4("192.0.2.254", kClient).icmp(3, 3).payload(quoted).build());
  add(PacketBuilder().ipv4("192.0.2.254", kClient).icmp(11, 0).payload(quoted).build());
  const Bytes quoted6 = PacketBuilder().without_ethernet().ipv6("2001:db8::1", "2001:db8::2").tcp(4000, 23).build();
  add(PacketBuilder().ipv6("2001:db8::2", "2001:db8::1").icmp(1, 4).payload(quoted6).build());
  const auto seen = read();
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[0].kind, Observation::Kind::packet);
  EXPECT_EQ(seen[0].icmp_type, 3);
  const Observation& inner = seen[1];
  EXPECT_EQ(inner.kind, Observation::Kind::unreachable);
  EXPECT_EQ(inner.source.to_string(), kClient);
  EXPECT_EQ(inner.destination.to_string(), kServer);
  EXPECT_EQ(inner.reporter.to_string(), "192.0.2.254");
  EXPECT_EQ(inner.source_port, 4000);
  EXPECT_EQ(inner.destination_port, 53);
  EXPECT_EQ(inner.transport, Transport::udp);
  EXPECT_EQ(inner.icmp_code, 3);
  EXPECT_EQ(seen[2].icmp_type, 11);
  EXPECT_EQ(seen[4].kind, Observation::Kind::unreachable);
  EXPECT_EQ(seen[4].destination.to_string(), "2001:db8::2");
  EXPECT_EQ(seen[4].destination_port, 23);
}

TEST_F(PacketObservationsTest, OfFragmentsOnlyTheFirstIsOne) {
  add(PacketBuilder().ipv4(kClient, kServer).fragment(0, true).udp(1, 2).payload_size(16).build());
  add(PacketBuilder().ipv4(kClient, kServer).fragment(3, false).udp(1, 2).build());
  add(PacketBuilder().ether_type(0x0806).payload_size(28).build());
  add(PacketBuilder().ipv4(kClient, kServer).protocol(47).payload_size(20).build());
  EXPECT_EQ(read().size(), 1U);
  EXPECT_EQ(fragments_, 1U);
}

TEST_F(PacketObservationsTest, AnUnreachableAboutAnotherProtocolIsOne) {
  const Bytes quoted = PacketBuilder().without_ethernet().ipv4(kClient, kServer).protocol(47).payload_size(20).build();
  add(PacketBuilder().ipv4("192.0.2.254", kClient).icmp(3, 2).payload(quoted).build());
  EXPECT_EQ(read().size(), 1U);
}

class ObservationsAsInKernelTest : public PacketObservationsTest {
 protected:
  ObservationsAsInKernelTest() { observed_ = PcapSource::Observed::as_in_kernel; }
};

TEST_F(ObservationsAsInKernelTest, OfAConnectionAreItsBeginningAndItsEnd) {
  add(tcp_up(1, "S"));
  add(tcp_down(1, "SA"));
  for (std::uint32_t i = 0; i < 10; ++i) add(tcp_up(2 + i, "PA", "x"));
  for (std::uint32_t i = 0; i < 10; ++i) add(tcp_down(2 + i, "PA", "x"));
  add(tcp_up(12, "FA"));
  add(tcp_down(12, "FA"));
  add(tcp_up(13, "A"));
  const auto seen = read();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].tcp_flags, 0x02);
  EXPECT_EQ(seen[1].tcp_flags, 0x12);
  EXPECT_EQ(seen[2].tcp_flags, 0x11);
  EXPECT_EQ(seen[3].tcp_flags, 0x11);
}

TEST_F(ObservationsAsInKernelTest, OfUdpIsTheFirstPacketOfEachDirectionAndAnswersAreReplies) {
  for (int i = 0; i < 4; ++i) {
    add(udp_up("?"));
    add(udp_down("!"));
  }
  const auto seen = read();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_FALSE(seen[0].reply);
  EXPECT_TRUE(seen[1].reply);
}

TEST_F(ObservationsAsInKernelTest, OfDataToNobodyAreTheFirstThreeAndOfRefusalsAll) {
  for (std::uint32_t i = 0; i < 9; ++i) add(tcp_up(1 + i, "A"));
  for (int i = 0; i < 2; ++i) add(tcp_up(9, "R", "", 40000));
  EXPECT_EQ(read().size(), 5U);
}

TEST_F(ObservationsAsInKernelTest, IcmpIsAllThereWithWhatUnreachablesQuote) {
  const Bytes quoted = PacketBuilder().without_ethernet().ipv4(kClient, kServer).udp(4000, 53).build();
  for (int i = 0; i < 2; ++i) {
    add(PacketBuilder().ipv4(kClient, kServer).icmp(8, 0, 77).build());
    add(PacketBuilder().ipv4(kClient, kServer).icmp(13, 2).build());
    add(PacketBuilder().ipv4("192.0.2.254", kClient).icmp(3, 3).payload(quoted).build());
  }
  EXPECT_EQ(read().size(), 8U);
}

}  // namespace
}  // namespace spidd
