// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The attribute meters against the golden vectors of the specification, and what the corrected rules change.
#include "userspace/spid/attribute_meter.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

using Bins = std::map<unsigned, unsigned>;  // bin -> count

Fingerprint measure(std::span<const PayloadPacket> packets, MeterRules rules = MeterRules::corrected) {
  AttributeMeters meters(rules);
  Fingerprint flow;
  meters.measure(packets, flow);
  return flow;
}

Bins bins_of(const Fingerprint& flow, unsigned meter) {
  Bins bins;
  for (const RowCount row : flow.rows) {
    if (row.row / kBinsPerMeter == meter) bins[row.row % kBinsPerMeter] = row.count;
  }
  return bins;
}

Bins bins_of(std::span<const PayloadPacket> packets, unsigned meter, MeterRules rules = MeterRules::corrected) {
  return bins_of(measure(packets, rules), meter);
}

PayloadPacket client(std::string_view payload) { return make_packet(Direction::to_server, {}, payload); }
PayloadPacket server(std::string_view payload) { return make_packet(Direction::to_client, {}, payload); }

TEST(AttributeMeters, GiveTheGoldenBins) {
  const std::map<unsigned, Bins> golden = {
      {0, {{0, 1}, {64, 1}, {128, 1}}},
      {1, {{25, 1}, {63, 1}, {80, 1}, {83, 1}, {149, 1}, {188, 1}, {226, 1}, {229, 1}, {236, 1}}},
      {5, {{28, 1}, {144, 1}, {196, 1}}},
      {6, {{28, 1}, {33, 1}, {193, 1}, {249, 1}}},
      {7, {{140, 1}, {141, 1}, {142, 1}, {143, 1}}},
      {10, {{8, 1}, {9, 1}, {139, 1}}},
      {11, {{5, 1}, {27, 1}, {168, 1}}},
      {16, {{67, 1}, {99, 2}, {100, 2}, {116, 1}}},
      {18, {{29, 1}, {43, 1}, {68, 1}, {71, 1}, {82, 1}}},
      {20, {{3, 1}, {17, 1}, {64, 1}, {81, 1}, {172, 1}, {177, 1}}},
      {21, {{31, 1}, {89, 1}, {174, 1}}},
      {22, {{4, 1}, {69, 1}, {165, 1}}},
      {26, {{0, 1}, {20, 1}}},
      {32, {{27, 1}, {32, 1}, {40, 1}}},
      {33, {{21, 1}, {32, 1}, {82, 1}}},
  };
  const Fingerprint flow = measure(golden_session(), MeterRules::strict);
  for (const auto& [meter, bins] : golden) EXPECT_EQ(bins_of(flow, meter), bins) << meter_name(meter);
}

TEST(AttributeMeters, GiveTheGoldenSums) {
  struct Sums {
    unsigned meter, measurements, distinct, weighted;
  };
  constexpr Sums kGolden[] = {
      {2, 24, 21, 2583},     {3, 99, 58, 4691},  {4, 99, 58, 4691},  {8, 91, 75, 10567},    {9, 99, 70, 9811},
      {13, 128, 128, 17408}, {14, 16, 16, 2003}, {15, 32, 22, 3872}, {17, 32, 32, 3984},    {19, 24, 23, 3503},
      {23, 99, 69, 9235},    {24, 20, 16, 2410}, {25, 48, 38, 4440}, {27, 384, 204, 57536}, {28, 16, 16, 2003},
      {29, 128, 128, 18624}, {30, 48, 42, 5935}, {31, 64, 63, 8011},
  };
  const Fingerprint flow = measure(golden_session(), MeterRules::strict);
  for (const Sums& golden : kGolden) {
    const Bins bins = bins_of(flow, golden.meter);
    unsigned weighted = 0;
    for (const auto& [bin, count] : bins) weighted += bin * count;
    EXPECT_EQ(flow.measurements[golden.meter], golden.measurements) << meter_name(golden.meter);
    EXPECT_EQ(bins.size(), golden.distinct) << meter_name(golden.meter);
    EXPECT_EQ(weighted, golden.weighted) << meter_name(golden.meter);
  }
}

