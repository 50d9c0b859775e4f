// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The settings of the daemon: one struct whose defaults are those of a daemon started without a file, and the TOML file
// that changes them. packaging/spidd.toml shows every key with its default.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/bpf_settings.h"
#include "userspace/daemon/protocol.h"
#include "userspace/daemon/study.h"
#include "userspace/engine/engine.h"
#include "userspace/report/alert_output.h"

namespace spidd {

inline constexpr std::uint32_t kMaxWorkers = 64;

struct ControlSettings {
  std::string socket_path = kDefaultSocketPath;
  std::string group;          // that owns the socket; "" = spidd if there is such a group, else the daemon's own
  unsigned mode = 0660;       // of the socket
  unsigned max_clients = 32;  // further ones are told so and disconnected
  std::size_t max_queued_bytes = 1U << 20U;  // of events a slow subscriber has not read; beyond it is cut off
};

struct DaemonConfig {
  BpfSettings datapath;   // interfaces, state directory, pin directory, workers, kernel tables
  EngineSettings engine;  // limits for all workers together
  ControlSettings control;
  StudySettings study;
  std::string policy_path;             // "" = builtin_policy()
  std::string models_directory;        // "" = the installed models, else those of the source tree
  std::string event_log_path;          // "" = events.jsonl in the state directory
  std::uint32_t recent_events = 1000;  // kept in memory for spidctl alerts
  std::uint32_t event_queue = 8192;    // events between the workers and the log
  std::uint32_t flow_events = 5000;    // flow events a second; 0 = no limit
  std::uint32_t packet_alerts = 100;   // of SPADE, of single packets, a second; 0 = no limit
  std::vector<AlertOutputSettings> alert_outputs;
  bool keep_on_stop = false;  // a clean stop leaves hooks and drop entries in the kernel

  const std::string& state_directory() const { return datapath.state_directory; }
};

// Unknown keys, wrong types and values out of range are errors that name file and line.
Result<DaemonConfig> load_config(const std::string& path);
Result<DaemonConfig> parse_config(std::string_view text, const std::string& path_for_messages);

// What needs no file to be wrong: no interface, a name given twice, ...
Result<> check_config(const DaemonConfig& config);

// The directory of models to use when none is set: where `make install` puts them if it exists, else policy/models of
// the source tree this program was built from.
std::string default_models_directory();

// Fills in what is left open ("" above) from the other settings.
void complete_config(DaemonConfig& config);

// The share of one of `workers` workers in limits for all of them.
EngineSettings share_of_worker(const EngineSettings& all, unsigned workers);

}  // namespace spidd
