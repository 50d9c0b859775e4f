// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidd: reads the command line, then start, control loop, stop.
#include <csignal>

#include "userspace/base/command_line.h"
#include "userspace/base/log.h"
#include "userspace/base/version.h"
#include "userspace/daemon/control_loop.h"
#include "userspace/daemon/startup.h"

namespace spidd {
namespace {

CommandLine make_command_line() {
  CommandLine line("spidd", "",
                   "Watches interfaces, identifies protocols by their statistics, and alerts or\n"
                   "blocks as the policy says. Observes unless the policy says enforce.");
  line.value("config", "FILE", "settings in TOML; options given here win over it");
  line.flag("check-config", "say what is wrong with settings, policy and models, and exit");
  line.values("i,interface", "NAME", "watch this interface; may be given several times");
  line.value("policy", "FILE", "policy; without one tunnels raise alerts and nothing is blocked");
  line.value("socket", "PATH", fmt::format("control socket ({})", kDefaultSocketPath));
  line.value("state", "DIR", "what outlives the daemon (/var/lib/spidd)");
  line.value("models", "DIR", "protocol models");
  line.value("pin-dir", "DIR", "where the kernel side is pinned (/sys/fs/bpf/spidd)");
  line.value("log", "FILE", "event log, JSON lines (DIR of --state/events.jsonl)");
  line.value("workers", "N", "threads that identify flows (1)");
  line.flag("detach", "take what an earlier spidd left in the kernel out of it, and exit");
  line.flag("v,verbose", "say more on standard error");
  line.flag("version", "print the version");
  line.positional("interface", 0, 64);
  return line;
}

// The file's settings with those of the command line on top.
Result<DaemonConfig> read_settings(const CommandLine& line) {
  DaemonConfig config;
  if (line.has("config")) {
    auto loaded = load_config(line.text("config"));
    if (!loaded) return loaded;
    config = std::move(*loaded);
  }
  if (line.has("interface")) {
    config.datapath.interfaces = line.texts("interface");
    for (const std::string& name : line.positionals()) config.datapath.interfaces.push_back(name);
  }
  const auto take = [&line](const char* option, std::string& value) {
    if (line.has(option)) value = line.text(option);
  };
  take("policy", config.policy_path);
  take("socket", config.control.socket_path);
  take("state", config.datapath.state_directory);
  take("models", config.models_directory);
  take("pin-dir", config.datapath.pin_directory);
  take("log", config.event_log_path);
  if (line.has("workers"))
    if (const auto workers = line.number("workers", 1, kMaxWorkers))
      config.datapath.workers = static_cast<std::uint32_t>(*workers);
  complete_config(config);
  if (auto checked = check_config(config); !checked) return tl::unexpected<Error>(std::move(checked.error()));
  return config;
}

int check(const DaemonConfig& config) {
  const auto policy = read_policy(config);
  if (!policy) log_mistakes("", policy.error());
  const auto models = read_models(config);
  if (!models) log_mistakes("", models.error());
  if (!policy || !models) return kExitFailed;
  fmt::print("settings good; policy good: {} mode, {} rules, {} incident rules; {} models\n",
             mode_name((*policy)->mode), (*policy)->rules.size(), (*policy)->incidents.size(), models->models.size());
  return kExitDone;
}

int run_daemon(DaemonConfig config) {
  // A client that hangs up is met where it is written to.
  std::signal(SIGPIPE, SIG_IGN);
  Daemon daemon(std::move(config));
  if (auto started = start(daemon); !started) {
    log_mistakes("", started.error());
    return kExitFailed;
  }
  run_control_loop(daemon);
  if (auto stopped = stop(daemon); !stopped) {
    log_error("{}", stopped.error().message);
    return kExitFailed;
  }
  return kExitDone;
}

int detach(const CommandLine& line) {
  BpfSettings settings;
  if (line.has("config")) {
    const auto config = load_config(line.text("config"));
    if (!config) {
      log_mistakes("", config.error());
      return kExitFailed;
    }
    settings = config->datapath;
  }
  if (line.has("pin-dir")) settings.pin_directory = line.text("pin-dir");
  if (line.has("state")) settings.state_directory = line.text("state");
  if (auto removed = remove_pinned_datapath(settings); !removed) {
    log_error("{}", removed.error().message);
    return kExitFailed;
  }
  return kExitDone;
}

int run(const std::vector<std::string>& words) {
  CommandLine line = make_command_line();
  if (const auto exit_code = line.parse(words)) return *exit_code;
  if (line.has("version")) {
    fmt::print("spidd {}\n{}", SPIDD_VERSION, kAttribution);
    return kExitDone;
  }
  if (line.has("detach")) return detach(line);
  if (!line.has("config") && !line.has("interface"))
    return line.usage_error("name the interfaces to watch with -i, or a file of settings with --config");
  if (!line.positionals().empty() && !line.has("interface"))
    return line.usage_error(fmt::format("unexpected '{}'", line.positionals().front()));
  if (const auto workers = line.number("workers", 1, kMaxWorkers); line.has("workers") && !workers)
    return line.usage_error(workers.error().message);
  if (line.has("verbose")) set_log_level(LogLevel::debug);
  auto config = read_settings(line);
  if (!config) {
    log_mistakes("", config.error());
    return kExitFailed;
  }
  return line.has("check-config") ? check(*config) : run_daemon(std::move(*config));
}

}  // namespace
}  // namespace spidd

int main(int argc, char** argv) { return spidd::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc)); }
