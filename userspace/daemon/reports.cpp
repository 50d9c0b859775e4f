// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/reports.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "userspace/daemon/anomaly_reports.h"
#include "userspace/daemon/flow_snapshot.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostKernelFlows = 1U << 20U;

// Puts the question to every worker; `take` gets the answers.
template <class Question, class Take>
Result<> ask_workers(Daemon& daemon, Question question, Take take) {
  for (const auto& worker : daemon.workers) {
    auto answer = worker->ask(question, kWorkerPatience);
    if (!answer) return fail("worker {} does not answer", worker->number());
    take(std::move(*answer));
  }
  return {};
}

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

ordered_json interfaces_json(const BpfDatapath& datapath) {
  ordered_json interfaces = ordered_json::array();
  for (const WatchedInterface& interface : datapath.interfaces())
    interfaces.push_back({{"name", interface.name},
                          {"ifindex", interface.ifindex},
                          {"present", is_present(interface)},
                          {"ingress", hook_kind_name(interface.ingress)},
                          {"egress", hook_kind_name(interface.egress)}});
  return interfaces;
}

ordered_json traffic_json(const DatapathCounters& counters, DatapathCounter seen, DatapathCounter passed,
                          DatapathCounter dropped) {
  return {{"seen", counters.sum(seen)}, {"passed", counters.sum(passed)}, {"dropped", counters.sum(dropped)}};
}

Result<ordered_json> flow_counts_json(Daemon& daemon) {
  FlowCounts counts;
  auto asked = ask_workers(
      daemon, [](Engine& engine, const BpfSource&) { return count_flows(engine); },
      [&counts](FlowCounts answer) { counts.add(answer); });
  if (!asked) return error_of(asked);
  return ordered_json{{"live", counts.live},
                      {"identified", counts.identified},
                      {"unknown", counts.unknown},
                      {"undecided", counts.undecided},
                      {"labels", counts.labels}};
}

// Fills in what the kernel has counted for the flows. The clock of that reading differs by a little from the worker's,
// so that the times a flow began may too.
Result<> add_kernel_counts(const BpfDatapath& datapath, std::vector<LiveFlow>& flows) {
  std::unordered_map<FlowKey, LiveFlow*> by_key;
  for (LiveFlow& live : flows) by_key[live.flow.key] = &live;
  const auto visited = datapath.flows(kMostKernelFlows, [&by_key](const KernelFlow& kernel) {
    const auto found = by_key.find(kernel.key);
    if (found == by_key.end()) return;
    LiveFlow& live = *found->second;
    const Duration apart = kernel.start - live.flow.start;
    if (apart > KernelClock::kStep || apart < -KernelClock::kStep) return;
    live.counters = kernel.totals.counters;
    live.last = std::max(live.last, kernel.totals.last);
  });
  if (!visited) return tl::unexpected<Error>(visited.error());
  return {};
}

std::string interface_name(const BpfDatapath& datapath, std::uint16_t domain) {
  for (const WatchedInterface& interface : datapath.interfaces())
    if (interface.domain == domain) return interface.name;
  return {};
}

struct PortSum {
  std::uint16_t port = 0;
  Transport transport = Transport::tcp;
  std::array<PortCounters, 2> hooks;
  std::uint64_t packets() const { return hooks[0].packets + hooks[1].packets; }
};

ordered_json port_counters_json(const PortCounters& counters) {
  return {{"packets", counters.packets},
          {"bytes", counters.bytes},
          {"attempts", counters.attempts},
          {"refusals", counters.refusals}};
}

StatsSection kernel_section(const char* name, const DatapathCounters& counters, HookDirection hook) {
  StatsSection section{name, {}};
  for (std::size_t i = 0; i < kDatapathCounters; ++i) {
    const auto counter = static_cast<DatapathCounter>(i);
    section.values.emplace_back(counter_name(counter), counters.of(hook, counter));
  }
  return section;
}

