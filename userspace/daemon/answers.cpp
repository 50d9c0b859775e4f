// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/answers.h"

#include "userspace/base/log.h"
#include "userspace/daemon/anomaly_reports.h"
#include "userspace/daemon/explain_answer.h"
#include "userspace/daemon/flow_snapshot.h"
#include "userspace/daemon/reports.h"
#include "userspace/daemon/requests.h"
#include "userspace/daemon/settled_answer.h"
#include "userspace/daemon/startup.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

constexpr const char* kManual = "manual";
constexpr Duration kStatisticsPatience = std::chrono::seconds(10);  // of millions of entries
constexpr Duration kSitePatience = std::chrono::seconds(20);        // the rates may have to be measured

BlockScope scope_of(const BlockTarget& target) {
  if (std::holds_alternative<FlowTarget>(target)) return BlockScope::flow;
  return std::holds_alternative<EndpointTarget>(target) ? BlockScope::endpoint : BlockScope::host;
}

Result<std::string> json_line(Result<ordered_json> report) {
  if (!report) return tl::unexpected<Error>(std::move(report.error()));
  return success_line(*report);
}
Result<std::string> text_line(Result<std::string> report) {
  if (!report) return report;
  return success_line_of(*report);
}

// One answer each: the whole line, or the error for the client.
class Answering {
 public:
  Answering(Daemon& daemon, Timestamp now) : daemon_(daemon), now_(now) {}

  Result<std::string> operator()(const StatusRequest&) { return json_line(status_report(daemon_, now_)); }
  Result<std::string> operator()(const FlowsRequest& request) {
    return text_line(flows_report(daemon_, request.limit, now_));
  }
  Result<std::string> operator()(const EndedFlowsRequest& request) {
    return text_line(ended_flows_report(daemon_, request.limit));
  }
  Result<std::string> operator()(const AlertsRequest& request) {
    return text_line(alerts_report(daemon_, request.since, request.limit));
  }
  Result<std::string> operator()(const PortsRequest& request) {
    return json_line(ports_report(daemon_, request.limit));
  }
  Result<std::string> operator()(const DropsRequest& request) {
    return json_line(drops_report(daemon_, request.limit, now_));
  }
  Result<std::string> operator()(const BlockRequest& request);
  Result<std::string> operator()(const UnblockRequest& request);
  Result<std::string> operator()(const PolicyReloadRequest&);
  Result<std::string> operator()(const CountersRequest&);
  Result<std::string> operator()(const MetricsRequest&);
  Result<std::string> operator()(const SettledFlowRequest& request);
  Result<std::string> operator()(const ExplainRequest& request);
  Result<std::string> operator()(const LearnRequest& request);
  Result<std::string> operator()(const SiteRequest& request);
  Result<std::string> operator()(const SpadeRequest& request);
  Result<std::string> operator()(const SubscribeRequest&) { return success_line(ordered_json{{"subscribed", true}}); }

 private:
  // Of those that settled last, or if wanted one that has not settled; otherwise the error says what is known of it.
  Result<SettledFlow> settled_flow(std::uint64_t id, bool or_live);

  Daemon& daemon_;
  Timestamp now_;
};

Result<std::string> Answering::operator()(const BlockRequest& request) {
  if (daemon_.policy->mode != Mode::enforce) {
    if (daemon_.policy->path.empty())
      return fail("spidd observes and blocks nothing: start it with a policy file that says mode = \"enforce\"");
    return fail("spidd observes and blocks nothing: write mode = \"enforce\" into {} and run 'spidctl policy reload'",
                daemon_.policy->path);
  }
  const auto block = daemon_.enforcer->block({request.target, now_, request.duration, kManual, "", 0});
  if (!block) return tl::unexpected<Error>(block.error());
  const std::string target = to_string(block->target);
  log_info("{} is blocked by hand for {}", target, format_duration(request.duration));
  DropEvent event;
  event.time = now_;
  event.change = block->since == now_ ? BlockChange::added : BlockChange::extended;
  event.scope = scope_of(block->target);
  event.target = target;
  event.rule = block->rule;
  event.label = block->label;
  event.expires = block->expires;
  daemon_.output->write(event);
  return success_line(block_report({*block, {}}, now_));
}

Result<std::string> Answering::operator()(const UnblockRequest& request) {
  const auto ended = daemon_.enforcer->unblock(request.target);
  if (!ended) return tl::unexpected<Error>(ended.error());
  if (!*ended) return fail("{} is not blocked", to_string(request.target));
  log_info("{} is unblocked by hand", to_string(request.target));
  report_ended_blocks(daemon_, {**ended}, BlockChange::removed, now_);
  return success_line(block_report(**ended, now_));
}

Result<std::string> Answering::operator()(const PolicyReloadRequest&) {
  if (auto loaded = reload(daemon_); !loaded) return tl::unexpected<Error>(std::move(loaded.error()));
  return success_line({{"mode", mode_name(daemon_.policy->mode)},
                       {"path", daemon_.policy->path},
                       {"rules", daemon_.policy->rules.size()},
                       {"incident_rules", daemon_.policy->incidents.size()},
                       {"models", {{"count", daemon_.matcher->database_models()}}}});
}

Result<std::string> Answering::operator()(const CountersRequest&) {
  const auto sections = counter_sections(daemon_);
  if (!sections) return tl::unexpected<Error>(sections.error());
  ordered_json counters;
  for (const StatsSection& section : *sections)
    for (const auto& [name, value] : section.values) counters[section.name][name] = value;
  return success_line(counters);
}

