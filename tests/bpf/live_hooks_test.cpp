// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attaching to real interfaces: every kind of hook sees both directions, is reported as what it is, and leaves nothing.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "bpf/abi.h"
#include "tests/bpf/live_network.h"
#include "userspace/capture/bpf_attach.h"
#include "userspace/capture/bpf_datapath.h"

namespace spidd {
namespace {

HookKind tc_kind() { return live::kernel_has_tcx() ? HookKind::tcx : HookKind::clsact; }

std::uint32_t xdp_program_id(const char* interface) {
  std::uint32_t id = 0;
  bpf_xdp_query_id(static_cast<int>(::if_nametoindex(interface)), 0, &id);
  return id;
}

struct Directions {
  unsigned ingress = 0;
  unsigned egress = 0;
};

Directions records_seen(BpfSource& source) {
  Directions seen;
  source.drain([&](const PacketRecord& record) { ++(record.egress ? seen.egress : seen.ingress); }, 1000);
  return seen;
}

class LiveHooks : public testing::Test {
 protected:
  // Attaches, sends five packets each way, stops; checks what every kind of hook must do.
  void expect_to_see_both_directions(const BpfSettings& settings, HookKind ingress, HookKind egress) {
    auto datapath = BpfDatapath::start(settings);
    ASSERT_TRUE(datapath) << datapath.error().message;
    ASSERT_EQ(datapath->interfaces().size(), 1U);
    EXPECT_EQ(hook_kind_name(datapath->interfaces()[0].ingress), hook_kind_name(ingress));
    EXPECT_EQ(hook_kind_name(datapath->interfaces()[0].egress), hook_kind_name(egress));

    auto source = datapath->open_source(0);
    ASSERT_TRUE(source) << source.error().message;
    const UniqueFd client = network_.client_socket();
    const UniqueFd server = live::Network::server_socket();
    EXPECT_EQ(live::exchange(client.get(), server.get(), 5), 5U);
    const Directions seen = records_seen(**source);
    EXPECT_EQ(seen.ingress, 5U);
    EXPECT_EQ(seen.egress, 5U);

    const auto stopped = datapath->stop();
    ASSERT_TRUE(stopped) << stopped.error().message;
    EXPECT_EQ(live::exchange(client.get(), server.get(), 1), 1U);
    EXPECT_EQ(records_seen(**source).ingress, 0U);
    EXPECT_EQ(xdp_program_id(live::kInterface), 0U);
    EXPECT_FALSE(std::filesystem::exists(settings.pin_directory));
    EXPECT_EQ(live::execute("tc filter show dev sensor0 ingress").output.find("bpf"), std::string::npos);
    EXPECT_EQ(live::execute("tc filter show dev sensor0 egress").output.find("bpf"), std::string::npos);
  }

