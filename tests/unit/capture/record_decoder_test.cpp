// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A ring's bytes become a record only if every field makes sense.
#include "userspace/capture/record_decoder.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace spidd {
namespace {

using namespace std::chrono_literals;

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

FlowKey example_key() { return {address("10.0.0.1"), address("192.0.2.7"), 50000, 443, Transport::tcp, 3}; }

spidd_record payload_record() {
  spidd_record record{};
  record.time_ns = 5'000'000'123;
  record.flow_start_ns = 4'000'000'000;
  record.key = abi_key(example_key());
  record.payload_length = 1400;
  record.tcp_seq = 77;
  record.order = 19;
  record.payload_offset = 54;
  record.type = SPIDD_RECORD_PAYLOAD;
  record.flags = SPIDD_RECORD_CLIENT_IS_LO | SPIDD_RECORD_EGRESS;
  record.direction = SPIDD_TO_CLIENT;
  record.tcp_flags = 0x18;
  record.captured = 64;
  record.abi_version = SPIDD_ABI_VERSION;
  record.tls_count = 2;
  record.tls_types = 3 << 2 | 2;
  record.tls_lengths[0] = 1000;
  record.tls_lengths[1] = 16401;
  for (unsigned i = 0; i < SPIDD_SNAP; ++i) record.payload[i] = static_cast<__u8>(i + 1);
  return record;
}

spidd_record end_record() {
  spidd_record record = payload_record();
  record.type = SPIDD_RECORD_END;
  record.totals = {};
  record.totals.packets[SPIDD_TO_SERVER] = 10;
  record.totals.packets[SPIDD_TO_CLIENT] = 20;
  record.totals.bytes[SPIDD_TO_SERVER] = 1000;
  record.totals.bytes[SPIDD_TO_CLIENT] = 20000;
  record.totals.last_ns = 4'900'000'000;
  record.totals.payload_packets = 25;
  return record;
}

DecodeStatus decode(const spidd_record& record, PacketRecord& out, Duration offset = 0ns) {
  return decode_record(std::as_bytes(std::span{&record, 1}), offset, out);
}

TEST(RecordDecoder, TranslatesEveryFieldOfAPayloadRecord) {
  PacketRecord out;
  ASSERT_EQ(decode(payload_record(), out, 100s), DecodeStatus::ok);
  EXPECT_EQ(out.type, PacketRecord::Type::payload);
  EXPECT_EQ(out.time, Timestamp{105'000'000'123ns});
  EXPECT_EQ(out.flow_start, Timestamp{104s});
  EXPECT_EQ(out.key, example_key());
  EXPECT_TRUE(out.client_is_low);
  EXPECT_FALSE(out.start_seen);
  EXPECT_TRUE(out.egress);
  EXPECT_EQ(out.tcp_flags, 0x18);
  EXPECT_EQ(out.tcp_seq, 77U);
  EXPECT_EQ(out.order, 19);
  EXPECT_EQ(out.packet.time, out.time);
  EXPECT_EQ(out.packet.length, 1400U);
  EXPECT_EQ(out.packet.offset, 54);
  EXPECT_EQ(out.packet.direction, Direction::to_client);
  EXPECT_EQ(out.packet.captured, 64);
  EXPECT_EQ(out.packet.bytes[0], 1);
  EXPECT_EQ(out.packet.bytes[63], 64);
  EXPECT_EQ(out.packet.tls.count, 2);
  EXPECT_EQ(out.packet.tls.type(0), 22);
  EXPECT_EQ(out.packet.tls.lengths[0], 1000);
  EXPECT_EQ(out.packet.tls.type(1), TlsRecords::kApplicationData);
  EXPECT_EQ(out.packet.tls.lengths[1], 16401);
}

TEST(RecordDecoder, TranslatesTheTotalsOfAnEndRecord) {
  PacketRecord out;
  ASSERT_EQ(decode(end_record(), out, 100s), DecodeStatus::ok);
  EXPECT_EQ(out.type, PacketRecord::Type::end);
  EXPECT_EQ(out.totals.counters.packets[0], 10U);
  EXPECT_EQ(out.totals.counters.packets[1], 20U);
  EXPECT_EQ(out.totals.counters.bytes[1], 20000U);
  EXPECT_EQ(out.totals.last, Timestamp{104'900'000'000ns});
  EXPECT_EQ(out.totals.payload_packets, 25U);
  EXPECT_FALSE(out.totals.closed);
}

TEST(RecordDecoder, CallsAFlowClosedAfterARstOrBothFins) {
  const auto closed = [](__u8 flags) {
    spidd_record record = end_record();
    record.totals.flags = flags;
    PacketRecord out;
    EXPECT_EQ(decode(record, out), DecodeStatus::ok);
    return out.totals.closed;
  };
  EXPECT_TRUE(closed(SPIDD_FLOW_RESET));
  EXPECT_TRUE(closed(SPIDD_FLOW_FIN_CLIENT | SPIDD_FLOW_FIN_SERVER));
  EXPECT_FALSE(closed(SPIDD_FLOW_FIN_CLIENT));
  EXPECT_FALSE(closed(SPIDD_FLOW_END_SENT));
}

TEST(RecordDecoder, ZeroesWhatWasNotCaptured) {
  spidd_record record = payload_record();
  record.captured = 3;
  PacketRecord out;
  out.packet.bytes.fill(0xff);
  ASSERT_EQ(decode(record, out), DecodeStatus::ok);
  EXPECT_EQ(out.packet.bytes[2], 3);
  for (std::size_t i = 3; i < kSnapLength; ++i) EXPECT_EQ(out.packet.bytes[i], 0) << i;
}

TEST(RecordDecoder, RejectsAnySizeButOneRecord) {
  const std::vector<std::byte> bytes(2 * sizeof(spidd_record));
  PacketRecord out;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, sizeof(spidd_record) - 1, sizeof(spidd_record) + 1}) {
    EXPECT_EQ(decode_record(std::span{bytes}.first(size), 0ns, out), DecodeStatus::wrong_size) << size;
  }
}

TEST(RecordDecoder, RejectsAnotherVersionBeforeItLooksAtAnythingElse) {
  spidd_record record = payload_record();
  record.abi_version = SPIDD_ABI_VERSION + 1;
  record.type = 99;
  PacketRecord out;
  EXPECT_EQ(decode(record, out), DecodeStatus::wrong_version);
}

TEST(RecordDecoder, RejectsFieldsOutOfRangeAndLeavesTheOutputAlone) {
  const std::vector<std::pair<const char*, std::function<void(spidd_record&)>>> damages{
      {"type 0", [](spidd_record& r) { r.type = 0; }},
      {"type 3", [](spidd_record& r) { r.type = 3; }},
      {"direction", [](spidd_record& r) { r.direction = 2; }},
      {"unknown flag", [](spidd_record& r) { r.flags = 0x80; }},
      {"order", [](spidd_record& r) { r.order = SPIDD_SIZES_LIMIT, r.captured = 0; }},
      {"payload bytes of a packet whose size alone was asked for",
       [](spidd_record& r) { r.order = SPIDD_RECORD_LIMIT; }},
      {"captured beyond the snap length", [](spidd_record& r) { r.captured = SPIDD_SNAP + 1; }},
      {"captured beyond the payload", [](spidd_record& r) { r.payload_length = 63; }},
      {"no payload", [](spidd_record& r) { r.payload_length = 0, r.captured = 0; }},
      {"protocol", [](spidd_record& r) { r.key.protocol = 132; }},
      {"domain", [](spidd_record& r) { r.key.domain = SPIDD_MAX_INTERFACES; }},
      {"key not canonical by address", [](spidd_record& r) { std::swap(r.key.lo, r.key.hi); }},
      {"key not canonical by port", [](spidd_record& r) { r.key.hi = r.key.lo; }},
      {"padding of the key", [](spidd_record& r) { r.key.zero = 1; }},
      {"padding", [](spidd_record& r) { r.zero = 1; }},
      {"more padding", [](spidd_record& r) { r.zero2 = 1; }},
      {"more TLS headers than there is room for", [](spidd_record& r) { r.tls_count = SPIDD_TLS_HEADERS + 1; }},
  };
  for (const auto& [name, damage] : damages) {
    spidd_record record = payload_record();
    damage(record);
    PacketRecord out;
    out.order = 4711;
    EXPECT_EQ(decode(record, out), DecodeStatus::invalid) << name;
    EXPECT_EQ(out.order, 4711) << name;
  }
}

TEST(RecordDecoder, TranslatesKeysBothWays) {
  for (const FlowKey& key : {example_key(), FlowKey{address("::1"), address("2001:db8::1"), 0, 0xffff, Transport::udp},
                             FlowKey{address("10.0.0.1"), address("10.0.0.2"), 9, 9, Transport::icmp, 63}}) {
    EXPECT_EQ(flow_key(abi_key(key)), key);
  }
}

TEST(RecordDecoder, SaturatesTimesInsteadOfWrapping) {
  EXPECT_EQ(timestamp(~0ULL, 0ns), Timestamp::max());
  EXPECT_EQ(timestamp(~0ULL, 1s), Timestamp::max());
  EXPECT_EQ(timestamp(1, Duration::max()), Timestamp::max());
  EXPECT_EQ(timestamp(7, -7ns), Timestamp{});
}

}  // namespace
}  // namespace spidd
