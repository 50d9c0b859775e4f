// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_report.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace spidd {
namespace {

constexpr const char* kSshTunnel = "ssh-tunnel";
constexpr unsigned kAblationResamples = 200;  // there are many meters

// An interval from groups is empty where nothing was seen; what chance alone may hide is not. kNothing of no trials.
double highest_share(const Figure& share, std::uint64_t hits, std::uint64_t trials) {
  return trials == 0 ? kNothing : std::max(share.high, upper_limit(hits, trials));
}

std::vector<MomentReport> moments_of(const EvalInput& input, const std::vector<JudgedFlow>& judged,
                                     double flows_per_day) {
  std::vector<MomentReport> reports;
  for (std::size_t part = 0; part < input.parts.size(); ++part) {
    for (std::size_t moment = 0; moment < kMoments.size(); ++moment) {
      std::vector<Outcome> outcomes;
      for (const JudgedFlow& flow : judged)
        if (input.part_of(flow.flow) == part) outcomes.push_back(flow.outcomes[moment]);
      if (outcomes.empty()) continue;
      MomentReport& report = reports.emplace_back();
      report.part = input.parts[part].name;
      report.moment = kMoments[moment];
      report.families = evaluate_names(outcomes);
      report.labels = evaluate_names(outcomes, NameLevel::label);
      report.nearest = evaluate_names(outcomes, NameLevel::nearest);
      report.tunnels = evaluate_tunnels(outcomes);
      report.without_ssh = evaluate_tunnels(outcomes, kSshTunnel);
      report.confusion = confusion_of(outcomes);
      report.label_confusion = confusion_of(outcomes, NameLevel::label);
      report.false_blocks_a_day = flows_per_day * report.tunnels.block_false.value;
      report.most_false_blocks_a_day =
          flows_per_day * highest_share(report.tunnels.block_false, report.tunnels.false_blocks, report.tunnels.benign);
    }
  }
  return reports;
}

void add_label(StrangerSums& sums, const StrangerRow& row) {
  const auto share = [&row](std::uint64_t part) { return static_cast<double>(part) / static_cast<double>(row.flows); };
  sums.flows.flows += row.flows;
  sums.flows.named += row.named;
  sums.flows.right += row.right;
  sums.flows.alerts += row.alerts;
  sums.flows.blocks += row.blocks;
  const auto before = static_cast<double>(sums.labels++);
  const auto now = static_cast<double>(sums.labels);
  const auto mean = [&](double& sum, std::uint64_t part) {
    sum = ((before > 0 ? sum * before : 0) + share(part)) / now;
  };
  mean(sums.named, row.named);
  mean(sums.right, row.right);
  mean(sums.alerts, row.alerts);
  mean(sums.blocks, row.blocks);
}

std::vector<StrangerReport> strangers_of(const std::vector<JudgedFlow>& judged) {
  std::vector<StrangerReport> reports;
  for (std::size_t moment = 0; moment < kMoments.size() && !judged.empty(); ++moment) {
    StrangerReport& report = reports.emplace_back();
    report.moment = kMoments[moment];
    std::map<std::string, StrangerRow> rows;
    for (const JudgedFlow& flow : judged) {
      const Outcome& outcome = flow.outcomes[moment];
      StrangerRow& row = rows[outcome.label];
      row.label = outcome.label;
      row.is_tunnel = outcome.is_tunnel;
      ++row.flows;
      row.named += outcome.named.empty() ? 0 : 1;
      row.right += outcome.named == outcome.family ? 1 : 0;
      row.alerts += outcome.alert ? 1 : 0;
      row.blocks += outcome.block ? 1 : 0;
    }
    for (auto& [label, row] : rows) {
      add_label(row.is_tunnel ? report.tunnels : report.plain, row);
      report.labels.push_back(std::move(row));
    }
  }
  return reports;
}

// `run.ablated` has the flows of `run.judged`, in the same order.
std::vector<AblationReport> ablation_of(const EvalInput& input, const EvalRun& run, Profile profile) {
  std::vector<AblationReport> reports;
  for (std::size_t part = 0; part < input.parts.size() && !run.ablated.empty(); ++part) {
    for (std::size_t moment = 0; moment < kMoments.size(); ++moment) {
      std::vector<Outcome> outcomes;
      std::vector<const AblatedFlow*> ablated;
      for (std::size_t i = 0; i < run.judged.size(); ++i) {
        if (input.part_of(run.judged[i].flow) != part) continue;
        outcomes.push_back(run.judged[i].outcomes[moment]);
        ablated.push_back(&run.ablated[i]);
      }
      if (outcomes.empty()) continue;
      AblationReport& report = reports.emplace_back();
      report.part = input.parts[part].name;
      report.moment = kMoments[moment];
      const NameFigures names = evaluate_names(outcomes, NameLevel::family, kAblationResamples);
      const TunnelFigures tunnels = evaluate_tunnels(outcomes, kSshTunnel, kAblationResamples);
      for (unsigned meter = 0; meter < kMeterCount; ++meter) {
        if ((scored_meters(profile) >> meter & 1) == 0) continue;
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
          const AblatedFlow::Brief& brief = ablated[i]->briefs[meter][moment];
          outcomes[i].named = brief.named;
          outcomes[i].alert = brief.alert;
          outcomes[i].block = brief.block;
        }
        const NameFigures names_without = evaluate_names(outcomes, NameLevel::family, kAblationResamples);
        const TunnelFigures tunnels_without = evaluate_tunnels(outcomes, kSshTunnel, kAblationResamples);
        report.meters.push_back({std::string(meter_name(meter)), difference(names_without.accuracy, names.accuracy),
                                 difference(names_without.macro_f1, names.macro_f1),
                                 difference(tunnels_without.alert_recall, tunnels.alert_recall),
                                 difference(tunnels_without.alert_false, tunnels.alert_false)});
      }
    }
  }
  return reports;
}