  live::Network network_;
  BpfSettings settings_ = live::Network::settings();
};

TEST_F(LiveHooks, NativeXdpSeesWhatComesAndTcWhatGoes) {
  settings_.ingress = IngressHook::native;
  expect_to_see_both_directions(settings_, HookKind::xdp_native, tc_kind());
}

TEST_F(LiveHooks, TheDispatcherIsUsedWhereTheKernelAllowsItAndNeverClaimedElsewhere) {
  expect_to_see_both_directions(
      settings_, live::kernel_allows_dispatcher() ? HookKind::xdp_dispatcher : HookKind::xdp_native, tc_kind());
}

TEST_F(LiveHooks, TcSeesBothDirections) {
  settings_.ingress = IngressHook::tc;
  expect_to_see_both_directions(settings_, tc_kind(), tc_kind());
}

TEST_F(LiveHooks, ClsactSeesBothDirections) {
  settings_.ingress = IngressHook::tc;
  settings_.use_tcx = false;
  expect_to_see_both_directions(settings_, HookKind::clsact, HookKind::clsact);
}

TEST_F(LiveHooks, TcIsUsedWhereTheDriverHasNoNativeXdp) {
  settings_.interfaces = {"lo"};
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  EXPECT_EQ(hook_kind_name(datapath->interfaces()[0].ingress), hook_kind_name(tc_kind()));
  EXPECT_FALSE(datapath->interfaces()[0].layer3);
  EXPECT_TRUE(datapath->stop());
}

TEST_F(LiveHooks, ADriverThatRefusesForNowIsReported) {
  // Frames that do not fit into a page rule out XDP without fragments.
  ASSERT_TRUE(live::run({"ip link set sensor0 mtu 9000"}));
  ASSERT_TRUE(network_.run_on_client({"ip link set client0 mtu 9000"}));
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  if (datapath->interfaces()[0].ingress != HookKind::xdp_native &&
      datapath->interfaces()[0].ingress != HookKind::xdp_dispatcher) {
    ASSERT_EQ(datapath->warnings().size(), 1U);
    EXPECT_NE(datapath->warnings()[0].find("watched by tc instead"), std::string::npos) << datapath->warnings()[0];
  }
  EXPECT_TRUE(datapath->stop());
}

TEST_F(LiveHooks, AnInterfaceWithoutEthernetIsWatchedByTc) {
  ASSERT_TRUE(live::run({"ip tuntap add dev tun7 mode tun", "ip link set tun7 up"}));
  settings_.interfaces = {"tun7"};
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  EXPECT_TRUE(datapath->interfaces()[0].layer3);
  EXPECT_EQ(hook_kind_name(datapath->interfaces()[0].ingress), hook_kind_name(tc_kind()));
  EXPECT_TRUE(datapath->stop());
}

TEST_F(LiveHooks, AForeignXdpProgramKeepsItsPlace) {
  const std::array<bpf_insn, 2> pass = {{{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const UniqueFd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass.data(), pass.size(), nullptr));
  ASSERT_EQ(bpf_xdp_attach(static_cast<int>(::if_nametoindex(live::kInterface)), other.get(), 4, nullptr), 0);
  const std::uint32_t before = xdp_program_id(live::kInterface);
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  EXPECT_EQ(hook_kind_name(datapath->interfaces()[0].ingress), hook_kind_name(tc_kind()));
  ASSERT_EQ(datapath->warnings().size(), 1U);
  EXPECT_NE(datapath->warnings()[0].find("other (id"), std::string::npos) << datapath->warnings()[0];
  EXPECT_TRUE(datapath->stop());
  EXPECT_EQ(xdp_program_id(live::kInterface), before);

  settings_.ingress = IngressHook::native;
  const auto refused = BpfDatapath::start(settings_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EBUSY) << refused.error().message;
  EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
}

TEST_F(LiveHooks, AnUnknownInterfaceIsNamed) {
  settings_.interfaces = {live::kInterface, "nowhere9"};
  const auto datapath = BpfDatapath::start(settings_);
  ASSERT_FALSE(datapath);
  EXPECT_NE(datapath.error().message.find("nowhere9"), std::string::npos) << datapath.error().message;
  EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
}

TEST_F(LiveHooks, SettingsThatCannotBeAreRefused) {
  settings_.interfaces = {live::kInterface, live::kInterface};
  EXPECT_FALSE(BpfDatapath::start(settings_));
  settings_.interfaces = {};
  EXPECT_FALSE(BpfDatapath::start(settings_));
  settings_ = live::Network::settings();
  settings_.ring_bytes = 5000;
  EXPECT_FALSE(BpfDatapath::start(settings_));
  settings_ = live::Network::settings();
  settings_.pin_directory = "/tmp/not-a-bpffs";
  EXPECT_FALSE(BpfDatapath::start(settings_));
  settings_.pin_directory = "/sys/fs/bpf/spidd";
  settings_.workers = 65;
  EXPECT_FALSE(BpfDatapath::start(settings_));
  EXPECT_FALSE(std::filesystem::exists("/sys/fs/bpf/spidd"));
}

TEST_F(LiveHooks, TwoDaemonsDoNotShareAPinDirectory) {
  auto first = BpfDatapath::start(settings_);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = BpfDatapath::start(settings_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another spidd"), std::string::npos) << second.error().message;
  EXPECT_TRUE(first->stop());
}

TEST_F(LiveHooks, SeveralInterfacesHaveDomainsOfTheirOwn) {
  ASSERT_TRUE(live::run({"ip link add one type veth peer name two", "ip link set one up", "ip link set two up"}));
  settings_.interfaces = {live::kInterface, "one", "two"};
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  ASSERT_EQ(datapath->interfaces().size(), 3U);
  EXPECT_NE(datapath->interfaces()[0].domain, datapath->interfaces()[1].domain);
  EXPECT_NE(datapath->interfaces()[1].domain, datapath->interfaces()[2].domain);
  EXPECT_TRUE(datapath->stop());
}

TEST_F(LiveHooks, AFailedStartUndoesWhatItAttached) {
  const std::array<bpf_insn, 2> pass = {{{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const UniqueFd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass.data(), pass.size(), nullptr));
  ASSERT_TRUE(live::run({"ip link add one type veth peer name two"}));
  ASSERT_EQ(bpf_xdp_attach(static_cast<int>(::if_nametoindex("one")), other.get(), 4, nullptr), 0);
  settings_.interfaces = {live::kInterface, "one"};
  settings_.ingress = IngressHook::native;
  EXPECT_FALSE(BpfDatapath::start(settings_));
  EXPECT_EQ(xdp_program_id(live::kInterface), 0U);
  EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
}

TEST_F(LiveHooks, PinnedMapsThatNothingUsesAreReplacedWhenTheyAreOfAnotherVersion) {
  std::filesystem::create_directories(settings_.pin_directory + "/maps");
  const UniqueFd config(bpf_map_create(BPF_MAP_TYPE_ARRAY, "config", 4, 128, 1, nullptr));
  std::array<std::uint32_t, 32> value = {999};
  const std::uint32_t zero = 0;
  ASSERT_EQ(bpf_map_update_elem(config.get(), &zero, value.data(), BPF_ANY), 0);
  ASSERT_EQ(bpf_obj_pin(config.get(), (settings_.pin_directory + "/maps/config").c_str()), 0);
  auto datapath = BpfDatapath::start(settings_);
  ASSERT_TRUE(datapath) << datapath.error().message;
  EXPECT_FALSE(datapath->took_over());
  ASSERT_EQ(datapath->warnings().size(), 1U);
  EXPECT_NE(datapath->warnings()[0].find("ABI version 999"), std::string::npos) << datapath->warnings()[0];
  EXPECT_TRUE(datapath->stop());
}

TEST_F(LiveHooks, PinnedMapsOfAnotherVersionInUseAreAnError) {
  {
    auto datapath = BpfDatapath::start(settings_);
    ASSERT_TRUE(datapath) << datapath.error().message;
    auto config = UniqueFd(bpf_obj_get((settings_.pin_directory + "/maps/config").c_str()));
    std::array<std::uint32_t, 32> value = {999};
    const std::uint32_t zero = 0;
    ASSERT_EQ(bpf_map_update_elem(config.get(), &zero, value.data(), BPF_ANY), 0);
  }
  const auto refused = BpfDatapath::start(settings_);
  ASSERT_FALSE(refused);
  const std::string versions = "version 999, this spidd speaks version " + std::to_string(SPIDD_ABI_VERSION);
  EXPECT_NE(refused.error().message.find(versions), std::string::npos) << refused.error().message;
  EXPECT_TRUE(std::filesystem::exists(settings_.pin_directory));
  ASSERT_TRUE(remove_pinned_datapath(settings_));
  EXPECT_EQ(xdp_program_id(live::kInterface), 0U);
  EXPECT_FALSE(std::filesystem::exists(settings_.pin_directory));
}

}  // namespace
}  // namespace spidd
