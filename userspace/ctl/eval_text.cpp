// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The figures for people, on standard output.
#include <algorithm>
#include <cmath>

#include "userspace/ctl/eval_report.h"

namespace spidd {
namespace {

constexpr std::size_t kConfusionsShown = 12;
constexpr std::size_t kLabelConfusionsShown = 20;
constexpr std::size_t kFalseShown = 12;

// A share in percent, "-" where there was nothing to measure.
std::string percent(double share, int digits = 1) {
  return std::isnan(share) ? "-" : fmt::format("{:.{}f}", 100 * share, digits);
}

std::string percent(const Figure& figure, int digits = 1) {
  if (std::isnan(figure.value)) return "-";
  return fmt::format("{} ({}-{})", percent(figure.value, digits), percent(figure.low, digits),
                     percent(figure.high, digits));
}

// Shares of benign flows are small.
std::string fine_percent(const Figure& figure) { return percent(figure, 2); }

// A difference, for better or worse.
std::string points(const Figure& figure) {
  if (std::isnan(figure.value)) return "-";
  return fmt::format("{:+.2f} ({:+.2f}, {:+.2f})", 100 * figure.value, 100 * figure.low, 100 * figure.high);
}

std::string number(double value, int digits) { return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, digits); }

std::string share(std::uint64_t part, std::uint64_t whole, int digits = 1) {
  return percent(whole == 0 ? kNothing : static_cast<double>(part) / static_cast<double>(whole), digits);
}

auto can_be_known(const std::vector<ClassFigures>& rows) {
  return std::ranges::count_if(rows, [](const ClassFigures& row) { return row.can_be_known(); });
}

void print_names(const char* what, const NameFigures& names) {
  fmt::print("  {:<9} accuracy {}  macro F1 {} of {} that can be known, {} of all {}\n", what, percent(names.accuracy),
             percent(names.macro_f1), can_be_known(names.classes), percent(names.macro_f1_all.value),
             names.classes.size());
}

void print_moment(const MomentReport& report) {
  const TunnelFigures& tunnels = report.tunnels;
  fmt::print("\n{}, {}: {} known flows, {} novel\n", report.part, moment_name(report.moment), report.families.known,
             report.families.novel);
  print_names("families", report.families);
  fmt::print("            precision {}, with novel flows {}; novel named {}\n", percent(report.families.precision),
             percent(report.families.precision_all), percent(report.families.novel_named));
  print_names("labels", report.labels);
  print_names("nearest", report.nearest);
  fmt::print("  tunnels   {} flows of {} labels, {} that can be known; {} benign flows\n", tunnels.tunnels,
             tunnels.labels.size(), can_be_known(tunnels.labels), tunnels.benign);
  fmt::print("    alert   macro recall {} (without ssh-tunnel {}, all labels {}, flows {}), false {}, {} flows\n",
             percent(tunnels.alert_recall), percent(report.without_ssh.alert_recall),
             percent(tunnels.alert_recall_all.value), percent(tunnels.alert_flows.value),
             fine_percent(tunnels.alert_false), tunnels.false_alerts);
  fmt::print("    block   macro recall {} (without ssh-tunnel {}, flows {}), false {}, {} flows\n",
             percent(tunnels.block_recall), percent(report.without_ssh.block_recall),
             percent(tunnels.block_flows.value), fine_percent(tunnels.block_false), tunnels.false_blocks);
  fmt::print("    lead    area under ROC {}, without ssh-tunnel {}, {} % false at 95 % macro recall\n",
             number(tunnels.area, 4), number(report.without_ssh.area, 4), percent(report.without_ssh.false_at_95, 2));
  fmt::print("    false blocks a day: {}, at most {}\n", number(report.false_blocks_a_day, 0),
             number(report.most_false_blocks_a_day, 0));
}

void print_confusions(const char* level, const std::vector<ConfusionCell>& worst) {
  if (!worst.empty()) fmt::print("\n  most confused{:>19}{:>26}{:>8}{:>10}\n", level, "named", "flows", "captures");
  for (const ConfusionCell& cell : worst)
    fmt::print("  {:>32}{:>26}{:>8}{:>10}\n", cell.truth, cell.named.empty() ? "-" : cell.named, cell.flows,
               cell.captures);
}

void print_worst(const MomentReport& report) {
  print_confusions("family", worst_confusions(report.confusion, kConfusionsShown));
  print_confusions("label", worst_confusions(report.label_confusion, kLabelConfusionsShown));
  const auto& rows = report.tunnels.false_ones;
  if (!rows.empty())
    fmt::print("\n  taken for a tunnel{:>14}{:>10}{:>10}{:>8}\n", "label", "flows", "alerts", "blocks");
  for (std::size_t i = 0; i < std::min(rows.size(), kFalseShown); ++i)
    fmt::print("  {:>32}{:>10}{:>10}{:>8}\n", rows[i].label, rows[i].flows, rows[i].alerts, rows[i].blocks);
}

void print_classes(const char* what, const NameFigures& names) {
  fmt::print("\n  {:<24}{:>7}{:>10}{:>8}{:>11}{:>9}{:>7}\n", what, "flows", "captures", "groups", "precision", "recall",
             "F1");
  for (const ClassFigures& row : names.classes)
    fmt::print("  {:<24}{:>7}{:>10}{:>8}{:>11}{:>9}{:>7}\n", row.name, row.flows, row.captures, row.groups,
               percent(row.precision), percent(row.recall), percent(row.f1));
}

void print_details(const MomentReport& report) {
  print_classes("family", report.families);
  print_classes("label", report.labels);
  fmt::print("\n  {:<24}{:>7}{:>10}{:>8}{:>9}{:>9}\n", "tunnel label", "flows", "captures", "groups", "alerts",
             "blocks");
  for (const ClassFigures& row : report.tunnels.labels)
    fmt::print("  {:<24}{:>7}{:>10}{:>8}{:>9}{:>9}\n", row.name, row.flows, row.captures, row.groups, row.right,
               row.wrong);
}

void print_strangers(const StrangerReport& report, bool details) {
  fmt::print("\nlabels held out in turn, {}:\n", moment_name(report.moment));
  const auto print_sum = [](const char* what, const StrangerSums& sums) {
    const StrangerRow& row = sums.flows;
    fmt::print("  {:<11} {} flows: {} % named ({} after their family), {} as a tunnel, {} blocked\n", what, row.flows,
               share(row.named, row.flows), share(row.right, row.flows), share(row.alerts, row.flows),
               share(row.blocks, row.flows, 2));
    fmt::print("  {:<11} mean of {} labels: {} % named ({}), {} as a tunnel, {} blocked\n", "", sums.labels,
               percent(sums.named), percent(sums.right), percent(sums.alerts), percent(sums.blocks, 2));
  };
  print_sum("no tunnels", report.plain);
  print_sum("tunnels", report.tunnels);
  if (!details) return;
  fmt::print("\n  {:<26}{:>7}{:>8}{:>8}{:>8}{:>8}\n", "label held out", "flows", "named", "family", "alerts", "blocks");
  for (const StrangerRow& row : report.labels)
    fmt::print("  {:<26}{:>7}{:>8}{:>8}{:>8}{:>8}\n", row.label + (row.is_tunnel ? " *" : ""), row.flows, row.named,
               row.right, row.alerts, row.blocks);
}

void print_ablation(const AblationReport& report) {
  fmt::print("\n{}, {}, each meter left out; points lost or won, tunnels without ssh-tunnel\n", report.part,
             moment_name(report.moment));
  fmt::print("  {:<52}{:>24}{:>24}{:>24}{:>24}\n", "meter", "accuracy", "macro F1", "alert recall", "alert false");
  for (const AblationRow& row : report.meters)
    fmt::print("  {:<52}{:>24}{:>24}{:>24}{:>24}\n", row.meter, points(row.accuracy), points(row.macro_f1),
               points(row.alert_recall), points(row.alert_false));
}

void print_thresholds(const EvalReport& report) {
  fmt::print("\nthresholds of labels, 0 where none is shown\n");
  for (const ModelFigures& model : report.models)
    if (model.view == View::both && model.threshold > 0)
      fmt::print("  {:<24}{:<6}{:>6.2f}\n", model.label, transport_name(model.transport), model.threshold);
}

}  // namespace

