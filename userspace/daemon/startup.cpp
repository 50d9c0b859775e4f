// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/startup.h"

#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "userspace/base/log.h"
#include "userspace/daemon/anomaly_start.h"
#include "userspace/daemon/answers.h"
#include "userspace/daemon/reports.h"
#include "userspace/daemon/requests.h"
#include "userspace/engine/site_judgement.h"

namespace spidd {

namespace {

constexpr int kNiceness = -10;
constexpr std::size_t kWaitingConversations = 8192;

// The models of the files, and what the study has learned. `scorer` gets the background of them all.
Result<std::shared_ptr<const Matcher>> build_matcher(ModelDatabase database, ModelDatabase learned,
                                                     std::shared_ptr<const LogRatioScorer>& scorer) {
  if (auto appended = add_learned_models(database, std::move(learned)); !appended) return error_of(appended);
  auto matcher = Matcher::build(database);
  if (!matcher) return error_of(matcher);
  scorer = std::make_shared<const LogRatioScorer>(database.models);
  return std::make_shared<const Matcher>(std::move(*matcher));
}

void tell_learned(EventOutput& output, const Cluster& cluster) {
  LearnedEvent event;
  event.time = wall_clock_now();
  event.label = cluster.name;
  event.transport = cluster.transport;
  event.flows = cluster.flows;
  event.payload_packets = cluster.payload_packets;
  event.clients = cluster.clients.size();
  event.servers = cluster.server_hosts.size();
  event.server = cluster.servers.sorted().front().key;
  event.consistency = static_cast<double>(cluster.consistency);
  output.write(event);
  log_info("learned {}: {}, {} flows, most of them to {}", cluster.name, transport_name(cluster.transport),
           cluster.flows, event.server.to_string());
}

// Once the study runs.
Result<std::shared_ptr<const Matcher>> build_matcher(Daemon& daemon) {
  auto learned = daemon.study->ask([](StudyState& state) { return state.models(); }, kWorkerPatience);
  if (!learned) return fail("the study does not answer");
  auto database = read_models(daemon.config);
  if (!database) return error_of(database);
  std::shared_ptr<const LogRatioScorer> scorer;
  auto matcher = build_matcher(std::move(*database), std::move(*learned), scorer);
  if (matcher) daemon.study->post([scorer](StudyState& state) { state.stream.learner().set_scorer(scorer); });
  return matcher;
}

// ---- start

// Threads inherit the mask: from here on signals come through the descriptor only.
Result<> take_signals(Daemon& daemon) {
  daemon.started = wall_clock_now();
  daemon.notify = ServiceNotify::from_environment();
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "sigprocmask");
  daemon.signals.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!daemon.signals) return fail_errno(errno, "signalfd");
  return {};
}

Result<> load_policy_step(Daemon& daemon) {
  auto policy = read_policy(daemon.config);
  if (!policy) return error_of(policy);
  daemon.policy = std::move(*policy);
  daemon.policy_loaded = wall_clock_now();
  return {};
}

Result<> load_models_step(Daemon& daemon) {
  auto database = read_models(daemon.config);
  if (!database) return error_of(database);
  daemon.loaded_models = std::move(*database);
  daemon.models_loaded = wall_clock_now();
  return {};
}

Result<> make_state_directory(Daemon& daemon) {
  const std::string& path = daemon.config.state_directory();
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return {};
  std::filesystem::create_directories(path, code);
  if (code) return fail_errno(code.value(), "create {}", path);
  std::filesystem::permissions(path, std::filesystem::perms(0750), code);
  return {};
}

Result<> start_datapath(Daemon& daemon) {
  BpfSettings settings = daemon.config.datapath;
  settings.fail_policy = daemon.policy->fail_open ? FailPolicy::open : FailPolicy::keep;
  auto datapath = BpfDatapath::start(settings);
  if (!datapath) return error_of(datapath);
  daemon.datapath.emplace(std::move(*datapath));
  for (const std::string& warning : daemon.datapath->warnings()) log_warning("{}", warning);
  if (daemon.datapath->took_over()) log_info("took over what an earlier spidd left in the kernel");
  return {};
}

