// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Blocks in the real kernel: what is dropped and what is not, expiry without anybody's help, kill -9, taking over.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/bpf/live_network.h"
#include "userspace/capture/bpf_datapath.h"
#include "userspace/enforcement/drop_map.h"

namespace spidd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

IpAddress address(const char* text) { return *IpAddress::parse(text); }

Block block_of(BlockTarget target, std::uint32_t slot, Duration duration) {
  Block block;
  block.slot = slot;
  block.target = std::move(target);
  block.since = wall_clock_now();
  block.expires = block.since + duration;
  block.rule = "tunnels";
  block.label = "openvpn";
  block.rule_number = 3;
  return block;
}

EndpointTarget server_endpoint() { return {address(live::kSensorAddress), live::kServerPort, Transport::udp}; }

// Runs a part of the test in a child that then waits to be killed; returns once that part is done.
pid_t run_and_hang(const std::function<bool()>& part) {
  std::array<int, 2> done{};
  if (::pipe(done.data()) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const char result = part() ? '+' : '-';
    (void)!::write(done[1], &result, 1);
    for (;;) ::pause();
  }
  char result = '-';
  ::close(done[1]);
  (void)!::read(done[0], &result, 1);
  ::close(done[0]);
  EXPECT_EQ(result, '+');
  return child;
}

void kill_hard(pid_t child) {
  ASSERT_GT(child, 0);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

class LiveEnforcement : public testing::Test {
 protected:
  void SetUp() override {
    client_ = network_.client_socket();
    server_ = live::Network::server_socket();
  }
  void TearDown() override {
    drops_.reset();
    if (datapath_) {
      EXPECT_TRUE(datapath_->stop());
    }
  }

  void start() {
    auto started = BpfDatapath::start(settings_);
    ASSERT_TRUE(started) << started.error().message;
    datapath_ = std::make_unique<BpfDatapath>(*std::move(started));
    auto drops = DropMap::open(datapath_->drop_maps(), network_.state_directory());
    ASSERT_TRUE(drops) << drops.error().message;
    drops_ = std::make_unique<DropMap>(*std::move(drops));
  }
  // Without load_existing() nothing would be known of an earlier run: this is a first start.
  void start_enforcing() {
    start();
    const auto existing = drops_->load_existing(wall_clock_now());
    ASSERT_TRUE(existing) << existing.error().message;
    EXPECT_TRUE(existing->empty());
    drops_->set_enforcing(true);
  }
  void put(const Block& block) {
    const auto done = drops_->put(block, wall_clock_now());
    ASSERT_TRUE(done) << done.error().message;
  }
  bool passes() { return live::exchange(client_.get(), server_.get(), 1) == 1; }

  // What a daemon that is going to be killed has done: attached, and blocked the server for `duration`.
  bool block_server(Duration duration) {
    auto datapath = BpfDatapath::start(settings_);
    if (!datapath) return false;
    auto drops = DropMap::open(datapath->drop_maps(), network_.state_directory());
    if (!drops || !drops->load_existing(wall_clock_now())) return false;
    drops->set_enforcing(true);
    drops->heartbeat();
    if (!drops->put(block_of(server_endpoint(), 1, duration), wall_clock_now())) return false;
    // The child must not run the destructors: it is as alive as a daemon until it is killed.
    new BpfDatapath(*std::move(datapath));
    return true;
  }

  live::Network network_;
  BpfSettings settings_ = live::Network::settings();
  std::unique_ptr<BpfDatapath> datapath_;
  std::unique_ptr<DropMap> drops_;
  UniqueFd client_;
  UniqueFd server_;
};

TEST_F(LiveEnforcement, ABlockedEndpointGetsNothingThroughAndIsCounted) {
  start_enforcing();
  ASSERT_TRUE(passes());
  put(block_of(server_endpoint(), 5, seconds(60)));
  EXPECT_EQ(live::exchange(client_.get(), server_.get(), 3), 0U);
  const auto hits = drops_->hits(5);
  ASSERT_TRUE(hits);
  EXPECT_EQ(hits->packets, 3U);
  EXPECT_EQ(hits->bytes, 3U * (20 + 8 + 10));
  ASSERT_TRUE(hits->last);
  EXPECT_LT(wall_clock_now() - *hits->last, seconds(2));
  const auto counters = datapath_->counters();
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->of(HookDirection::ingress, DatapathCounter::dropped_packets), 3U);

  const UniqueFd other_client = network_.client_socket(5001, 40001);
  const UniqueFd other_server = live::Network::server_socket(5001);
  EXPECT_EQ(live::exchange(other_client.get(), other_server.get(), 1), 1U);
}

