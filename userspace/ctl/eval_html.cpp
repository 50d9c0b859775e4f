// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The figures as one page: tables, the confusion matrix, and how scores lie. No script, nothing from elsewhere.
#include <cmath>

#include "userspace/ctl/eval_pictures.h"
#include "userspace/ctl/eval_report.h"

namespace spidd {
namespace {

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>spidctl eval</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #d9dee4; --right: #1a7f4b; --wrong: #c62f2f;
  --own: #2563b0; --rival: #d08a1c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --paper: #16191d; --faint: #343a41; --right: #4cc38a; --wrong: #f2706b; --own: #6ea8fe;
    --rival: #e8b04f; }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--faint); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .8rem 0; font-size: 13px; }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
svg text { fill: var(--ink); font: 8px system-ui, sans-serif; }
svg line { stroke: var(--faint); stroke-width: .5; }
.right { fill: var(--right); } .wrong { fill: var(--wrong); }
.own { fill: var(--own); } .rival { fill: var(--rival); }
.many { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 12px; }
.key { display: inline-block; width: .8em; height: .8em; }
</style>
</head>
<body>
)";

// "–" where there was nothing to measure.
std::string number(double value, int digits) { return std::isnan(value) ? "–" : fmt::format("{:.{}f}", value, digits); }

std::string percent(double share, int digits = 1) { return number(100 * share, digits); }

std::string percent(const Figure& figure, int digits = 1) {
  if (std::isnan(figure.value)) return percent(figure.value);
  return fmt::format("{} ({}–{})", percent(figure.value, digits), percent(figure.low, digits),
                     percent(figure.high, digits));
}

// A table from a head and rows of cells; cells are escaped.
class Table {
 public:
  explicit Table(const std::vector<std::string>& head) {
    html_ = "<div class=\"wide\"><table>\n";
    add(head, "th");
  }
  void row(const std::vector<std::string>& cells) { add(cells, "td"); }
  std::string take() && { return std::move(html_) + "</table></div>\n"; }

 private:
  void add(const std::vector<std::string>& cells, const char* tag) {
    html_ += "<tr>";
    for (const std::string& cell : cells) html_ += fmt::format("<{0}>{1}</{0}>", tag, html_escaped(cell));
    html_ += "</tr>\n";
  }