Result<> restore_blocks(Daemon& daemon) {
  auto drop_map = DropMap::open(daemon.datapath->drop_maps(), daemon.config.state_directory());
  if (!drop_map) return error_of(drop_map);
  if (drop_map->damaged_journal_lines() != 0)
    log_warning("{} lines of the journal of blocks were damaged, ignoring them", drop_map->damaged_journal_lines());
  const char* const ssh_connection = std::getenv("SSH_CONNECTION");
  daemon.enforcer =
      std::make_unique<Enforcer>(*daemon.policy, std::move(*drop_map), ssh_connection == nullptr ? "" : ssh_connection);
  if (auto addresses = addresses_of_this_host())
    daemon.enforcer->set_own_addresses(std::move(*addresses));
  else
    return error_of(addresses);
  auto restored = daemon.enforcer->restore(wall_clock_now());
  if (!restored) return error_of(restored);
  if (*restored != 0) log_info("{} blocks go on", *restored);
  return {};
}

Result<> open_control_socket(Daemon& daemon) {
  auto control = ControlSocket::open(daemon.config.control, [](std::string_view reason) { return error_line(reason); });
  if (!control) return error_of(control);
  daemon.control.emplace(std::move(*control));
  return {};
}

// On a busy machine a worker that waits for its turn is what takes longest from packet to block. Threads inherit it; it
// is little work in all, and without the right to it everything works, only later.
Result<> raise_priority(Daemon&) {
  if (::getpriority(PRIO_PROCESS, 0) > kNiceness && ::setpriority(PRIO_PROCESS, 0, kNiceness) != 0)
    log_debug("the priority stays as it is: {}", std::strerror(errno));
  return {};
}

// Before the event log and the workers: capabilities belong to threads.
Result<> drop_privileges(Daemon& daemon) {
  auto kept = daemon.datapath->drop_privileges();
  if (!kept) return error_of(kept);
  log_debug("capabilities kept: {}", kept->empty() ? "none" : fmt::format("{}", fmt::join(*kept, ", ")));
  return {};
}

Result<> open_event_log(Daemon& daemon) {
  auto log = EventLog::open(daemon.config.event_log_path);
  if (!log) return error_of(log);
  const EventOutput::Limits limits = {daemon.config.recent_events, daemon.config.event_queue, daemon.config.flow_events,
                                      daemon.config.packet_alerts};
  EventOutput::Outputs outputs;
  for (const AlertOutputSettings& settings : daemon.config.alert_outputs) {
    auto output = AlertOutput::open(settings);
    if (!output) return error_of(output);
    outputs.push_back(std::move(*output));
  }
  daemon.output = std::make_unique<EventOutput>(std::move(*log), limits, std::move(outputs));
  return {};
}

// What cannot be read is no reason not to watch: the site is as if it had not been learned.
void open_site(Daemon& daemon) {
  const LoadSiteJudge load = [&config = daemon.config]() -> Result<std::unique_ptr<SiteJudge>> {
    auto shipped = read_models(config);
    if (!shipped) return error_of(shipped);
    return SiteJudgement::of(std::move(*shipped));
  };
  const auto warnings = daemon.study->state().site.open(daemon.loaded_models.rules, load);
  if (!warnings) {
    log_warning("the site is as if it had not been learned: {}", warnings.error().message);
    return;
  }
  for (const std::string& warning : *warnings) log_warning("{}", warning);
}

// Before the workers, which submit to it.
Result<> start_study(Daemon& daemon) {
  daemon.study = std::make_unique<Study>(daemon.config.study);
  open_site(daemon);
  daemon.enforcer->on_block(
      [study = daemon.study.get()](const Block& block) { study->suspect(block.target, block.expires); });
  daemon.enforcer->on_unblock([study = daemon.study.get()](const Block& block) { study->trust(block.target); });
  StreamLearning& stream = daemon.study->state().stream;
  if (auto opened = stream.open(daemon.config.state_directory()); !opened) log_warning("{}", opened.error().message);
  stream.on_learned([output = daemon.output.get()](const Cluster& cluster) { tell_learned(*output, cluster); });
  // Without asking its thread, which may first be busy with what it has read.
  std::shared_ptr<const LogRatioScorer> scorer;
  auto matcher = build_matcher(daemon.loaded_models, daemon.study->state().models(), scorer);
  if (matcher) {
    stream.learner().set_scorer(scorer);
  } else {
    log_warning("what was learned is left aside: {}", matcher.error().message);
    matcher = build_matcher(daemon.loaded_models, {}, scorer);
    if (!matcher) return error_of(matcher);
  }
  daemon.matcher = std::move(*matcher);
  daemon.loaded_models = {};
  daemon.study_sections = study_sections(daemon.study->state());
  daemon.study->start();
  return {};
}