TEST_F(LiveEnforcement, EveryKindOfTargetBlocksAndCanBeUnblocked) {
  start_enforcing();
  auto source = datapath_->open_source(0);
  ASSERT_TRUE(source);
  ASSERT_TRUE(passes());
  FlowKey key;
  (*source)->drain([&](const PacketRecord& record) { key = record.key; }, 100);
  const std::array<BlockTarget, 4> targets = {server_endpoint(),
                                              HostTarget{IpPrefix::of_host(address(live::kClientAddress))},
                                              HostTarget{*IpPrefix::parse("10.77.0.0/24")}, FlowTarget{key}};
  for (const BlockTarget& target : targets) {
    const Block block = block_of(target, 9, seconds(60));
    put(block);
    EXPECT_FALSE(passes()) << to_string(target);
    ASSERT_TRUE(drops_->remove({&block, 1}));
    EXPECT_TRUE(passes()) << to_string(target);
    EXPECT_EQ(drops_->hits(9)->packets, 1U) << to_string(target);
  }
  const Block never_there = block_of(server_endpoint(), 1, seconds(1));
  EXPECT_TRUE(drops_->remove({&never_there, 1}));
}

TEST_F(LiveEnforcement, ABlockEndsInTimeWithoutAnybodyRemovingIt) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, milliseconds(700)));
  EXPECT_FALSE(passes());
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_TRUE(passes());
}

TEST_F(LiveEnforcement, ALaterPutExtendsABlockAndKeepsItsHits) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, milliseconds(300)));
  EXPECT_FALSE(passes());
  put(block_of(server_endpoint(), 1, seconds(60)));
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_FALSE(passes());
  EXPECT_EQ(drops_->hits(1)->packets, 2U);
}

TEST_F(LiveEnforcement, NothingIsDroppedWhileObserving) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, seconds(60)));
  EXPECT_FALSE(passes());
  drops_->set_enforcing(false);
  EXPECT_TRUE(passes());
  drops_->set_enforcing(true);
  EXPECT_FALSE(passes());
}

TEST_F(LiveEnforcement, ANeverBlockPrefixWins) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, seconds(60)));
  EXPECT_FALSE(passes());
  const std::array<IpPrefix, 2> prefixes = {*IpPrefix::parse("10.77.0.1"), *IpPrefix::parse("2001:db8::/32")};
  ASSERT_TRUE(drops_->set_never_block(prefixes));
  EXPECT_TRUE(passes());
  EXPECT_GT(datapath_->counters()->sum(DatapathCounter::never_blocked), 0U);
  ASSERT_TRUE(drops_->set_never_block({}));
  EXPECT_FALSE(passes());
}

TEST_F(LiveEnforcement, AFullTableRefusesLoudly) {
  settings_.max_drops = 2;
  start_enforcing();
  put(block_of(EndpointTarget{address("192.0.2.1"), 1, Transport::tcp}, 1, seconds(60)));
  put(block_of(EndpointTarget{address("192.0.2.1"), 2, Transport::tcp}, 2, seconds(60)));
  const auto refused =
      drops_->put(block_of(EndpointTarget{address("192.0.2.1"), 3, Transport::tcp}, 3, seconds(60)), wall_clock_now());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("full"), std::string::npos) << refused.error().message;
}

TEST_F(LiveEnforcement, AfterKillTheKernelGoesOnUntilTheBlockExpires) {
  kill_hard(run_and_hang([&] { return block_server(seconds(3)); }));
  EXPECT_FALSE(passes());
  std::this_thread::sleep_for(milliseconds(3100));
  EXPECT_TRUE(passes());
  ASSERT_TRUE(remove_pinned_datapath(settings_));
}