// FNV-1a over the rows of many flows, as the plain form of these meters gave them before any was made fast. Golden
// vectors are few; this is what holds the meters to the bit.
TEST(AttributeMeters, GiveTheSameRowsWithAllInstructions) {
  for (const auto& [rules, expected] :
       {std::pair{MeterRules::corrected, 0x1ffce9157647a42cULL}, {MeterRules::strict, 0xc660c22acca50370ULL}}) {
    for (const Simd simd : available_simd()) {
      std::mt19937 random(14);
      AttributeMeters meters(rules, simd);
      Fingerprint flow;
      std::uint64_t hash = 14695981039346656037U;
      const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 1099511628211U; };
      for (unsigned round = 0; round < 400; ++round) {
        const unsigned values = round % 4 == 0 ? 3 : 1 + round;  // many equal bytes, or few
        auto packets = random_flow(random, 1 + round % 24, values);
        for (PayloadPacket& packet : packets) {
          if (random() % 4 != 0) continue;  // some are short
          packet.length = packet.captured = static_cast<std::uint8_t>(random() % 24);
          std::fill(packet.bytes.begin() + packet.captured, packet.bytes.end(), std::uint8_t{0});
        }
        meters.measure(packets, flow);
        for (const RowCount row : flow.rows) {
          if (row.row >= kOriginalMeterCount * kBinsPerMeter) break;
          mix(row.row);
          mix(row.count);
        }
      }
      EXPECT_EQ(hash, expected) << simd_name(simd);
    }
  }
}

TEST(AttributeMeters, HaveDistinctNames) {
  std::set<std::string_view> names;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) names.insert(meter_name(meter));
  EXPECT_EQ(names.size(), kMeterCount);
  EXPECT_EQ(meter_name(0), "AccumulatedDirectionBytes");
  EXPECT_EQ(meter_name(33), "PacketPairLengthPrimes");
}

TEST(AttributeMeters, FillRowsInRisingOrderWithMeasurementsAsTheirSums) {
  std::mt19937 random(1);
  AttributeMeters meters;
  Fingerprint flow;
  for (unsigned round = 0; round < 200; ++round) {
    meters.measure(random_flow(random, 1 + round % 20, round % 3 == 0 ? 4 : 256), flow);
    std::array<std::uint32_t, kMeterCount> sums{};
    unsigned last = 0;
    for (const RowCount row : flow.rows) {
      ASSERT_TRUE(row == *flow.rows.begin() || row.row > last);
      ASSERT_LT(row.row, kRowCount);
      ASSERT_GT(row.count, 0);
      last = row.row;
      sums[row.row / kBinsPerMeter] += row.count;
    }
    ASSERT_EQ(sums, flow.measurements);
  }
}

TEST(AttributeMeters, RememberNothingOfTheFlowBefore) {
  std::mt19937 random(2);
  AttributeMeters meters;
  Fingerprint reused;
  for (unsigned round = 0; round < 50; ++round) {
    const auto packets = random_flow(random, 1 + round % 20);
    meters.measure(packets, reused);
    const Fingerprint fresh = measure(packets);
    ASSERT_EQ(reused.measurements, fresh.measurements);
    ASSERT_TRUE(reused.rows == fresh.rows);
  }
}

TEST(AttributeMeters, MeasureNothingOfNoPackets) {
  const Fingerprint flow = measure({});
  EXPECT_TRUE(flow.rows.empty());
  EXPECT_EQ(flow.measurements, (std::array<std::uint32_t, kMeterCount>{}));
  EXPECT_EQ(flow.payload_packets, 0U);
}

TEST(AttributeMeters, TakePacketsWithoutCapturedBytesAndWithAbsurdLengths) {
  PayloadPacket empty = client("");
  empty.length = 0xffffffff;
  PayloadPacket overlong = server("x");
  overlong.captured = 255;
  for (const MeterRules rules : {MeterRules::corrected, MeterRules::strict}) {
    const Fingerprint flow = measure(std::vector{empty, overlong, empty, empty, overlong}, rules);
    EXPECT_EQ(flow.payload_packets, 5U);
    EXPECT_EQ(bins_of(flow, 10).at(127), 3U);
  }
}