Result<std::string> Answering::operator()(const MetricsRequest&) {
  const auto sections = counter_sections(daemon_);
  if (!sections) return tl::unexpected<Error>(sections.error());
  std::string text;
  append_prometheus(text, *sections);
  return success_line({{"text", text}});
}

Result<SettledFlow> Answering::settled_flow(std::uint64_t id, bool or_live) {
  auto found = daemon_.study->ask(
      [id](StudyState& state) -> std::optional<SettledFlow> {
        const SettledFlow* flow = state.recent.find(id);
        if (flow == nullptr) return std::nullopt;
        return *flow;
      },
      kWorkerPatience);
  if (!found) return fail("the study of flows did not answer in time");
  if (*found) return std::move(**found);
  const auto live = live_flow(daemon_, id);
  if (!live) return tl::unexpected<Error>(live.error());
  if (*live && or_live) {
    auto unsettled = unsettled_flow(daemon_, (*live)->key);
    if (!unsettled) return tl::unexpected<Error>(unsettled.error());
    if (*unsettled) return std::move(**unsettled);
  }
  return fail("{}", why_not_settled(id, *live, daemon_.config.study.recent_flows));
}

Result<std::string> Answering::operator()(const SettledFlowRequest& request) {
  const auto flow = settled_flow(request.id, false);
  if (!flow) return tl::unexpected<Error>(flow.error());
  return success_line(settled_flow_json(*flow, daemon_.matcher->rules()));
}

Result<std::string> Answering::operator()(const ExplainRequest& request) {
  const auto flow = settled_flow(request.id, true);
  if (!flow) return tl::unexpected<Error>(flow.error());
  const Matcher& matcher = *daemon_.matcher;
  auto explanation = answer_explain(matcher, classification_rules(matcher.profile(), daemon_.policy->label_threshold),
                                    measured_flow(*flow, matcher.rules()), verdict_json(*flow), request.against);
  if (explanation) (*explanation)["models_changed"] = flow->time < daemon_.models_loaded;
  return json_line(std::move(explanation));
}

// What an operator changed is on the disk, and known to the workers, before it is answered.
Result<std::string> Answering::operator()(const LearnRequest& request) {
  const std::shared_ptr<const Matcher> matcher = daemon_.matcher;
  const auto find_label = [matcher](std::string_view label) -> std::optional<KnownLabel> {
    for (const ModelSummary& model : matcher->models())
      if (model.label == label && !model.provisional) return KnownLabel{model.family, model.category};
    return std::nullopt;
  };
  auto answered = daemon_.study->ask(
      [request, find_label, study = daemon_.study.get()](StudyState& state) {
        auto result = answer_learn(state.stream.learner(), request, find_label);
        const bool changes = request.verb != LearnRequest::Verb::list && request.verb != LearnRequest::Verb::show &&
                             request.verb != LearnRequest::Verb::export_model;
        if (result && changes) state.stream.save();
        if (state.take_models_changed()) study->set_models_changed();
        return result;
      },
      kWorkerPatience);
  if (!answered) return fail("the study of flows did not answer in time; what was asked may still be done");
  if (auto loaded = reload_changed_models(daemon_); !loaded) return tl::unexpected<Error>(std::move(loaded.error()));
  return json_line(std::move(*answered));
}

Result<std::string> Answering::operator()(const SiteRequest& request) {
  auto answered = daemon_.study->ask(
      [request, now = now_, study = daemon_.study.get()](StudyState& state) {
        Result<ordered_json> result = state.site.answer(request, now);
        if (state.take_models_changed()) study->set_models_changed();
        return result;
      },
      kSitePatience);
  if (!answered) return fail("the study of flows did not answer in time; what was asked may still be done");
  if (auto loaded = reload_changed_models(daemon_); !loaded) return tl::unexpected<Error>(std::move(loaded.error()));
  return json_line(std::move(*answered));
}

Result<std::string> Answering::operator()(const SpadeRequest& request) {
  if (!daemon_.anomaly) return fail("SPADE is switched off: [spade] enabled = false, or observation_limit = 0");
  if (request.verb == SpadeRequest::Verb::stats) {
    const auto text = daemon_.anomaly->statistics(kStatisticsPatience);
    if (!text) return tl::unexpected<Error>(text.error());
    return success_line({{"text", *text}});
  }
  auto report = daemon_.anomaly->ask([verb = request.verb](AnomalyWatch& watch) { return spade_report(watch, verb); },
                                     kWorkerPatience);
  if (!report) return fail("SPADE did not answer in time");
  return success_line(*report);
}

}  // namespace

ControlSocket::Reply answer(Daemon& daemon, std::string_view line) {
  const auto request = parse_request(line);
  const auto text = request ? std::visit(Answering(daemon, wall_clock_now()), *request)
                            : Result<std::string>(tl::unexpected<Error>(request.error()));
  if (!text) {
    ++daemon.requests_refused;
    return {error_line(text.error().message), false};
  }
  return {*text, std::holds_alternative<SubscribeRequest>(*request)};
}

void report_ended_blocks(Daemon& daemon, const std::vector<ActiveBlock>& ended, BlockChange change, Timestamp now) {
  for (const ActiveBlock& active : ended) {
    const std::string target = to_string(active.block.target);
    DropEvent event;
    event.time = now;
    event.change = change;
    event.scope = scope_of(active.block.target);
    event.target = target;
    event.rule = active.block.rule;
    event.label = active.block.label;
    event.expires = active.block.expires;
    event.dropped = DroppedTraffic{active.hits.packets, active.hits.bytes};
    daemon.output->write(event);
  }
}

}  // namespace spidd