void print_report(const EvalInput& input, const EvalReport& report, bool details) {
  for (const EvalInput::Part& part : input.parts)
    fmt::print(
        "{}: {} flows, {} captures, {} groups; rows without a flow: {} by-products, {} without meaning, {} of "
        "other protocols, {} without payload\n",
        part.name, part.flows, part.captures, part.groups, part.losses.by_product, part.losses.no_meaning,
        part.losses.other_protocol, part.losses.no_payload);
  fmt::print("{} flows in use, {}; in %, in brackets 95 % intervals, whole groups drawn again\n", report.flows_in_use,
             report.method);
  const auto print_all = [&](const std::vector<MomentReport>& moments) {
    for (const MomentReport& moment : moments) {
      print_moment(moment);
      if (moment.moment != kFinal) continue;
      print_worst(moment);
      if (details) print_details(moment);
    }
  };
  print_all(report.moments);
  if (!report.with_local.empty()) {
    fmt::print("\nThe same flows with {} other flows of their sites learned:\n", report.learned_locally);
    print_all(report.with_local);
  }
  for (const StrangerReport& strangers : report.strangers)
    print_strangers(strangers, details && strangers.moment == kFinal);
  for (const AblationReport& ablation : report.ablation)
    if (details || ablation.moment == kFinal) print_ablation(ablation);
  if (details) print_thresholds(report);
  fmt::print("\nfalse blocks a day are of {:.0f} flows\n{:.1f} s\n", report.flows_per_day, report.seconds);
}

}  // namespace spidd