// By observation domain.
std::vector<std::string> interface_names(const Daemon& daemon) {
  std::vector<std::string> interfaces;
  for (const WatchedInterface& interface : daemon.datapath->interfaces()) {
    if (interface.domain >= interfaces.size()) interfaces.resize(interface.domain + 1U);
    interfaces[interface.domain] = interface.name;
  }
  return interfaces;
}

Result<> start_workers(Daemon& daemon) {
  const std::vector<std::string> interfaces = interface_names(daemon);
  const unsigned count = daemon.config.datapath.workers;
  EngineSettings settings = share_of_worker(daemon.config.engine, count);
  settings.endpoints = std::make_shared<SharedEndpointMemory>(settings.endpoint_limits);
  if (spade_is_on(daemon)) daemon.conversations = std::make_unique<Conversations>(kWaitingConversations);
  for (unsigned number = 0; number < count; ++number) {
    auto source = daemon.datapath->open_source(number);
    if (!source) return error_of(source);
    const BpfSource* const clock = source->get();
    daemon.sinks.push_back(std::make_unique<EventSink>(*daemon.enforcer, *daemon.output, *daemon.study, daemon.policy,
                                                       interfaces, [clock] { return clock->now(); }));
    daemon.sinks.back()->set_conversations(daemon.conversations.get());
    daemon.workers.push_back(std::make_unique<Worker>(number, std::move(*source), settings, daemon.matcher,
                                                      daemon.policy, *daemon.sinks.back()));
  }
  for (const auto& worker : daemon.workers) worker->start();
  return {};
}

// After the workers: what they block at once is more urgent.
Result<> start_anomaly(Daemon& daemon) { return start_anomaly_watch(daemon, interface_names(daemon)); }

Result<> say_ready(Daemon& daemon) {
  const std::string description = describe(daemon);
  log_info("spidd: ready: {}", description);
  daemon.notify.ready(description);
  return {};
}

// ---- stop

Result<> say_stopping(Daemon& daemon) {
  daemon.notify.stopping();
  return {};
}

// They report every flow that is left, so the event log is still needed.
Result<> stop_workers(Daemon& daemon) {
  for (const auto& worker : daemon.workers) worker->request_stop();
  for (const auto& worker : daemon.workers) worker->join();
  daemon.workers.clear();
  daemon.sinks.clear();
  return {};
}

// It may still report and block.
Result<> stop_anomaly(Daemon& daemon) {
  stop_anomaly_watch(daemon);
  return {};
}

// After the workers, whose last flows it still studies.
Result<> stop_study(Daemon& daemon) {
  if (daemon.study) daemon.study->stop();
  daemon.study.reset();
  return {};
}

Result<> close_control_socket(Daemon& daemon) {
  daemon.control.reset();
  return {};
}

Result<> close_event_log(Daemon& daemon) {
  if (daemon.output) daemon.output->log().flush();
  daemon.output.reset();
  return {};
}

Result<> stop_datapath(Daemon& daemon) {
  daemon.enforcer.reset();
  if (!daemon.datapath) return {};
  Result<> stopped = daemon.datapath->stop(daemon.keep_datapath);
  daemon.datapath.reset();
  return stopped;
}

struct Step {
  const char* name;
  Result<> (*run)(Daemon&);
};

constexpr std::array<Step, 14> kStartSteps = {{
    {"take signals", take_signals},
    {"load policy", load_policy_step},
    {"load models", load_models_step},
    {"make state directory", make_state_directory},
    {"start datapath", start_datapath},
    {"restore blocks", restore_blocks},
    {"open control socket", open_control_socket},
    {"raise priority", raise_priority},
    {"drop privileges", drop_privileges},
    {"open event log", open_event_log},
    {"start study", start_study},
    {"start workers", start_workers},
    {"start anomaly watch", start_anomaly},
    {"say ready", say_ready},
}};

constexpr std::array<Step, 7> kStopSteps = {{
    {"say stopping", say_stopping},
    {"stop workers", stop_workers},
    {"stop anomaly watch", stop_anomaly},
    {"stop study", stop_study},
    {"close control socket", close_control_socket},
    {"close event log", close_event_log},
    {"stop datapath", stop_datapath},
}};

}  // namespace

