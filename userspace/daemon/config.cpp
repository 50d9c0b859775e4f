// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/config.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <limits>

#include "userspace/policy/config_table.h"

namespace spidd {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kMaxInterfaces = 64;
constexpr std::uint32_t kMostOutputs = 16;
constexpr std::uint32_t kMostFlows = 16U << 20U;
constexpr std::size_t kBlockBytes = sizeof(PayloadPacket) * PacketStore::kBlockPackets + 8;
constexpr std::array<std::string_view, 3> kEndpointLabels = {"off", "name", "decide"};
constexpr std::array<std::string_view, 4> kIngressWords = {"auto", "dispatcher", "native", "tc"};

// The integer of `key`, else the value there was.
template <class T>
void read(ConfigTable& table, std::string_view key, T& value, std::uint64_t least, std::uint64_t most) {
  if (const auto found = table.integer(key, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most)))
    value = static_cast<T>(*found);
}
void read(ConfigTable& table, std::string_view key, bool& value) { value = table.boolean(key).value_or(value); }
void read(ConfigTable& table, std::string_view key, std::string& value) { value = table.text(key).value_or(value); }
void read(ConfigTable& table, std::string_view key, Duration& value, Duration least, Duration most) {
  value = table.duration(key, least, most).value_or(value);
}

void read_path(ConfigTable& table, std::string_view key, std::string& value) {
  read(table, key, value);
  if (table.has(key) && !value.empty() && value.front() != '/')
    table.complain(table.line_of(key), fmt::format("{}: '{}' is not an absolute path", key, value));
}

void read_datapath(ConfigTable table, BpfSettings& datapath, bool& keep_on_stop) {
  read_path(table, "pin_directory", datapath.pin_directory);
  if (const auto word = table.choice("ingress", kIngressWords)) datapath.ingress = static_cast<IngressHook>(*word);
  read(table, "tcx", datapath.use_tcx);
  read(table, "ring_bytes", datapath.ring_bytes, 4096, 1U << 30U);
  if (!std::has_single_bit(datapath.ring_bytes))
    table.complain(table.line_of("ring_bytes"),
                   fmt::format("ring_bytes = {} is not a power of two", datapath.ring_bytes));
  read(table, "max_flows", datapath.max_flows, 1024, kMostFlows);
  read(table, "max_drops", datapath.max_drops, 16, 65535);
  read(table, "max_never_block", datapath.max_never_block, 1, 1U << 20U);
  read(table, "observation_limit", datapath.observation_limit, 0, std::numeric_limits<std::uint32_t>::max());
  read(table, "observation_ring_bytes", datapath.observation_ring_bytes, 4096, 1U << 30U);
  if (!std::has_single_bit(datapath.observation_ring_bytes))
    table.complain(table.line_of("observation_ring_bytes"),
                   fmt::format("observation_ring_bytes = {} is not a power of two", datapath.observation_ring_bytes));
  read(table, "max_known_attempts", datapath.max_known_attempts, 16, 1U << 20U);
  read(table, "port_counters", datapath.port_counters);
  read(table, "new_flow_limit", datapath.new_flow_limit, 0, std::numeric_limits<std::uint32_t>::max());
  read(table, "tcp_idle", datapath.tcp_idle, seconds(1), hours(24 * 7));
  read(table, "udp_idle", datapath.udp_idle, seconds(1), hours(24 * 7));
  read(table, "heartbeat_limit", datapath.heartbeat_limit, seconds(5), hours(24));
  read(table, "keep_on_stop", keep_on_stop);
  table.refuse_unknown_keys();
}

