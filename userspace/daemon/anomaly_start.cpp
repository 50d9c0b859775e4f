// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_start.h"

#include <random>
#include <utility>

#include "userspace/base/log.h"

namespace spidd {
namespace {

// After what is said last of an incident, which is not every packet of it, nothing is learned from its host.
constexpr Duration kSuspectedFor = std::chrono::hours(1);

// Of SPADE; "": nothing is kept.
std::string state_path(const DaemonConfig& config, const SpadeSettings& spade) {
  if (spade.state_file.empty() || spade.state_file.find('/') != std::string::npos) return spade.state_file;
  return config.state_directory() + "/" + spade.state_file;
}

}  // namespace

bool spade_is_on(const Daemon& daemon) {
  return daemon.policy->spade.enabled && daemon.config.datapath.observation_limit != 0;
}

Result<> start_anomaly_watch(Daemon& daemon, std::vector<std::string> interfaces) {
  if (!spade_is_on(daemon)) return {};
  const SpadeSettings& spade = daemon.policy->spade;
  auto source = daemon.datapath->open_observations();
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  const ObservationSource* const clock = source->get();
  daemon.anomaly_sink = std::make_unique<DaemonAnomalySink>(*daemon.enforcer, *daemon.output, daemon.policy,
                                                            std::move(interfaces), [clock] { return clock->now(); });
  daemon.anomaly_sink->on_incident([study = daemon.study.get()](const IpAddress& host, Timestamp now) {
    study->suspect(HostTarget{IpPrefix::of_host(host)}, now + kSuspectedFor);
  });
  AnomalyWatch::Settings settings;
  settings.state_path = state_path(daemon.config, spade);
  settings.directory = daemon.config.state_directory();
  settings.checkpoint_updates = spade.checkpoint_updates;
  settings.conversations = daemon.conversations.get();
  std::random_device random;
  settings.seed = std::uint64_t{random()} << 32U | random();
  auto watch = AnomalyWatch::create(spade, settings, std::move(*source), *daemon.anomaly_sink);
  if (!watch) return tl::unexpected<Error>(std::move(watch.error()));
  daemon.anomaly = std::move(*watch);
  for (const std::string& warning : daemon.anomaly->warnings()) log_warning("{}", warning);
  daemon.anomaly->start();
  return {};
}

void stop_anomaly_watch(Daemon& daemon) {
  if (daemon.anomaly) daemon.anomaly->stop();
  daemon.anomaly.reset();
  daemon.anomaly_sink.reset();
  daemon.conversations.reset();
}

void tell_anomaly_watch(Daemon& daemon, const SpadeSettings& before) {
  const SpadeSettings& after = daemon.policy->spade;
  if (after.enabled != before.enabled || after.state_file != before.state_file)
    log_warning("a change of [spade] enabled or state_file takes effect with the next start of spidd");
  if (!daemon.anomaly) return;
  daemon.anomaly->post([policy = daemon.policy, changed = after != before](AnomalyWatch& watch) {
    watch.sink().set_policy(policy);
    if (!changed) return;
    if (auto done = watch.change_settings(policy->spade); !done)
      log_warning("SPADE stays as it was: {}", done.error().message);
  });
}

}  // namespace spidd
