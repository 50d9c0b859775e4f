// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Everything a running spidd owns, in the order in which the start steps (startup.cpp) fill it in; what is not there
// yet is empty. Belongs to the control thread; workers see only what they were given.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/capture/bpf_datapath.h"
#include "userspace/daemon/anomaly_watch.h"
#include "userspace/daemon/config.h"
#include "userspace/daemon/control_socket.h"
#include "userspace/daemon/conversations.h"
#include "userspace/daemon/enforcer.h"
#include "userspace/daemon/event_output.h"
#include "userspace/daemon/event_sink.h"
#include "userspace/daemon/service_notify.h"
#include "userspace/daemon/study.h"
#include "userspace/daemon/worker.h"
#include "userspace/policy/policy.h"
#include "userspace/report/events.h"
#include "userspace/spid/matcher.h"

namespace spidd {

struct Daemon {
  explicit Daemon(DaemonConfig settings) : config(std::move(settings)), keep_datapath(config.keep_on_stop) {}

  const DaemonConfig config;
  bool keep_datapath;  // stop() leaves hooks and drop entries in the kernel
  ServiceNotify notify;
  UniqueFd signals;  // signalfd of what stops, reloads
  Timestamp started{};

  std::shared_ptr<const Policy> policy;
  Timestamp policy_loaded{};
  ModelDatabase loaded_models;  // from the step that reads them to the one that builds the matcher
  std::shared_ptr<const Matcher> matcher;
  Timestamp models_loaded{};

  std::optional<BpfDatapath> datapath;
  std::unique_ptr<Enforcer> enforcer;
  std::unique_ptr<EventOutput> output;
  std::unique_ptr<Study> study;
  std::vector<StatsSection> study_sections;  // its counters, as it last gave them
  std::optional<ControlSocket> control;
  std::unique_ptr<Conversations> conversations;   // from workers to the anomaly watch; empty: SPADE is off
  std::vector<std::unique_ptr<EventSink>> sinks;  // one a worker
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<DaemonAnomalySink> anomaly_sink;
  std::unique_ptr<AnomalyWatch> anomaly;  // empty: SPADE is off

  std::uint64_t requests_refused = 0;  // not understood, or not possible
  std::uint64_t feed_lost = 0;         // events that subscribers missed because too many came at once
};

// How long the control thread waits for an answer of a worker or of the study.
inline constexpr Duration kWorkerPatience = std::chrono::seconds(1);

}  // namespace spidd