std::vector<ScoreReport> scores_of(const std::vector<JudgedFlow>& judged) {
  std::map<std::string, ScoreReport> reports;
  for (const JudgedFlow& flow : judged) {
    const std::string& label = flow.outcomes[0].trained_as;
    ScoreReport& report = reports[label];
    report.label = label;
    if (flow.own_score) report.own.push_back(*flow.own_score);
    if (flow.rival_score) report.rival.push_back(*flow.rival_score);
  }
  std::vector<ScoreReport> result;
  for (auto& [label, report] : reports) result.push_back(std::move(report));
  return result;
}

std::string method_of(const EvalSettings& settings, unsigned folds) {
  std::string method = settings.models             ? "by the models given"
                       : settings.held_out.empty() ? fmt::format("{} folds by group", folds)
                                                   : settings.held_out + " held out";
  if (settings.rules == MeterRules::strict) method += ", sessions and measurements of SPID 0.4.6";
  if (settings.one_way) method += fmt::format(", only packets {}", view_name(*settings.one_way));
  if (settings.local_share > 0)
    method += fmt::format(", flows that are no tunnels of {:.0f} % of the captures{} learned as a site's",
                          100 * settings.local_share, settings.local_part.empty() ? "" : " of " + settings.local_part);
  return method;
}

// Names are of files and labels that anybody made up: nothing in them may start another field or line.
std::string field(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

}  // namespace

std::string verdict_table(const EvalInput& input, const std::vector<JudgedFlow>& judged) {
  std::string text = "set\tcapture\tgroup\ttransport\tlow\thigh\tstart\tlabel\tfamily\ttunnel\tknown";
  for (const unsigned moment : kMoments) {
    const std::string suffix = moment == kFinal ? "final" : fmt::to_string(moment);
    for (const char* column : {"named", "label", "alert", "block", "lead"})
      text += fmt::format("\t{}_{}", column, suffix);
  }
  text += '\n';
  for (const JudgedFlow& judgement : judged) {
    const LabelledFlow& flow = input.set.flows[judgement.flow];
    const Outcome& truth = judgement.outcomes[0];
    const double start = std::chrono::duration<double>(flow.start.time_since_epoch()).count();
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{:.6f}\t{}\t{}\t{:d}\t{:d}",
                        field(input.parts[input.part_of(judgement.flow)].name), field(input.set.captures[flow.capture]),
                        field(input.set.groups[flow.group]), transport_name(flow.key.transport),
                        Endpoint{flow.key.low, flow.key.port_low}.to_string(),
                        Endpoint{flow.key.high, flow.key.port_high}.to_string(), start, field(truth.label),
                        field(truth.family), truth.is_tunnel, truth.known);
    for (const Outcome& outcome : judgement.outcomes)
      text += fmt::format("\t{}\t{}\t{:d}\t{:d}\t{:.3f}", field(outcome.named), field(outcome.named_label),
                          outcome.alert, outcome.block, outcome.lead);
    text += '\n';
  }
  return text;
}

EvalReport make_report(const EvalInput& input, const EvalSettings& settings, const EvalRun& run, double flows_per_day) {
  EvalReport report;
  report.method = method_of(settings, run.folds);
  report.moments = moments_of(input, run.judged, flows_per_day);
  report.with_local = moments_of(input, run.with_local, flows_per_day);
  report.learned_locally = run.learned_locally;
  report.strangers = strangers_of(run.strangers);
  report.ablation = ablation_of(input, run, settings.profile);
  report.models = run.models;
  report.scores = scores_of(run.judged);
  report.flows_in_use = run.flows_in_use;
  report.flows_per_day = flows_per_day;
  return report;
}

}  // namespace spidd
