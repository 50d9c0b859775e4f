// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel as a source of observations, over real sockets: what SPADE gets to see, and what is only counted for it.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "tests/bpf/live_network.h"
#include "userspace/capture/bpf_datapath.h"

namespace spidd {
namespace {

constexpr Duration kIdle = std::chrono::minutes(10);

class LiveObservations : public testing::Test {
 protected:
  void start(const BpfSettings& settings) {
    auto started = BpfDatapath::start(settings);
    ASSERT_TRUE(started) << started.error().message;
    datapath_ = std::make_unique<BpfDatapath>(*std::move(started));
    auto source = datapath_->open_observations();
    ASSERT_TRUE(source) << source.error().message;
    source_ = *std::move(source);
  }
  void TearDown() override {
    if (datapath_) {
      EXPECT_TRUE(datapath_->stop());
    }
  }

  // Of TCP and UDP between the two ends; neighbour discovery of the fresh interfaces is left out.
  std::vector<Observation> seen() {
    std::vector<Observation> all;
    source_->drain([&](const Observation& one) { all.push_back(one); }, 100000);
    std::erase_if(all, [](const Observation& one) { return !one.source.is_ipv4(); });
    return all;
  }
  std::vector<Observation> counted() {
    std::vector<Observation> all;
    source_->poll([&](const Observation& one) { all.push_back(one); }, kIdle);
    return all;
  }
  std::uint64_t counter(DatapathCounter which) { return datapath_->counters().value().sum(which); }