void read_engine(ConfigTable table, EngineSettings& engine) {
  read(table, "flows", engine.flows.flows, 1024, kMostFlows);
  read(table, "embryonic_flows", engine.flows.embryonic, 256, kMostFlows);
  std::uint64_t bytes = engine.packet_blocks * kBlockBytes;
  read(table, "packet_bytes", bytes, 1U << 20U, std::uint64_t{16} << 30U);
  if (table.has("packet_bytes")) engine.packet_blocks = static_cast<std::uint32_t>(bytes / kBlockBytes);
  read(table, "tcp_idle", engine.tcp_idle, seconds(1), hours(24 * 7));
  read(table, "udp_idle", engine.udp_idle, seconds(1), hours(24 * 7));
  read(table, "pause", engine.pause, milliseconds(500), hours(1));
  if (const auto word = table.choice("endpoint_labels", kEndpointLabels))
    engine.endpoint_labels = static_cast<EndpointLabels>(*word);
  read(table, "link_ftp_data", engine.link_ftp_data);
  read(table, "awaiting_proof", engine.awaiting_proof, 0, kMostFlows);
  read(table, "second_looks", engine.second_looks, 0, 1U << 20U);
  read(table, "servers", engine.endpoint_limits.servers, 16, kMostFlows);
  read(table, "ftp_pairs", engine.endpoint_limits.ftp_pairs, 16, kMostFlows);
  read(table, "server_memory", engine.endpoint_limits.lifetime, seconds(1), hours(24 * 7));
  table.refuse_unknown_keys();
}

void read_mode(ConfigTable& table, unsigned& mode) {
  const auto word = table.text("mode");
  if (!word) return;
  const bool octal = word->size() <= 4 && std::ranges::all_of(*word, [](char c) { return c >= '0' && c <= '7'; });
  const unsigned long value = octal ? std::stoul(*word, nullptr, 8) : 0;
  if (!octal || value > 0777 || (value & 0600U) != 0600U)
    table.complain(table.line_of("mode"),
                   fmt::format("mode = '{}' is not a file mode such as \"0660\" that lets the owner in", *word));
  else
    mode = static_cast<unsigned>(value);
}

void read_control(ConfigTable table, ControlSettings& control) {
  read_path(table, "socket", control.socket_path);
  read(table, "group", control.group);
  read_mode(table, control.mode);
  read(table, "max_clients", control.max_clients, 1, 256);
  read(table, "max_queued_bytes", control.max_queued_bytes, 65536, 1U << 30U);
  table.refuse_unknown_keys();
}

void read_events(ConfigTable table, DaemonConfig& config) {
  read_path(table, "log", config.event_log_path);
  read(table, "recent", config.recent_events, 1, 1000000);
  read(table, "queue", config.event_queue, 64, 1000000);
  read(table, "flows_per_second", config.flow_events, 0, 100000000);
  read(table, "packet_alerts_per_second", config.packet_alerts, 0, 100000000);
  config.alert_outputs = table.list<AlertOutputSettings>("outputs", kMostOutputs, false, parse_alert_output);
  table.refuse_unknown_keys();
}

void read_study(ConfigTable table, StudySettings& study) {
  read(table, "recent_flows", study.recent_flows, 0, 100000);
  read(table, "waiting_flows", study.waiting_flows, 16, 100000);
  table.refuse_unknown_keys();
}

void read_learning(ConfigTable table, LearnerSettings& learner) {
  bool enabled = true;
  read(table, "enabled", enabled);
  read(table, "max_clusters", learner.max_clusters, 1, 1024);
  read(table, "max_confirmed", learner.max_confirmed, 1, 1024);
  read(table, "max_bins", learner.max_bins, 256, kRowCount);
  read(table, "half_life", learner.half_life, seconds(1), hours(24 * 365));
  read(table, "flows_per_second", learner.flows_per_second, 1, 1000);
  read(table, "promote_flows", learner.promote_flows, 2, 100000);
  read(table, "promote_packets", learner.promote_packets, 1, 1000000);
  read(table, "promote_clients", learner.promote_clients, 1, 64);
  read(table, "promote_occasions", learner.promote_occasions, 1, 1000);
  read(table, "occasion_gap", learner.occasion_gap, seconds(1), hours(24 * 7));
  read(table, "pair_flows", learner.pair_flows, 1, 1000);
  if (!enabled) learner.max_clusters = 0;
  table.refuse_unknown_keys();
}

