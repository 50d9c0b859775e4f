// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The settings file: defaults, ranges, and what is said about mistakes.
#include "userspace/daemon/config.h"

#include <gmock/gmock.h>

#include <fstream>

namespace spidd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto config = parse_config(text, "spidd.toml");
  return config ? "" : config.error().message;
}

TEST(Config, OfAnEmptyFileIsTheDefault) {
  const auto config = parse_config("", "spidd.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->datapath.workers, 1U);
  EXPECT_EQ(config->control.socket_path, "/run/spidd/control.sock");
  EXPECT_EQ(config->control.mode, 0660U);
  EXPECT_EQ(config->datapath.pin_directory, "/sys/fs/bpf/spidd");
  EXPECT_EQ(config->engine.packet_blocks, EngineSettings{}.packet_blocks);
}

TEST(Config, ReadsEveryKindOfKey) {
  const auto config = parse_config(R"(
interfaces = ["eth0", "eth1.7"]
policy = "/etc/spidd/gateway.toml"
workers = 4
[datapath]
ingress = "tc"
tcx = false
ring_bytes = 8192
observation_limit = 0
observation_ring_bytes = 4096
max_known_attempts = 100
udp_idle = "90s"
keep_on_stop = true
[engine]
flows = 2048
endpoint_labels = "decide"
link_ftp_data = false
awaiting_proof = 100
servers = 1000
server_memory = "30m"
packet_bytes = 3920000
[control]
socket = "/run/x.sock"
group = "adm"
mode = "0666"
[events]
log = "/var/log/x.jsonl"
packet_alerts_per_second = 7
outputs = ["fast:/var/log/spidd/alert", "syslog"]
)",
                                   "spidd.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->datapath.interfaces, ElementsAre("eth0", "eth1.7"));
  EXPECT_EQ(config->policy_path, "/etc/spidd/gateway.toml");
  EXPECT_EQ(config->datapath.workers, 4U);
  EXPECT_EQ(config->datapath.ingress, IngressHook::tc);
  EXPECT_FALSE(config->datapath.use_tcx);
  EXPECT_EQ(config->datapath.ring_bytes, 8192U);
  EXPECT_EQ(config->datapath.observation_limit, 0U);
  EXPECT_EQ(config->datapath.observation_ring_bytes, 4096U);
  EXPECT_EQ(config->datapath.max_known_attempts, 100U);
  EXPECT_EQ(config->datapath.udp_idle, std::chrono::seconds(90));
  EXPECT_TRUE(config->keep_on_stop);
  EXPECT_EQ(config->packet_alerts, 7U);
  ASSERT_EQ(config->alert_outputs.size(), 2U);
  EXPECT_EQ(config->alert_outputs[0].path, "/var/log/spidd/alert");
  EXPECT_EQ(config->alert_outputs[1].format, AlertFormat::syslog);
  EXPECT_EQ(config->engine.flows.flows, 2048U);
  EXPECT_EQ(config->engine.endpoint_labels, EndpointLabels::decide);
  EXPECT_FALSE(config->engine.link_ftp_data);
  EXPECT_EQ(config->engine.awaiting_proof, 100U);
  EXPECT_EQ(config->engine.endpoint_limits.servers, 1000U);
  EXPECT_EQ(config->engine.endpoint_limits.lifetime, std::chrono::minutes(30));
  EXPECT_EQ(config->engine.packet_blocks, 10000U);
  EXPECT_EQ(config->control.socket_path, "/run/x.sock");
  EXPECT_EQ(config->control.group, "adm");
  EXPECT_EQ(config->control.mode, 0666U);
  EXPECT_EQ(config->event_log_path, "/var/log/x.jsonl");
}

TEST(Config, NamesTheLineOfAnUnknownKey) {
  EXPECT_THAT(error_of("interfaces = [\"eth0\"]\nworker = 2\n"), HasSubstr("spidd.toml:2: unknown key 'worker'"));
  EXPECT_THAT(error_of("[datapath]\n\nrings = 2\n"), HasSubstr("spidd.toml:3: "));
}

TEST(Config, RefusesValuesOutOfRangeAndOfTheWrongType) {
  for (const char* const text : {
           "workers = 0",
           "workers = 65",
           "workers = \"two\"",
           "interfaces = \"eth0\"",
           "policy = \"relative.toml\"",
           "[datapath]\nring_bytes = 5000",
           "[datapath]\nobservation_ring_bytes = 5000",
           "[datapath]\nudp_idle = \"0s\"",
           "[datapath]\ningress = \"generic\"",
           "[control]\nmode = \"0060\"",
           "[control]\nmode = \"rw\"",
           "[control]\nmode = \"01777\"",
           "[control]\nmax_clients = 100000",
           "[events]\nqueue = -1",
           "[events]\noutputs = [\"fast:alert\"]",
           "workers = ",
       })
    EXPECT_THAT(error_of(text), HasSubstr("spidd.toml:")) << text;
}

TEST(Config, ReportsEveryMistakeAtOnce) {
  const std::string message = error_of("workers = 0\n[control]\nmode = \"x\"\n[engine]\nflow = 1\n");
  EXPECT_THAT(message, HasSubstr("spidd.toml:1: "));
  EXPECT_THAT(message, HasSubstr("spidd.toml:3: "));
  EXPECT_THAT(message, HasSubstr("spidd.toml:5: "));
}

TEST(Config, NeedsInterfacesWithPlausibleNamesEachOnce) {
  DaemonConfig config;
  EXPECT_FALSE(check_config(config));
  for (const auto& names : std::vector<std::vector<std::string>>{
           {"eth0", "eth0"}, {""}, {"a/b"}, {"sixteen-bytes-xy"}, std::vector<std::string>(65, "eth0")}) {
    config.datapath.interfaces = names;
    EXPECT_FALSE(check_config(config)) << names.front();
  }
  config.datapath.interfaces = {"eth0", "eth1"};
  EXPECT_TRUE(check_config(config));
}

TEST(Config, SharesTheLimitsAmongTheWorkers) {
  EngineSettings all;
  all.flows = {8192, 4096};
  all.packet_blocks = 1024;
  const EngineSettings share = share_of_worker(all, 4);
  EXPECT_EQ(share.flows.flows, 2048U);
  EXPECT_EQ(share.flows.embryonic, 1024U);
  EXPECT_EQ(share.packet_blocks, 256U);
}

TEST(Config, PutsTheEventLogIntoTheStateDirectory) {
  DaemonConfig config;
  config.datapath.state_directory = "/x";
  complete_config(config);
  EXPECT_EQ(config.event_log_path, "/x/events.jsonl");
  EXPECT_NE(config.models_directory, "");
}

// The shipped file shows every key with its default: with the comment signs taken away it must say the same as nothing.
TEST(Config, OfTheExampleIsTheDefault) {
  std::ifstream file(SPIDD_EXAMPLE_CONFIG);
  ASSERT_TRUE(file);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool is_key = line.starts_with("# ") && line.find(" = ") != std::string::npos && line[2] >= 'a' &&
                        line.find(' ', 2) == line.find(" = ");
    text += (is_key ? line.substr(2) : line) + "\n";
  }
  const auto config = parse_config(text, "spidd.toml");
  ASSERT_TRUE(config) << config.error().message;
  const DaemonConfig standard;
  EXPECT_EQ(config->datapath.ring_bytes, standard.datapath.ring_bytes);
  EXPECT_EQ(config->datapath.max_flows, standard.datapath.max_flows);
  EXPECT_EQ(config->datapath.max_drops, standard.datapath.max_drops);
  EXPECT_EQ(config->datapath.max_never_block, standard.datapath.max_never_block);
  EXPECT_EQ(config->datapath.observation_limit, standard.datapath.observation_limit);
  EXPECT_EQ(config->datapath.observation_ring_bytes, standard.datapath.observation_ring_bytes);
  EXPECT_EQ(config->datapath.max_known_attempts, standard.datapath.max_known_attempts);
  EXPECT_EQ(config->datapath.port_counters, standard.datapath.port_counters);
  EXPECT_EQ(config->datapath.tcp_idle, standard.datapath.tcp_idle);
  EXPECT_EQ(config->datapath.udp_idle, standard.datapath.udp_idle);
  EXPECT_EQ(config->datapath.heartbeat_limit, standard.datapath.heartbeat_limit);
  EXPECT_EQ(config->datapath.pin_directory, standard.datapath.pin_directory);
  EXPECT_EQ(config->datapath.state_directory, standard.datapath.state_directory);
  EXPECT_EQ(config->datapath.ingress, standard.datapath.ingress);
  EXPECT_EQ(config->engine.flows.flows, standard.engine.flows.flows);
  EXPECT_EQ(config->engine.flows.embryonic, standard.engine.flows.embryonic);
  EXPECT_EQ(config->engine.packet_blocks, standard.engine.packet_blocks);
  EXPECT_EQ(config->engine.tcp_idle, standard.engine.tcp_idle);
  EXPECT_EQ(config->engine.udp_idle, standard.engine.udp_idle);
  EXPECT_EQ(config->engine.pause, standard.engine.pause);
  EXPECT_EQ(config->control.socket_path, standard.control.socket_path);
  EXPECT_EQ(config->control.mode, standard.control.mode);
  EXPECT_EQ(config->control.max_clients, standard.control.max_clients);
  EXPECT_EQ(config->control.max_queued_bytes, standard.control.max_queued_bytes);
  EXPECT_EQ(config->recent_events, standard.recent_events);
  EXPECT_EQ(config->event_queue, standard.event_queue);
  EXPECT_EQ(config->flow_events, standard.flow_events);
  EXPECT_EQ(config->packet_alerts, standard.packet_alerts);
  EXPECT_EQ(config->alert_outputs, standard.alert_outputs);
  EXPECT_EQ(config->keep_on_stop, standard.keep_on_stop);
}

}  // namespace
}  // namespace spidd