TEST_F(LiveEnforcement, WithoutSignOfLifeFailOpenEndsAllDrops) {
  settings_.fail_policy = FailPolicy::open;
  settings_.heartbeat_limit = seconds(3);
  kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
  EXPECT_FALSE(passes());
  std::this_thread::sleep_for(milliseconds(3100));
  EXPECT_TRUE(passes());
  ASSERT_TRUE(remove_pinned_datapath(settings_));
}

TEST_F(LiveEnforcement, TheNextStartTakesOverWithoutAGap) {
  for (const auto& [ingress, tcx] : {std::pair{IngressHook::automatic, true},
                                     {IngressHook::native, true},
                                     {IngressHook::tc, true},
                                     {IngressHook::tc, false}}) {
    settings_.ingress = ingress;
    settings_.use_tcx = tcx;
    kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
    EXPECT_FALSE(passes());

    // Questions keep coming while the programs are exchanged; none may get through.
    std::jthread asking([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        ::send(client_.get(), "knock", 5, 0);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
    start();
    ASSERT_TRUE(datapath_);
    EXPECT_TRUE(datapath_->took_over());
    const auto existing = drops_->load_existing(wall_clock_now());
    ASSERT_TRUE(existing) << existing.error().message;
    asking.request_stop();
    asking.join();
    std::array<char, 16> heard{};
    EXPECT_LT(::recv(server_.get(), heard.data(), heard.size(), 0), 0);

    ASSERT_EQ(existing->size(), 1U);
    EXPECT_EQ(to_string((*existing)[0].target), to_string(BlockTarget(server_endpoint())));
    EXPECT_EQ((*existing)[0].rule, "tunnels");
    EXPECT_EQ((*existing)[0].label, "openvpn");
    EXPECT_EQ((*existing)[0].slot, 1U);
    EXPECT_LE((*existing)[0].expires - wall_clock_now(), seconds(60));
    EXPECT_GT((*existing)[0].expires - wall_clock_now(), seconds(50));
    EXPECT_GE(drops_->hits(1)->packets, 1U);
    EXPECT_TRUE(drops_->enforcing());
    EXPECT_FALSE(passes());

    ASSERT_TRUE(drops_->remove(*existing));
    EXPECT_TRUE(passes());
    // The programs that were put in place are this start's: its ring gets the records.
    auto source = datapath_->open_source(0);
    ASSERT_TRUE(source);
    EXPECT_EQ((*source)->drain([](const PacketRecord&) {}, 100), 2U);
    drops_.reset();
    ASSERT_TRUE(datapath_->stop());
    datapath_.reset();
  }
}

TEST_F(LiveEnforcement, AnInterfaceThatIsNoLongerWatchedIsLetGo) {
  ASSERT_TRUE(live::run({"ip link add one type veth peer name two", "ip link set one up"}));
  settings_.interfaces = {live::kInterface, "one"};
  kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
  settings_.interfaces = {"one"};
  start();
  ASSERT_TRUE(datapath_);
  ASSERT_EQ(datapath_->interfaces().size(), 1U);
  EXPECT_EQ(datapath_->interfaces()[0].domain, 1);
  EXPECT_TRUE(passes());
}

TEST_F(LiveEnforcement, AnInterfaceThatDisappearedDoesNotHinderTheNextStartOrTheStop) {
  ASSERT_TRUE(live::run({"ip link add one type veth peer name two", "ip link set one up"}));
  settings_.interfaces = {live::kInterface, "one"};
  kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
  ASSERT_TRUE(live::run({"ip link del one"}));
  settings_.interfaces = {live::kInterface};
  start();
  ASSERT_TRUE(datapath_);
  EXPECT_FALSE(passes());
}

TEST_F(LiveEnforcement, AnotherKindOfHookIsPutInPlaceOfTheOldOne) {
  kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
  settings_.ingress = IngressHook::tc;
  start();
  ASSERT_TRUE(datapath_);
  EXPECT_NE(datapath_->interfaces()[0].ingress, HookKind::xdp_native);
  std::uint32_t id = 0;
  bpf_xdp_query_id(static_cast<int>(::if_nametoindex(live::kInterface)), 0, &id);
  EXPECT_EQ(id, 0U);
  EXPECT_FALSE(passes());
}

TEST_F(LiveEnforcement, BlocksComeBackAfterACleanStop) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, seconds(60)));
  put(block_of(EndpointTarget{address("192.0.2.1"), 1, Transport::tcp}, 2, milliseconds(100)));
  drops_.reset();
  ASSERT_TRUE(datapath_->stop());
  datapath_.reset();
  EXPECT_TRUE(passes());
  std::this_thread::sleep_for(milliseconds(150));

  start();
  EXPECT_FALSE(datapath_->took_over());
  const auto existing = drops_->load_existing(wall_clock_now());
  ASSERT_TRUE(existing);
  ASSERT_EQ(existing->size(), 1U);
  EXPECT_EQ((*existing)[0].rule, "tunnels");
  EXPECT_TRUE(passes());
  drops_->set_enforcing(true);
  EXPECT_FALSE(passes());
}