StatsSection worker_section(unsigned number, const EngineCounters& engine, const BpfSource& source) {
  return {fmt::format("worker_{}", number),
          {{"records", engine.records},
           {"flows", engine.flows},
           {"flows_ended", engine.flows_ended},
           {"flows_evicted", engine.flows_evicted},
           {"packets_not_stored", engine.packets_not_stored},
           {"records_late", engine.records_late},
           {"records_out_of_order", engine.records_out_of_order},
           {"proofs_forgotten", engine.proofs_forgotten},
           {"second_looks", engine.second_looks},
           {"second_looks_found", engine.second_looks_found},
           {"second_looks_forgotten", engine.second_looks_forgotten},
           {"second_looks_not_learned", engine.second_looks_not_learned},
           {"matches", engine.matches},
           {"alerts", engine.alerts},
           {"blocks", engine.blocks},
           {"records_undecodable", source.undecodable()},
           {"verdicts_missed", source.verdicts_missed()}}};
}

StatsSection blocks_section(const EnforcerCounters& counters) {
  return {"blocks",
          {{"blocks_made", counters.blocks_made},
           {"blocks_refused", counters.blocks_refused},
           {"blocks_failed", counters.blocks_failed},
           {"blocks_expired", counters.blocks_expired},
           {"blocks_removed", counters.blocks_removed},
           {"journal_failures", counters.journal_failures}}};
}

StatsSection events_section(const EventOutput& output, std::uint64_t feed_lost) {
  const EventLog::Counters counters = output.log().counters();
  const EventLog::Counters outputs = output.output_counters();
  return {"events",
          {{"events_written", counters.written},
           {"events_lost_full", counters.lost_full},
           {"events_lost_failed", counters.lost_failed},
           {"events_lost_feed", feed_lost},
           {"flow_events_over_limit", output.flows_over_limit()},
           {"spade_alerts_over_limit", output.packets_over_limit()},
           {"outputs_written", outputs.written},
           {"outputs_lost_full", outputs.lost_full},
           {"outputs_lost_failed", outputs.lost_failed}}};
}

StatsSection control_section(const ControlSocket::Counters& counters, std::uint64_t requests_refused) {
  return {"control",
          {{"clients", counters.clients},
           {"clients_refused", counters.clients_refused},
           {"requests", counters.requests},
           {"requests_refused", requests_refused},
           {"lines_too_long", counters.lines_too_long},
           {"subscribers_cut_off", counters.subscribers_cut_off}}};
}

StatsSection site_section(const SiteStudy::Counters& counters) {
  return {"site",
          {{"flows", counters.recorder.flows},
           {"flows_touched", counters.recorder.flows_touched},
           {"flows_taken_back", counters.recorder.flows_taken_back},
           {"flows_rejected", counters.recorder.flows_rejected},
           {"flows_evicted", counters.recorder.flows_evicted},
           {"services_evicted", counters.recorder.services_evicted},
           {"services_recorded", counters.services},
           {"services_accepted", counters.accepted},
           {"bytes", counters.bytes},
           {"saves_failed", counters.failed_saves}}};
}

}  // namespace

bool is_present(const WatchedInterface& interface) {
  return ::if_nametoindex(interface.name.c_str()) == interface.ifindex;
}

Result<ordered_json> status_report(Daemon& daemon, Timestamp now) {
  auto counters = daemon.datapath->counters();
  if (!counters) return error_of(counters);
  auto flows = flow_counts_json(daemon);
  if (!flows) return error_of(flows);
  const EventLog::Counters events = daemon.output->log().counters();
  const LatencyHistogram latencies = daemon.enforcer->latencies();
  using enum DatapathCounter;
  ordered_json status;
  status["version"] = SPIDD_VERSION;
  status["pid"] = ::getpid();
  status["mode"] = mode_name(daemon.policy->mode);
  status["started"] = format_timestamp(daemon.started);
  status["uptime_seconds"] = seconds_of(now - daemon.started);
  status["interfaces"] = interfaces_json(*daemon.datapath);
  status["packets"] = traffic_json(*counters, seen_packets, passed_packets, dropped_packets);
  status["bytes"] = traffic_json(*counters, seen_bytes, passed_bytes, dropped_bytes);
  status["flows"] = std::move(*flows);
  status["records"] = {{"sent", counters->sum(records_sent)}, {"lost", counters->sum(records_lost)}};
  status["events"] = {{"written", events.written},
                      {"lost", events.lost_full + events.lost_failed},
                      {"over_limit", daemon.output->flows_over_limit()}};
  status["blocks"] = {{"active", daemon.enforcer->size()}, {"enforced", daemon.enforcer->enforcing()}};
  status["decision_latency_us"] = {{"count", latencies.count()},
                                   {"p50", latencies.percentile(0.5)},
                                   {"p99", latencies.percentile(0.99)},
                                   {"max", latencies.largest()}};
  status["policy"] = {{"path", daemon.policy->path},
                      {"rules", daemon.policy->rules.size()},
                      {"incident_rules", daemon.policy->incidents.size()},
                      {"loaded", format_timestamp(daemon.policy_loaded)}};
  status["models"] = {{"directory", daemon.config.models_directory},
                      {"count", daemon.matcher->database_models()},
                      {"loaded", format_timestamp(daemon.models_loaded)}};
  status["site"] = {{"ready", daemon.study->site_ready()}};
  // Also says so if it is busy: then there are no numbers.
  status["spade"] = {{"enabled", daemon.anomaly != nullptr}};
  if (daemon.anomaly) {
    if (auto summary = daemon.anomaly->ask([](AnomalyWatch& watch) { return spade_summary(watch); }, kWorkerPatience))
      status["spade"] = std::move(*summary);
  }
  status["warnings"] = daemon.datapath->warnings();
  if (const std::string error = daemon.output->log().last_error(); !error.empty())
    status["warnings"].push_back("event log: " + error);
  for (const std::string& error : daemon.output->output_errors()) status["warnings"].push_back("output: " + error);
  return status;
}