Result<> start(Daemon& daemon) {
  for (const Step& step : kStartSteps) {
    log_debug("{}", step.name);
    auto done = step.run(daemon);
    if (done) continue;
    // What an earlier daemon left enforcing is not taken away by a start that failed.
    if (daemon.datapath && daemon.datapath->took_over()) daemon.keep_datapath = true;
    if (auto stopped = stop(daemon); !stopped) log_warning("{}", stopped.error().message);
    return std::move(done).error().within(step.name);
  }
  return {};
}

Result<> stop(Daemon& daemon) {
  Result<> first;
  for (const Step& step : kStopSteps) {
    log_debug("{}", step.name);
    auto done = step.run(daemon);
    if (!done && first) first = std::move(done).error().within(step.name);
  }
  return first;
}

Result<> reload(Daemon& daemon) {
  auto policy = read_policy(daemon.config);
  if (!policy) return std::move(policy.error()).within("the old policy stays in force");
  auto matcher = build_matcher(daemon);
  if (!matcher) return std::move(matcher.error()).within("the old policy and models stay in force");

  if ((*policy)->fail_open != daemon.policy->fail_open)
    log_warning("a change of on_daemon_death takes effect with the next start of spidd");
  const SpadeSettings spade_before = daemon.policy->spade;
  daemon.policy = std::move(*policy);
  daemon.matcher = std::move(*matcher);
  const Timestamp now = wall_clock_now();
  daemon.policy_loaded = daemon.models_loaded = now;
  for (std::size_t i = 0; i < daemon.workers.size(); ++i)
    daemon.workers[i]->post([sink = daemon.sinks[i].get(), new_policy = daemon.policy, new_matcher = daemon.matcher](
                                Engine& engine, const BpfSource&) {
      engine.set_policy(new_policy);
      engine.set_models(new_matcher);
      sink->set_policy(new_policy);
    });
  tell_anomaly_watch(daemon, spade_before);
  auto ended = daemon.enforcer->set_policy(*daemon.policy);
  if (!ended) return std::move(ended.error()).within("the new policy is in force, but not in the kernel");
  report_ended_blocks(daemon, *ended, BlockChange::removed, now);
  return {};
}

Result<std::shared_ptr<const Policy>> read_policy(const DaemonConfig& config) {
  if (config.policy_path.empty()) return std::make_shared<const Policy>(builtin_policy());
  auto policy = load_policy(config.policy_path);
  if (!policy) return error_of(policy);
  return std::make_shared<const Policy>(std::move(*policy));
}

Result<> reload_models(Daemon& daemon) {
  auto matcher = build_matcher(daemon);
  if (!matcher) return std::move(matcher.error()).within("the old models stay in force");
  daemon.matcher = std::move(*matcher);
  daemon.models_loaded = wall_clock_now();
  for (const auto& worker : daemon.workers)
    worker->post([models = daemon.matcher, learned = daemon.study->site_ready()](Engine& engine, const BpfSource&) {
      engine.set_models(models);
      engine.set_site_learned(learned);
    });
  return {};
}

Result<> reload_changed_models(Daemon& daemon) {
  if (!daemon.study->take_models_changed()) return {};
  auto loaded = reload_models(daemon);
  if (!loaded) daemon.study->set_models_changed();
  return loaded;
}

Result<ModelDatabase> read_models(const DaemonConfig& config) { return load_models(config.models_directory); }

void log_mistakes(std::string_view context, const Error& error) {
  std::string_view rest = error.message;
  for (std::size_t end = 0; end != std::string_view::npos; rest.remove_prefix(std::min(end + 1, rest.size()))) {
    end = rest.find('\n');
    log_error("{}{}{}", context, context.empty() ? "" : ": ", rest.substr(0, end));
    if (end == std::string_view::npos) break;
  }
}

std::string describe(const Daemon& daemon) {
  std::string text = "watching ";
  for (const WatchedInterface& interface : daemon.datapath->interfaces())
    text += fmt::format("{}{} ({}, {})", text.size() > 9 ? ", " : "", interface.name, hook_kind_name(interface.ingress),
                        hook_kind_name(interface.egress));
  return text + fmt::format(" in {} mode", mode_name(daemon.policy->mode));
}

}  // namespace spidd