TEST(AttributeMeters, StopAtTheLargestNumberOfPacketsThatTheBinsHold) {
  std::mt19937 random(3);
  const auto packets = random_flow(random, kMaxMeasuredPackets + 5, 1);
  const Fingerprint flow = measure(packets);
  EXPECT_EQ(flow.payload_packets, kMaxMeasuredPackets);
  EXPECT_EQ(flow.measurements[32], kMaxMeasuredPackets);
}

// A packet in which records of these types and lengths begin.
PayloadPacket with_records(Direction direction, std::initializer_list<std::pair<unsigned, std::uint16_t>> records) {
  PayloadPacket packet = make_packet(direction, {}, "tls");
  for (const auto& [type, length] : records) {
    packet.tls.types = static_cast<std::uint16_t>(packet.tls.types | (type - 20) << (2 * packet.tls.count));
    packet.tls.lengths[packet.tls.count++] = length;
  }
  return packet;
}

unsigned meter_named(std::string_view name) {
  unsigned meter = 0;
  while (meter_name(meter) != name) ++meter;
  return meter;
}

TEST(RecordMeters, CountApplicationRecordsAfterTheClientsFirst) {
  constexpr auto kClient = Direction::to_server, kServer = Direction::to_client;
  const std::vector packets = {with_records(kClient, {{22, 512}}),
                               with_records(kServer, {{22, 122}, {20, 1}, {23, 32}, {23, 1000}, {23, 281}, {23, 53}}),
                               with_records(kClient, {{20, 1}, {23, 53}, {23, 90}}),
                               with_records(kServer, {{23, 250}, {23, 16401}}),
                               with_records(kServer, {}),
                               with_records(kClient, {{23, 520}, {21, 19}})};
  // Client 90 and 520, server 250 and 16401 are left.
  EXPECT_EQ(bins_of(packets, meter_named("TlsFirstRecordSizes")),
            (Bins{{90 / 4, 1}, {127, 1}, {128 + 250 / 4, 1}, {128 + 127, 1}}));
  EXPECT_EQ(bins_of(packets, meter_named("TlsRecordSizePairs")),
            (Bins{{16 * 2 + 8 + 4, 1}, {16 * (8 + 4) + 8 + 7, 1}, {16 * (8 + 7) + 5, 1}}));
  EXPECT_EQ(bins_of(packets, meter_named("TlsRecordSizes")), (Bins{{5, 1}, {16 + 10, 1}, {128 + 8, 1}, {144 + 15, 1}}));
  // 90 bytes asked, 16651 answered, then 520.
  EXPECT_EQ(bins_of(packets, meter_named("TlsBurstTriples")), (Bins{{32 * 1 + 4 * 7 + 3, 1}}));
}

TEST(RecordMeters, SeeAHandshakeInsideTls) {
  constexpr auto kClient = Direction::to_server, kServer = Direction::to_client;
  // A proxy's request and answer, then a hello in one record, certificates in three and a short end before a request.
  const std::vector packets = {
      with_records(kClient, {{22, 512}}),           with_records(kServer, {{22, 122}, {23, 2000}}),
      with_records(kClient, {{23, 53}, {23, 130}}), with_records(kServer, {{23, 60}}),
      with_records(kClient, {{23, 534}}),           with_records(kServer, {{23, 1400}, {23, 1400}, {23, 500}}),
      with_records(kClient, {{23, 97}, {23, 190}}), with_records(kServer, {{23, 700}})};
  EXPECT_EQ(bins_of(packets, meter_named("TlsBurstTriples")), (Bins{{32 * 2 + 4 * 0 + 3, 1}, {32 * 5 + 4 * 5 + 1, 1}}));
}

TEST(RecordMeters, FindNothingInAHandshake) {
  const std::vector packets = {with_records(Direction::to_server, {{22, 512}}),
                               with_records(Direction::to_client, {{22, 90}, {23, 800}}),
                               with_records(Direction::to_server, {{23, 53}})};
  const Fingerprint flow = measure(packets);
  for (const char* name : {"TlsRecordSizes", "TlsFirstRecordSizes", "TlsRecordSizePairs", "TlsBurstTriples"}) {
    EXPECT_EQ(flow.measurements[meter_named(name)], 0U) << name;
  }
}