Result<std::string> flows_report(Daemon& daemon, std::size_t limit, Timestamp now) {
  std::vector<LiveFlow> flows;
  std::uint64_t live = 0;
  const auto question = [policy = daemon.policy, limit](Engine& engine, const BpfSource&) {
    return std::pair(copy_flows(engine, *policy, limit), std::uint64_t{engine.flows().size()});
  };
  auto asked = ask_workers(daemon, question, [&](auto answer) {
    std::ranges::move(answer.first, std::back_inserter(flows));
    live += answer.second;
  });
  if (!asked) return error_of(asked);
  std::ranges::stable_sort(flows, std::ranges::greater{}, [](const LiveFlow& flow) { return flow.flow.start; });
  if (flows.size() > limit) flows.resize(limit);
  if (auto counted = add_kernel_counts(*daemon.datapath, flows); !counted) return error_of(counted);
  std::string text = fmt::format("{{\"live\":{},\"flows\":[", live);
  for (const LiveFlow& flow : flows) {
    if (&flow != &flows.front()) text += ',';
    append_json(text, flow, interface_name(*daemon.datapath, flow.flow.key.domain), now);
  }
  return text + "]}";
}

Result<std::optional<SettledFlow>> unsettled_flow(Daemon& daemon, const FlowKey& key) {
  std::optional<SettledFlow> flow;
  auto asked = ask_workers(
      daemon,
      [key](Engine& engine, const BpfSource&) -> std::optional<SettledFlow> {
        const SettledFlow* found = engine.look_into(key);
        return found == nullptr ? std::nullopt : std::optional(*found);
      },
      [&flow](std::optional<SettledFlow> answer) {
        if (answer) flow = std::move(answer);
      });
  if (!asked) return error_of(asked);
  return flow;
}

Result<std::optional<Flow>> live_flow(Daemon& daemon, std::uint64_t id) {
  std::optional<Flow> flow;
  auto asked = ask_workers(
      daemon, [id](Engine& engine, const BpfSource&) { return find_flow(engine, id); },
      [&flow](std::optional<Flow> answer) {
        if (answer) flow = std::move(answer);
      });
  if (!asked) return error_of(asked);
  return flow;
}

namespace {

// {"last":NUMBER,"NAME":[EVENT,...]}
std::string recent_report(const char* name, const RecentEvents& ring, const std::vector<RecentEvents::Event>& events) {
  std::string text = fmt::format("{{\"last\":{},\"{}\":[", ring.last_number(), name);
  for (const RecentEvents::Event& event : events) {
    if (&event != &events.front()) text += ',';
    text += event.json;
  }
  return text + "]}";
}

}  // namespace

Result<std::string> ended_flows_report(const Daemon& daemon, std::size_t limit) {
  const RecentEvents& ring = daemon.output->ended_flows();
  std::vector<RecentEvents::Event> events = ring.after(0, limit);
  std::ranges::reverse(events);
  return recent_report("flows", ring, events);
}