  live::Network network_;
  BpfSettings settings_ = live::Network::settings();
  std::unique_ptr<BpfDatapath> datapath_;
  std::unique_ptr<ObservationSource> source_;
};

TEST_F(LiveObservations, AConnectionIsSeenFromSynToFin) {
  start(settings_);
  const Timestamp before = wall_clock_now();
  {
    const auto streams = network_.connected_streams();
    ASSERT_EQ(::send(streams.client.get(), "hello", 5, 0), 5);
    char buffer[8];
    ASSERT_EQ(::recv(streams.server.get(), buffer, sizeof buffer, 0), 5);
    ::shutdown(streams.client.get(), SHUT_WR);
    ASSERT_EQ(::recv(streams.server.get(), buffer, sizeof buffer, 0), 0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto observations = seen();
  ASSERT_GE(observations.size(), 4U);
  EXPECT_EQ(observations[0].source.to_string(), live::kClientAddress);
  EXPECT_EQ(observations[0].destination.to_string(), live::kSensorAddress);
  EXPECT_EQ(observations[0].destination_port, live::kServerPort);
  EXPECT_EQ(observations[0].tcp_flags & 0x3f, 0x02);
  EXPECT_GE(observations[0].time, before - std::chrono::milliseconds(10));
  EXPECT_LE(observations[0].time, wall_clock_now() + std::chrono::milliseconds(10));
  EXPECT_EQ(observations[1].tcp_flags & 0x3f, 0x12);
  for (const Observation& one : observations) EXPECT_NE(one.tcp_flags & 0x3f, 0x18) << "data is not seen";
  EXPECT_EQ(source_->undecodable(), 0U);
}

TEST_F(LiveObservations, ARefusedConnectionIsSeenWithItsReset) {
  start(settings_);
  ASSERT_TRUE(network_.run_on_client({"true"}));
  network_.run_on_client({fmt::format("nc -z -w 1 {} 81", live::kSensorAddress)});
  const auto observations = seen();
  ASSERT_EQ(observations.size(), 2U);
  EXPECT_EQ(observations[0].destination_port, 81);
  EXPECT_EQ(observations[1].source_port, 81);
  EXPECT_NE(observations[1].tcp_flags & 0x04, 0);
}

TEST_F(LiveObservations, AnUnreachablePortIsSeenWithThePacketThatMissedIt) {
  start(settings_);
  const UniqueFd client = network_.client_socket(5999);
  ASSERT_EQ(::send(client.get(), "?", 1, 0), 1);
  const auto observations = seen();
  ASSERT_EQ(observations.size(), 3U);
  EXPECT_EQ(observations[0].transport, Transport::udp);
  EXPECT_EQ(observations[1].transport, Transport::icmp);
  EXPECT_EQ(observations[1].icmp_type, 3);
  EXPECT_EQ(observations[2].kind, Observation::Kind::unreachable);
  EXPECT_EQ(observations[2].destination_port, 5999);
  EXPECT_EQ(observations[2].reporter.to_string(), live::kSensorAddress);
}

TEST_F(LiveObservations, WhatIsKnownIsOnlyCountedUntilItIsForgotten) {
  start(settings_);
  const UniqueFd server = live::Network::server_socket();
  ConnectionAttempt attempt;
  for (std::uint16_t port = 41000; port < 41003; ++port) {
    const UniqueFd client = network_.client_socket(live::kServerPort, port);
    ASSERT_EQ(live::exchange(client.get(), server.get(), 1), 1U);
  }
  const auto before = seen();
  ASSERT_EQ(before.size(), 6U);
  EXPECT_TRUE(before[1].reply);
  attempt = ConnectionAttempt::of(before[0]);
  ASSERT_TRUE(source_->know(attempt));
  EXPECT_FALSE(source_->know(attempt)) << "already";

  for (std::uint16_t port = 42000; port < 42005; ++port) {
    const UniqueFd client = network_.client_socket(live::kServerPort, port);
    ASSERT_EQ(live::exchange(client.get(), server.get(), 2), 2U);
  }
  EXPECT_TRUE(seen().empty());
  const auto counts = counted();
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].count, 5U);
  EXPECT_EQ(counts[0].destination_port, live::kServerPort);
  EXPECT_FALSE(counts[0].reply);
  EXPECT_EQ(counts[1].count, 5U);
  EXPECT_TRUE(counts[1].reply);
  EXPECT_TRUE(counted().empty()) << "nothing is handed on twice";
  EXPECT_EQ(counter(DatapathCounter::observations_counted), 10U);

  source_->forget(attempt, [](const Observation&) {});
  EXPECT_EQ(source_->known(), 0U);
  const UniqueFd client = network_.client_socket(live::kServerPort, 43000);
  ASSERT_EQ(live::exchange(client.get(), server.get(), 1), 1U);
  EXPECT_EQ(seen().size(), 2U);
}

TEST_F(LiveObservations, AFullTableOfKnownAttemptsSaysSo) {
  settings_.max_known_attempts = 2;
  start(settings_);
  ConnectionAttempt attempt;
  for (attempt.port = 1; attempt.port <= 3; ++attempt.port) {
    EXPECT_EQ(source_->know(attempt), attempt.port < 3) << attempt.port;
  }
  EXPECT_EQ(source_->not_known(), 1U);
  source_->poll([](const Observation&) {}, Duration::zero());
  EXPECT_EQ(source_->known(), 0U) << "those that are idle make room";
}

TEST_F(LiveObservations, AreNotMadeUntilSomebodyReadsThem) {
  auto started = BpfDatapath::start(settings_);
  ASSERT_TRUE(started) << started.error().message;
  datapath_ = std::make_unique<BpfDatapath>(*std::move(started));
  const UniqueFd client = network_.client_socket();
  const UniqueFd server = live::Network::server_socket();
  ASSERT_EQ(live::exchange(client.get(), server.get(), 3), 3U);
  EXPECT_EQ(counter(DatapathCounter::observations_sent) + counter(DatapathCounter::observations_lost), 0U);

  settings_.observation_limit = 0;
  ASSERT_TRUE(datapath_->stop());
  datapath_.reset();
  auto again = BpfDatapath::start(settings_);
  ASSERT_TRUE(again) << again.error().message;
  datapath_ = std::make_unique<BpfDatapath>(*std::move(again));
  EXPECT_FALSE(datapath_->open_observations());
}

}  // namespace
}  // namespace spidd