TEST(StrictRules, CountTheHundredFirstBytesFromTheBeginningOfTheFrame) {
  const std::string payload(64, 'a');
  const std::vector packets = {make_packet(Direction::to_server, {}, payload, 66)};
  EXPECT_EQ(bins_of(packets, 4, MeterRules::strict), (Bins{{'a', 34}}));
  EXPECT_EQ(bins_of(packets, 23, MeterRules::strict), (Bins{{'a' % 64, 34}}));
  EXPECT_EQ(bins_of(packets, 4), (Bins{{'a', 64}}));
  EXPECT_EQ(bins_of(packets, 23), (Bins{{'a' % 64, 64}}));
}

TEST(StrictRules, LetFullHashCellsRunOver) {
  const std::vector packets = {client(std::string(16, '\0'))};
  // Sixteen (or eight) equal bytes fall in cell 0; its count flips into the bin of cell 1 (or of the other direction).
  EXPECT_EQ(bins_of(packets, 15, MeterRules::strict).at(16), 2U);
  EXPECT_EQ(bins_of(packets, 15).at(15), 1U);
  EXPECT_EQ(bins_of(packets, 15).at(16), 1U);
  EXPECT_EQ(bins_of(packets, 17, MeterRules::strict).at(0), 1U);
  EXPECT_EQ(bins_of(packets, 17).at(15), 1U);
}

TEST(CorrectedRules, CompareOnlyBytesThatBothPacketsHave) {
  const std::vector packets = {client("ab"), client("axc")};
  EXPECT_EQ(bins_of(packets, 18), (Bins{{0, 1}, {'x' - 'b', 1}}));
  EXPECT_EQ(bins_of(packets, 18, MeterRules::strict), (Bins{{0, 3}, {'x' - 'b', 1}, {'c', 1}}));
  EXPECT_EQ(bins_of(packets, 26), (Bins{{1, 1}}));  // only offset 0 is equal
}

TEST(CorrectedRules, HashWhatWasSaidAndNotItsMutations) {
  // The answer to the same words hashes alike, however many turns went before; in the original the client's words are
  // mutated by then.
  const std::vector once = {client("abc"), server("xyz")};
  const std::vector twice = {client("abc"), server("xyz"), client("abc"), server("xyz")};
  const Bins first = bins_of(once, 1);
  Bins second = bins_of(twice, 1);
  for (const auto& [bin, count] : first) EXPECT_GE(second[bin], count);
  EXPECT_EQ(measure(twice).measurements[1], 12U);
  unsigned repeated = 0;
  for (const auto& [bin, count] : second) repeated += count == 2 ? 1 : 0;
  EXPECT_GE(repeated, 3U);
}

TEST(CorrectedRules, CountDelaysInMicroseconds) {
  const std::vector packets = {make_packet(Direction::to_server, std::chrono::milliseconds(0), "a"),
                               make_packet(Direction::to_client, std::chrono::seconds(60), "b"),
                               make_packet(Direction::to_server, std::chrono::seconds(59), "c")};
  // A minute is in the longest class; time running backwards is no delay.
  EXPECT_EQ(bins_of(packets, 21), (Bins{{31, 1}, {128 + 32 + 31, 1}, {64, 1}}));
  const std::vector half = {make_packet(Direction::to_server, std::chrono::milliseconds(0), "a"),
                            make_packet(Direction::to_server, std::chrono::milliseconds(511), "b")};
  EXPECT_EQ(bins_of(half, 21, MeterRules::strict), (Bins{{31, 1}, {32 + 31, 1}}));
  EXPECT_LT(bins_of(half, 21).rbegin()->first, 32U + 31U);
}

TEST(CorrectedRules, HashTheFirstFourBytesAndTheDirection) {
  EXPECT_EQ(bins_of(std::vector{client("abcdX")}, 12), bins_of(std::vector{client("abcdY")}, 12));
  EXPECT_NE(bins_of(std::vector{client("abcd")}, 12), bins_of(std::vector{server("abcd")}, 12));
  // The original stops at four decimal digits: 97, 98.
  EXPECT_EQ(bins_of(std::vector{client("abc")}, 12, MeterRules::strict),
            bins_of(std::vector{client("abd")}, 12, MeterRules::strict));
}

}  // namespace
}  // namespace spidd