Result<std::string> alerts_report(const Daemon& daemon, std::uint64_t since, std::size_t limit) {
  const RecentEvents& ring = daemon.output->alerts();
  return recent_report("alerts", ring, ring.after(since, limit));
}

Result<ordered_json> ports_report(const Daemon& daemon, std::size_t limit) {
  auto counters = daemon.datapath->ports();
  if (!counters) return error_of(counters);
  std::map<std::pair<Transport, std::uint16_t>, PortSum> sums;
  for (const PortCounters& one : *counters) {
    PortSum& sum = sums[{one.transport, one.port}];
    sum.port = one.port;
    sum.transport = one.transport;
    sum.hooks[static_cast<std::size_t>(one.hook)] = one;
  }
  std::vector<PortSum> order;
  for (const auto& [key, sum] : sums) order.push_back(sum);
  std::ranges::stable_sort(order, std::ranges::greater{}, &PortSum::packets);
  if (order.size() > limit) order.resize(limit);
  ordered_json ports = ordered_json::array();
  for (const PortSum& sum : order)
    ports.push_back({{"port", sum.port},
                     {"proto", eve_protocol_name(sum.transport)},
                     {"ingress", port_counters_json(sum.hooks[0])},
                     {"egress", port_counters_json(sum.hooks[1])}});
  return ordered_json{{"known", sums.size()}, {"ports", std::move(ports)}};
}

ordered_json block_report(const ActiveBlock& active, Timestamp now) {
  const Block& block = active.block;
  ordered_json report = {{"target", to_string(block.target)},
                         {"rule", block.rule},
                         {"label", block.label},
                         {"since", format_timestamp(block.since)},
                         {"expires", format_timestamp(block.expires)},
                         {"remaining_seconds", seconds_of(std::max(block.expires - now, Duration::zero()))},
                         {"packets", active.hits.packets},
                         {"bytes", active.hits.bytes}};
  if (active.hits.last) report["last_drop"] = format_timestamp(*active.hits.last);
  return report;
}

Result<ordered_json> drops_report(const Daemon& daemon, std::size_t limit, Timestamp now) {
  auto blocks = daemon.enforcer->blocks(limit);
  if (!blocks) return error_of(blocks);
  ordered_json drops = ordered_json::array();
  for (const ActiveBlock& active : *blocks) drops.push_back(block_report(active, now));
  return ordered_json{
      {"active", daemon.enforcer->size()}, {"enforced", daemon.enforcer->enforcing()}, {"drops", std::move(drops)}};
}

std::vector<StatsSection> study_sections(StudyState& state) {
  return {{"study", {{"flows", state.flows}}},
          {"learning", learning_values(state.stream)},
          site_section(state.site.counters())};
}

Result<std::vector<StatsSection>> counter_sections(Daemon& daemon) {
  std::vector<StatsSection> sections;
  auto kernel = daemon.datapath->counters();
  if (!kernel) return error_of(kernel);
  sections.push_back(kernel_section("ingress", *kernel, HookDirection::ingress));
  sections.push_back(kernel_section("egress", *kernel, HookDirection::egress));
  unsigned number = 0;
  auto asked = ask_workers(
      daemon, [](Engine& engine, const BpfSource& source) { return worker_section(0, engine.counters(), source); },
      [&](StatsSection section) {
        section.name = fmt::format("worker_{}", number++);
        sections.push_back(std::move(section));
      });
  if (!asked) return error_of(asked);
  sections.push_back(blocks_section(daemon.enforcer->counters()));
  sections.push_back(events_section(*daemon.output, daemon.feed_lost));
  // A busy study says nothing new: counters stay what they were, and never go.
  if (auto studied = daemon.study->ask(study_sections, kWorkerPatience)) daemon.study_sections = std::move(*studied);
  for (const StatsSection& section : daemon.study_sections) {
    sections.push_back(section);
    if (section.name == "study") sections.back().values.emplace_back("flows_lost", daemon.study->lost());
  }
  if (daemon.anomaly) {
    if (auto anomaly = daemon.anomaly->ask([](AnomalyWatch& watch) { return spade_sections(watch); }, kWorkerPatience))
      std::ranges::move(*anomaly, std::back_inserter(sections));
  }
  sections.push_back(control_section(daemon.control->counters(), daemon.requests_refused));
  return sections;
}

}  // namespace spidd