void read_site(ConfigTable table, SiteSettings& site) {
  read(table, "memory_bytes", site.limits.memory_bytes, 1U << 20U, kMostSiteBytes);
  read(table, "services", site.limits.services, 16, kMostSiteServices);
  read(table, "samples_per_service", site.limits.samples_per_service, 2, 256);
  read(table, "few_flows", site.few_flows, 1, 1000);
  read(table, "enforce_flows", site.enforce_flows, 1, 1000000);
  if (const auto percent = table.number("family_percent", 5, 100)) site.family_share = *percent / 100;
  if (const auto percent = table.number("enforce_percent", 0.01, 10)) site.enforce_limit = *percent / 100;
  read(table, "save_every", site.save_every, seconds(1), hours(24));
  table.refuse_unknown_keys();
}

Result<DaemonConfig> read_config(ConfigTable file) {
  DaemonConfig config;
  config.datapath.interfaces = file.list<std::string>("interfaces", kMaxInterfaces, false, [](std::string_view name) {
    return Result<std::string>(std::string(name));
  });
  read_path(file, "policy", config.policy_path);
  read_path(file, "models", config.models_directory);
  read_path(file, "state", config.datapath.state_directory);
  read(file, "workers", config.datapath.workers, 1, kMaxWorkers);
  read_datapath(file.table("datapath"), config.datapath, config.keep_on_stop);
  read_engine(file.table("engine"), config.engine);
  read_control(file.table("control"), config.control);
  read_events(file.table("events"), config);
  read_study(file.table("study"), config.study);
  read_site(file.table("site"), config.study.site);
  read_learning(file.table("learning"), config.study.learner);
  file.refuse_unknown_keys();
  if (auto outcome = file.outcome(); !outcome) return tl::unexpected<Error>(std::move(outcome.error()));
  return config;
}

}  // namespace

Result<DaemonConfig> load_config(const std::string& path) {
  Result<ConfigTable> file = ConfigTable::load(path);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return read_config(std::move(*file));
}

Result<DaemonConfig> parse_config(std::string_view text, const std::string& path_for_messages) {
  Result<ConfigTable> file = ConfigTable::parse(text, path_for_messages);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return read_config(std::move(*file));
}

Result<> check_config(const DaemonConfig& config) {
  const std::vector<std::string>& names = config.datapath.interfaces;
  if (names.empty()) return fail("no interface to watch: name one with -i or with 'interfaces' in the file");
  if (names.size() > kMaxInterfaces) return fail("more than {} interfaces", kMaxInterfaces);
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (name->empty() || name->size() >= IFNAMSIZ || name->find('/') != std::string::npos)
      return fail("'{}' is not the name of an interface", *name);
    if (std::find(names.begin(), name, *name) != name) return fail("interface '{}' is named twice", *name);
  }
  const EngineSettings share = share_of_worker(config.engine, config.datapath.workers);
  if (share.flows.flows < 256 || share.flows.embryonic < 64)
    return fail("too few flows in the engine for {} workers", config.datapath.workers);
  if (config.engine.flows.embryonic > config.engine.flows.flows)
    return fail("embryonic_flows = {} is more than flows = {}", config.engine.flows.embryonic,
                config.engine.flows.flows);
  return {};
}

std::string default_models_directory() {
  std::error_code ignored;
  if (std::filesystem::is_directory(SPIDD_INSTALLED_MODELS, ignored)) return SPIDD_INSTALLED_MODELS;
  return SPIDD_SOURCE_MODELS;
}

void complete_config(DaemonConfig& config) {
  config.study.site.directory = config.state_directory() + "/site";
  config.engine.report_settled = true;
  if (config.models_directory.empty()) config.models_directory = default_models_directory();
  if (config.event_log_path.empty()) config.event_log_path = config.state_directory() + "/events.jsonl";
}

EngineSettings share_of_worker(const EngineSettings& all, unsigned workers) {
  EngineSettings share = all;
  share.flows.flows = all.flows.flows / workers;
  share.flows.embryonic = all.flows.embryonic / workers;
  share.packet_blocks = all.packet_blocks / workers;
  return share;
}

}  // namespace spidd