TEST_F(LiveEnforcement, BlocksThatOnlyTheKernelKnowsAreNotHidden) {
  kill_hard(run_and_hang([&] { return block_server(seconds(60)); }));
  std::filesystem::remove(network_.state_directory() + "/blocks.jsonl");
  start();
  const auto existing = drops_->load_existing(wall_clock_now());
  ASSERT_TRUE(existing);
  ASSERT_EQ(existing->size(), 1U);
  EXPECT_EQ((*existing)[0].rule, "recovered");
  EXPECT_EQ((*existing)[0].rule_number, 3);
}

TEST_F(LiveEnforcement, AStopThatKeepsLeavesTheKernelEnforcing) {
  start_enforcing();
  put(block_of(server_endpoint(), 1, seconds(60)));
  drops_.reset();
  ASSERT_TRUE(datapath_->stop(true));
  datapath_.reset();
  EXPECT_FALSE(passes());
  ASSERT_TRUE(remove_pinned_datapath(settings_));
  EXPECT_TRUE(passes());
}

TEST_F(LiveEnforcement, EverythingWorksAfterPrivilegesAreGivenUp) {
  const pid_t child = run_and_hang([&] {
    start_enforcing();
    auto source = datapath_->open_source(0);
    const auto kept = datapath_->drop_privileges();
    EXPECT_TRUE(kept) << kept.error().message;
    const HookKind kinds[] = {datapath_->interfaces()[0].ingress, datapath_->interfaces()[0].egress};
    if (kinds[0] == HookKind::xdp_native && kinds[1] == HookKind::tcx) {
      EXPECT_TRUE(kept->empty());
    }
    EXPECT_NE(::chroot("/"), 0);
    EXPECT_TRUE(passes());
    std::optional<PacketRecord> record;
    EXPECT_EQ((*source)->drain([&](const PacketRecord& each) { record = each; }, 100), 2U);
    EXPECT_TRUE((*source)->totals(record->key, record->flow_start));
    (*source)->decided(record->key, record->flow_start);
    (*source)->drain([](const PacketRecord&) {}, 100);
    EXPECT_EQ((*source)->verdicts_missed(), 0U);
    EXPECT_TRUE(datapath_->counters());
    EXPECT_TRUE(datapath_->flows(10, [](const KernelFlow&) {}));
    const Block block = block_of(server_endpoint(), 1, seconds(60));
    put(block);
    EXPECT_FALSE(passes());
    EXPECT_TRUE(drops_->remove({&block, 1}));
    EXPECT_TRUE(drops_->set_never_block({}));
    drops_.reset();
    const auto stopped = datapath_->stop();
    EXPECT_TRUE(stopped) << stopped.error().message;
    EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
    return !HasFailure();
  });
  kill_hard(child);
  EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
}

}  // namespace
}  // namespace spidd
