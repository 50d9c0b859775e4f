// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The enforcer over the real kernel: what a restart or a reload must let pass again, whatever was blocked before.
#include <gtest/gtest.h>

#include <memory>

#include "tests/bpf/live_network.h"
#include "userspace/capture/bpf_datapath.h"
#include "userspace/daemon/enforcer.h"

namespace spidd {
namespace {

using std::chrono::minutes;

class LiveEnforcer : public testing::Test {
 protected:
  void SetUp() override {
    client_ = network_.client_socket();
    server_ = live::Network::server_socket();
    auto started = BpfDatapath::start(live::Network::settings());
    ASSERT_TRUE(started) << started.error().message;
    datapath_ = std::make_unique<BpfDatapath>(*std::move(started));
    policy_.mode = Mode::enforce;
    start("");
    const auto blocked = enforcer_->block({target(), wall_clock_now(), minutes(1), "tunnels", "openvpn", 0});
    ASSERT_TRUE(blocked) << blocked.error().message;
    ASSERT_FALSE(passes());
  }
  void TearDown() override {
    enforcer_.reset();
    if (datapath_) {
      EXPECT_TRUE(datapath_->stop());
    }
  }

  // As after a restart: on the maps and the journal that there are.
  void start(std::string_view ssh_connection, std::vector<IpAddress> own_addresses = {}) {
    enforcer_.reset();
    auto drops = DropMap::open(datapath_->drop_maps(), network_.state_directory());
    ASSERT_TRUE(drops) << drops.error().message;
    enforcer_ = std::make_unique<Enforcer>(policy_, *std::move(drops), ssh_connection);
    enforcer_->set_own_addresses(std::move(own_addresses));
    const auto restored = enforcer_->restore(wall_clock_now());
    ASSERT_TRUE(restored) << restored.error().message;
  }
  static BlockTarget target() {
    return EndpointTarget{*IpAddress::parse(live::kSensorAddress), live::kServerPort, Transport::udp};
  }
  bool passes() { return live::exchange(client_.get(), server_.get(), 1) == 1; }

  live::Network network_;
  Policy policy_;
  std::unique_ptr<BpfDatapath> datapath_;
  std::unique_ptr<Enforcer> enforcer_;
  UniqueFd client_;
  UniqueFd server_;
};

TEST_F(LiveEnforcer, ARestartKeepsABlockUnlessTheAdministratorsSessionComesFromThere) {
  start("192.0.2.1 50000 192.0.2.2 22");
  EXPECT_EQ(enforcer_->size(), 1U);
  EXPECT_FALSE(passes());
  start(std::string(live::kSensorAddress) + " 50000 192.0.2.2 22");
  EXPECT_EQ(enforcer_->size(), 0U);
  EXPECT_TRUE(passes());
}

TEST_F(LiveEnforcer, ARestartEndsABlockOfWhatIsAnAddressOfThisHostNow) {
  start("", {*IpAddress::parse(live::kSensorAddress)});
  EXPECT_EQ(enforcer_->size(), 0U);
  EXPECT_TRUE(passes());
}

TEST_F(LiveEnforcer, ANewNeverBlockPrefixEndsABlockEvenIfTheKernelTakesNotAllOfThem) {
  policy_.never_block = {IpPrefix::of_host(*IpAddress::parse(live::kSensorAddress))};
  for (std::uint32_t i = 0; i < 20000; ++i)
    policy_.never_block.push_back(IpPrefix::of_host(IpAddress::from_ipv4(0x0b000000 + i)));
  EXPECT_FALSE(enforcer_->set_policy(policy_));
  EXPECT_EQ(enforcer_->size(), 0U);
  EXPECT_TRUE(passes());
}

}  // namespace
}  // namespace spidd
