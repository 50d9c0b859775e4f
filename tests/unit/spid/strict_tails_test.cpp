// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which bytes of a payload the original's meters count: spid.md 1.8.
#include <gtest/gtest.h>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

struct LongFlow {
  std::vector<PayloadPacket> packets;
  std::vector<PayloadTail> tails;
};

// Packets of 200 bytes from both sides in turn, the byte at position i having the value i.
LongFlow long_flow(unsigned packets, std::uint16_t offset) {
  std::string payload;
  for (int i = 0; i < 200; ++i) payload.push_back(static_cast<char>(i));
  LongFlow flow;
  for (unsigned i = 0; i < packets; ++i) {
    const auto direction = i % 2 == 0 ? Direction::to_server : Direction::to_client;
    flow.packets.push_back(make_packet(direction, std::chrono::milliseconds(i), payload, offset));
    if (i < kStrictTails) flow.tails.emplace_back(payload.begin() + kSnapLength, payload.end());
  }
  return flow;
}

Fingerprint measure(const LongFlow& flow, MeterRules rules = MeterRules::strict) {
  Fingerprint fingerprint;
  AttributeMeters(rules).measure(flow.packets, fingerprint, flow.tails);
  return fingerprint;
}

unsigned count(const Fingerprint& fingerprint, unsigned meter, unsigned bin) {
  for (const RowCount& row : fingerprint.rows)
    if (row.row == meter * kBinsPerMeter + bin) return row.count;
  return 0;
}

TEST(StrictTails, EveryByteOfTheFirstFivePacketsCounts) {
  const Fingerprint flow = measure(long_flow(10, 54));
  EXPECT_EQ(flow.measurements[3], 5U * 200);
  EXPECT_EQ(count(flow, 3, 0), 5U);
  EXPECT_EQ(count(flow, 3, 199), 5U);
  EXPECT_EQ(count(flow, 3, 200), 0U);
}

TEST(StrictTails, AHundredPayloadBytesCountByDirection) {
  const Fingerprint flow = measure(long_flow(10, 54));
  EXPECT_EQ(flow.measurements[9], 8U * 100);
  EXPECT_EQ(count(flow, 9, 99), 4U);
  EXPECT_EQ(count(flow, 9, 128 + 99), 4U);
  EXPECT_EQ(count(flow, 9, 100), 0U);
}

TEST(StrictTails, AHundredFrameBytesCountLessWhereHeadersAreLong) {
  for (const auto& [offset, bytes] : {std::pair<std::uint16_t, unsigned>{54, 46}, {28, 72}, {120, 0}}) {
    const Fingerprint flow = measure(long_flow(10, offset));
    EXPECT_EQ(flow.measurements[4], 8 * bytes) << offset;
    EXPECT_EQ(flow.measurements[23], 4 * bytes) << offset;
  }
  const Fingerprint flow = measure(long_flow(10, 28));
  EXPECT_EQ(count(flow, 4, 71), 8U);
  EXPECT_EQ(count(flow, 4, 72), 0U);
  EXPECT_EQ(count(flow, 23, 64 * 3 + 7), 2U);  // bytes 7 and 71 of the fourth packet
}

TEST(StrictTails, CorrectedRulesDoNotLookAtThem) {
  LongFlow flow = long_flow(10, 54);
  const Fingerprint with = measure(flow, MeterRules::corrected);
  flow.tails.clear();
  const Fingerprint without = measure(flow, MeterRules::corrected);
  EXPECT_EQ(with.measurements, without.measurements);
  EXPECT_EQ(with.measurements[3], 5 * kSnapLength);
}

TEST(StrictTails, ABinHoldsTheLongestPackets) {
  LongFlow flow = long_flow(8, 54);
  for (PayloadTail& tail : flow.tails) tail.assign(kStrictSnap - kSnapLength, 0xff);
  EXPECT_EQ(count(measure(flow), 3, 0xff), 5 * (kStrictSnap - kSnapLength));
}

}  // namespace
}  // namespace spidd
