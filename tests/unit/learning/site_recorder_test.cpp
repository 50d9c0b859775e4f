// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_recorder.h"

#include <gtest/gtest.h>

#include "tests/unit/learning/site_flows.h"

namespace spidd {
namespace {

SiteRecorder recording(SiteLimits limits = {}) {
  SiteRecorder recorder(limits);
  recorder.start(site_time(0), site_time(1000));
  return recorder;
}

const SiteService& only_service(const SiteRecorder& recorder) {
  EXPECT_EQ(recorder.services().size(), 1U);
  return recorder.services().begin()->second;
}

TEST(SiteRecorder, GathersFlowsByServerPortTransportAndLabel) {
  SiteRecorder recorder = recording();
  recorder.add(site_flow(1, 1, "https", 1));
  recorder.add(site_flow(1, 2, "https", 2));
  recorder.add(site_flow(1, 1, "doh", 3));
  recorder.add(site_flow(2, 1, "https", 4));
  recorder.add(site_flow(2, 1, "", 5));
  ASSERT_EQ(recorder.services().size(), 4U);
  const SiteService& service = recorder.services().at(key_of(site_flow(1, 1, "https", 0)));
  EXPECT_EQ(to_string(service.key), "192.0.2.1:443/tcp/https");
  EXPECT_EQ(service.flows, 2U);
  EXPECT_EQ(service.clients.size(), 2U);
  EXPECT_EQ(service.first, site_time(1));
  EXPECT_EQ(service.last, site_time(2));
  EXPECT_FLOAT_EQ(service.score_min, 1.5F);
  EXPECT_TRUE(recorder.services().contains(key_of(site_flow(2, 1, "unknown", 0))));
}

TEST(SiteRecorder, GathersOnlyWhileThePeriodLasts) {
  SiteRecorder recorder({});
  EXPECT_FALSE(recorder.add(site_flow(1, 1, "https", 1)));
  recorder.start(site_time(10), site_time(20));
  EXPECT_TRUE(recorder.add(site_flow(1, 1, "https", 15)));
  EXPECT_FALSE(recorder.add(site_flow(1, 1, "https", 20)));
  recorder.start(site_time(15), site_time(40));
  EXPECT_EQ(recorder.since(), site_time(10)) << "a period that is made longer is the same period";
  recorder.stop(site_time(30));
  EXPECT_FALSE(recorder.add(site_flow(1, 1, "https", 31)));
  EXPECT_EQ(only_service(recorder).flows, 1U) << "what was gathered stays";
}

TEST(SiteRecorder, CountsTouchedFlowsButLearnsNothingOfThem) {
  SiteRecorder recorder = recording();
  recorder.add(site_flow(1, 1, "https", 1, 7));
  recorder.add(touched_flow(site_flow(1, 1, "https", 2, 9)));
  const SiteService& service = only_service(recorder);
  EXPECT_EQ(service.flows, 2U);
  EXPECT_EQ(service.touched, 1U);
  EXPECT_EQ(service.learned_flows(), 1U);
  for (const SparseCounters::Row& row : service.learned[0].counters.rows()) EXPECT_NE(row.row, 9U);
  EXPECT_EQ(service.samples.size(), 2U) << "it is kept to be judged again";
}

TEST(SiteRecorder, KeepsABoundedSampleDrawnFromAllFlows) {
  SiteRecorder recorder = recording({.memory_bytes = 1U << 20U, .services = 16, .samples_per_service = 12});
  for (int second = 0; second < 900; ++second) recorder.add(site_flow(1, 1, "https", second));
  const SiteService& service = only_service(recorder);
  ASSERT_EQ(service.samples.size(), 12U);
  int late = 0;
  for (const SiteSample& sample : service.samples) late += sample.time >= site_time(450) ? 1 : 0;
  EXPECT_GT(late, 1);
  EXPECT_LT(late, 11);
}

TEST(SiteRecorder, StaysWithinItsMemoryAndGivesUpWhatWasSeenLeast) {
  const SiteLimits limits{.memory_bytes = 200'000, .services = 100, .samples_per_service = 4};
  SiteRecorder recorder = recording(limits);
  for (int round = 0; round < 20; ++round) recorder.add(site_flow(200, 1, "https", round));
  for (int other = 0; other < 900; ++other) {
    SettledFlow flow = site_flow(1, 1, "https", 20 + other);
    flow.server.port = static_cast<std::uint16_t>(1000 + other);
    recorder.add(flow);
    ASSERT_LE(recorder.bytes(), limits.memory_bytes);
    ASSERT_LE(recorder.services().size(), limits.services);
  }
  EXPECT_TRUE(recorder.services().contains(key_of(site_flow(200, 1, "https", 0))));
  EXPECT_EQ(recorder.counters().services_evicted, 901U - recorder.services().size());
  EXPECT_EQ(recorder.counters().flows_evicted, recorder.counters().services_evicted);
  std::size_t bytes = 0;
  for (const auto& [key, service] : recorder.services()) bytes += service.bytes();
  EXPECT_EQ(bytes, recorder.bytes());
}

TEST(SiteRecorder, BoundsTheClientsOfAService) {
  SiteRecorder recorder = recording();
  for (std::uint8_t client = 0; client < 200; ++client) recorder.add(site_flow(1, client, "https", client));
  EXPECT_EQ(only_service(recorder).clients.size(), SiteService::kMostClients);
  EXPECT_TRUE(only_service(recorder).more_clients);
}

TEST(SiteRecorder, DoesNotGatherRejectedServices) {
  SiteRecorder recorder = recording();
  recorder.reject(key_of(site_flow(1, 1, "https", 0)));
  EXPECT_FALSE(recorder.add(site_flow(1, 1, "https", 1)));
  EXPECT_TRUE(recorder.add(site_flow(2, 1, "https", 1)));
  EXPECT_EQ(recorder.counters().flows_rejected, 1U);
}

TEST(PackedFingerprint, UnpacksToWhatWasPacked) {
  Fingerprint flow;
  flow.payload_packets = 20;
  flow.rows = {{0, 1}, {1, 127}, {2, 128}, {300, 65535}, {kRowCount - 1, 5}};
  for (const RowCount row : flow.rows) flow.measurements[row.row / kBinsPerMeter] += row.count;
  Fingerprint again;
  PackedFingerprint(flow).unpack(again);
  EXPECT_TRUE(again.rows == flow.rows);
  EXPECT_EQ(again.measurements, flow.measurements);
  EXPECT_EQ(again.payload_packets, 20U);
}

TEST(PackedFingerprint, RefusesBytesThatAreNone) {
  PackedFingerprint packed;
  EXPECT_FALSE(PackedFingerprint::from_bytes("", packed));
  EXPECT_FALSE(PackedFingerprint::from_bytes("\x08\x01", packed)) << "a row without a count";
  EXPECT_FALSE(PackedFingerprint::from_bytes(std::string("\x08\x01\x00", 3), packed)) << "a count of 0";
  EXPECT_FALSE(PackedFingerprint::from_bytes("\x08\xff\xff\xff\x01", packed)) << "a number beyond 16 bits";
  EXPECT_FALSE(PackedFingerprint::from_bytes("\x08\xff\x7f\x01", packed)) << "a row beyond the last";
  EXPECT_TRUE(PackedFingerprint::from_bytes("\x08\x01\x02", packed));
}

TEST(SiteSelector, SaysWhichServicesAreMeant) {
  const SiteKey https = key_of(site_flow(1, 1, "https", 0));
  EXPECT_TRUE(parse_site_selector("192.0.2.1:443")->selects(https));
  EXPECT_TRUE(parse_site_selector("192.0.2.1:443/tcp")->selects(https));
  EXPECT_TRUE(parse_site_selector("192.0.2.1:443/tcp/https")->selects(https));
  EXPECT_FALSE(parse_site_selector("192.0.2.1:443/udp")->selects(https));
  EXPECT_FALSE(parse_site_selector("192.0.2.1:443/tcp/doh")->selects(https));
  EXPECT_FALSE(parse_site_selector("192.0.2.2:443")->selects(https));
  EXPECT_TRUE(parse_site_selector("[2001:db8::1]:53/udp/dns"));
  for (const char* wrong : {"", "192.0.2.1", "192.0.2.1:x", "192.0.2.1:99999", "host:443", "192.0.2.1:443/sctp",
                            "192.0.2.1:443/tcp/../x", "192.0.2.1:443/tcp/"})
    EXPECT_FALSE(parse_site_selector(wrong)) << wrong;
}

}  // namespace
}  // namespace spidd