  std::string html_;
};

std::string summary(const std::vector<MomentReport>& moments) {
  Table names({"names, in %", "known flows", "novel", "accuracy", "precision", "with novel flows", "macro F1",
               "labels: accuracy", "macro F1", "nearest: accuracy", "macro F1"});
  Table tunnels({"tunnels, in %", "flows", "benign flows", "alert: macro recall", "without ssh-tunnel", "false",
                 "block: macro recall", "false", "false blocks a day", "at most", "ROC area"});
  for (const MomentReport& report : moments) {
    const std::string name = report.part + ", " + moment_name(report.moment);
    names.row({name, fmt::to_string(report.families.known), fmt::to_string(report.families.novel),
               percent(report.families.accuracy), percent(report.families.precision),
               percent(report.families.precision_all), percent(report.families.macro_f1),
               percent(report.labels.accuracy), percent(report.labels.macro_f1), percent(report.nearest.accuracy),
               percent(report.nearest.macro_f1)});
    tunnels.row({name, fmt::to_string(report.tunnels.tunnels), fmt::to_string(report.tunnels.benign),
                 percent(report.tunnels.alert_recall), percent(report.without_ssh.alert_recall),
                 percent(report.tunnels.alert_false, 2), percent(report.tunnels.block_recall),
                 percent(report.tunnels.block_false, 2), number(report.false_blocks_a_day, 0),
                 number(report.most_false_blocks_a_day, 0), number(report.tunnels.area, 4)});
  }
  return std::move(names).take() + std::move(tunnels).take();
}

std::string class_table(const char* what, const NameFigures& names) {
  Table table({what, "flows", "captures", "groups", "precision", "recall", "F1"});
  for (const ClassFigures& row : names.classes)
    table.row({row.name, fmt::to_string(row.flows), fmt::to_string(row.captures), fmt::to_string(row.groups),
               percent(row.precision), percent(row.recall), percent(row.f1)});
  return std::move(table).take();
}

std::string confusion_table(const char* level, const std::vector<ConfusionCell>& cells) {
  Table table({level, "named", "flows", "captures"});
  for (const ConfusionCell& cell : cells)
    table.row(
        {cell.truth, cell.named.empty() ? "–" : cell.named, fmt::to_string(cell.flows), fmt::to_string(cell.captures)});
  return std::move(table).take();
}

std::string details(const MomentReport& report) {
  std::string html = fmt::format("<h2>{}, {}</h2>\n", html_escaped(report.part), moment_name(report.moment));
  html +=
      "<h3>Confusion</h3>\n<p>Rows are families, columns the names given; the fuller the colour, the larger the share "
      "of the row.</p>\n<div class=\"wide\">";
  html += confusion_picture(report.confusion) + "</div>\n";
  html += confusion_table("family", worst_confusions(report.confusion, 30));
  html += "<h3>Confusion of labels</h3>\n<details><summary>As a picture</summary>\n<div class=\"wide\">" +
          confusion_picture(report.label_confusion) + "</div>\n</details>\n";
  html += confusion_table("label", worst_confusions(report.label_confusion, report.label_confusion.size()));
  html += "<h3>Tunnels</h3>\n";
  Table tunnels({"label", "flows", "captures", "groups", "alerts", "blocks"});
  for (const ClassFigures& row : report.tunnels.labels)
    tunnels.row({row.name, fmt::to_string(row.flows), fmt::to_string(row.captures), fmt::to_string(row.groups),
                 fmt::to_string(row.right), fmt::to_string(row.wrong)});
  html += std::move(tunnels).take();
  Table false_ones({"taken for a tunnel", "flows", "alerts", "blocks"});
  for (const FalseFigures& row : report.tunnels.false_ones)
    false_ones.row({row.label, fmt::to_string(row.flows), fmt::to_string(row.alerts), fmt::to_string(row.blocks)});
  html += std::move(false_ones).take();
  html += "<h3>Families</h3>\n" + class_table("family", report.families);
  html += "<h3>Labels</h3>\n" + class_table("label", report.labels);
  return html;
}

std::string strangers(const std::vector<StrangerReport>& reports) {
  std::string html = "<h2>Labels held out in turn</h2>\n";
  Table sums({"means over labels, in %", "labels", "named", "after their family", "as a tunnel", "blocked"});
  for (const StrangerReport& report : reports) {
    for (const auto& [what, row] : {std::pair("no tunnels", &report.plain), std::pair("tunnels", &report.tunnels)})
      sums.row({fmt::format("{}, {}", what, moment_name(report.moment)), fmt::to_string(row->labels),
                percent(row->named), percent(row->right), percent(row->alerts), percent(row->blocks, 2)});
  }
  html += std::move(sums).take();
  Table labels({"label", "flows", "named", "after its family", "alerts", "blocks"});
  for (const StrangerRow& row : reports.back().labels)
    labels.row({row.label, fmt::to_string(row.flows), fmt::to_string(row.named), fmt::to_string(row.right),
                fmt::to_string(row.alerts), fmt::to_string(row.blocks)});
  return html + std::move(labels).take();
}

std::string ablation(const AblationReport& report) {
  Table table({"without", "accuracy", "macro F1", "alert recall", "alert false"});
  const auto points = [](const Figure& figure) {
    if (std::isnan(figure.value)) return percent(figure.value);
    return fmt::format("{:+.2f} ({:+.2f}, {:+.2f})", 100 * figure.value, 100 * figure.low, 100 * figure.high);
  };
  for (const AblationRow& row : report.meters)
    table.row(
        {row.meter, points(row.accuracy), points(row.macro_f1), points(row.alert_recall), points(row.alert_false)});
  return fmt::format("<h3>{}, {}</h3>\n", html_escaped(report.part), moment_name(report.moment)) +
         std::move(table).take();
}

std::string models(const std::vector<ModelFigures>& figures) {
  Table table(
      {"model", "transport", "view", "category", "threshold", "flows", "captures", "payload packets", "may block"});
  for (const ModelFigures& model : figures)
    table.row({model.label, std::string(transport_name(model.transport)), std::string(view_name(model.view)),
               std::string(category_name(model.category)), fmt::format("{:.2f}", model.threshold),
               fmt::to_string(model.flows), fmt::to_string(model.captures), fmt::to_string(model.payload_packets),
               model.may_block ? "yes" : "no"});
  return "<h2>Models of all captures, and their thresholds</h2>\n" + std::move(table).take();
}

}  // namespace

std::string html_report(const EvalInput& input, const EvalReport& report) {
  std::string html = kHead;
  html += fmt::format(
      "<h1>How right spidd is</h1>\n<p>{} flows in use, {}. In brackets 95 % intervals, whole groups drawn "
      "again. False blocks a day are of {:.0f} flows. {:.1f} s.</p>\n",
      report.flows_in_use, html_escaped(report.method), report.flows_per_day, report.seconds);
  Table sets({"set", "flows", "captures", "groups"});
  for (const EvalInput::Part& part : input.parts)
    sets.row({part.name, fmt::to_string(part.flows), fmt::to_string(part.captures), fmt::to_string(part.groups)});
  html += std::move(sets).take();
  html += "<h2>Figures</h2>\n" + summary(report.moments);
  if (!report.with_local.empty()) {
    html += fmt::format("<h2>The same flows with {} other flows of their sites learned</h2>\n", report.learned_locally);
    html += summary(report.with_local);
  }
  for (const MomentReport& moment : report.moments)
    if (moment.moment == kFinal) html += details(moment);
  if (!report.strangers.empty()) html += strangers(report.strangers);
  if (!report.ablation.empty()) html += "<h2>Each meter left out</h2>\n";
  for (const AblationReport& meters : report.ablation)
    if (meters.moment == kFinal) html += ablation(meters);
  html +=
      "<h2>Scores</h2>\n<p>Of every label's flows, after all their packets, in bits a measurement: <span class=\"key\" "
      "style=\"background: var(--own)\"></span> of their own model, <span class=\"key\" style=\"background: "
      "var(--rival)\"></span> of the best of another family.</p>\n<div class=\"many\">\n";
  for (const ScoreReport& scores : report.scores)
    html += fmt::format("<figure>{}<figcaption>{}, {} flows</figcaption></figure>\n", score_picture(scores),
                        html_escaped(scores.label), scores.rival.size());
  html += "</div>\n" + models(report.models);
  return html + "</body>\n</html>\n";
}

}  // namespace spidd
