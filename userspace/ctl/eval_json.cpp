// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The figures for programs. Shares are 0..1, scores in bits; null where there was nothing to measure, which is what the
// library makes of what is no number.
#include "userspace/ctl/eval_report.h"
#include "userspace/ctl/text.h"

namespace spidd {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Figure& figure) { return {{"value", figure.value}, {"low", figure.low}, {"high", figure.high}}; }

Json moment_json(unsigned moment) { return moment == kFinal ? Json("final") : Json(moment); }

Json json_of(const NameFigures& names) {
  Json classes = Json::array();
  for (const ClassFigures& row : names.classes)
    classes.push_back({{"name", row.name},
                       {"flows", row.flows},
                       {"captures", row.captures},
                       {"groups", row.groups},
                       {"right", row.right},
                       {"wrong", row.wrong},
                       {"precision", row.precision},
                       {"recall", row.recall},
                       {"f1", row.f1},
                       {"can_be_known", row.can_be_known()}});
  return {{"accuracy", json_of(names.accuracy)},
          {"precision", json_of(names.precision)},
          {"precision_with_novel", json_of(names.precision_all)},
          {"macro_f1", json_of(names.macro_f1)},
          {"macro_f1_all", json_of(names.macro_f1_all)},
          {"novel_named", json_of(names.novel_named)},
          {"classes", std::move(classes)}};
}

Json json_of(const TunnelFigures& tunnels) {
  Json labels = Json::array();
  for (const ClassFigures& row : tunnels.labels)
    labels.push_back({{"name", row.name},
                      {"flows", row.flows},
                      {"captures", row.captures},
                      {"groups", row.groups},
                      {"alerts", row.right},
                      {"blocks", row.wrong},
                      {"can_be_known", row.can_be_known()}});
  Json false_ones = Json::array();
  for (const FalseFigures& row : tunnels.false_ones)
    false_ones.push_back({{"label", row.label}, {"flows", row.flows}, {"alerts", row.alerts}, {"blocks", row.blocks}});
  return {{"flows", tunnels.tunnels},
          {"benign_flows", tunnels.benign},
          {"alert_recall", json_of(tunnels.alert_recall)},
          {"alert_recall_all", json_of(tunnels.alert_recall_all)},
          {"alert_recall_of_flows", json_of(tunnels.alert_flows)},
          {"alert_false", json_of(tunnels.alert_false)},
          {"false_alerts", tunnels.false_alerts},
          {"block_recall", json_of(tunnels.block_recall)},
          {"block_recall_of_flows", json_of(tunnels.block_flows)},
          {"block_false", json_of(tunnels.block_false)},
          {"false_blocks", tunnels.false_blocks},
          {"roc_area", tunnels.area},
          {"false_at_95_recall", tunnels.false_at_95},
          {"labels", std::move(labels)},
          {"false_by_label", std::move(false_ones)}};
}

Json json_of(const char* level, const std::vector<ConfusionCell>& cells) {
  Json array = Json::array();
  for (const ConfusionCell& cell : cells)
    array.push_back({{level, cell.truth},
                     {"named", cell.named.empty() ? Json() : Json(cell.named)},
                     {"flows", cell.flows},
                     {"captures", cell.captures}});
  return array;
}

Json json_of(const std::vector<MomentReport>& moments) {
  Json array = Json::array();
  for (const MomentReport& moment : moments) {
    array.push_back({{"set", moment.part},
                     {"after", moment_json(moment.moment)},
                     {"known_flows", moment.families.known},
                     {"novel_flows", moment.families.novel},
                     {"families", json_of(moment.families)},
                     {"labels", json_of(moment.labels)},
                     {"nearest", json_of(moment.nearest)},
                     {"tunnels", json_of(moment.tunnels)},
                     {"tunnels_without_ssh", json_of(moment.without_ssh)},
                     {"confusion", json_of("family", moment.confusion)},
                     {"label_confusion", json_of("label", moment.label_confusion)},
                     {"false_blocks_a_day",
                      {{"expected", moment.false_blocks_a_day}, {"at_most", moment.most_false_blocks_a_day}}}});
  }
  return array;
}

Json json_of(const StrangerRow& row) {
  return {{"flows", row.flows},
          {"named", row.named},
          {"right_family", row.right},
          {"alerts", row.alerts},
          {"blocks", row.blocks}};
}

Json json_of(const StrangerSums& sums) {
  return {{"flows", json_of(sums.flows)},
          {"labels", sums.labels},
          {"mean",
           {{"named", sums.named}, {"right_family", sums.right}, {"alerts", sums.alerts}, {"blocks", sums.blocks}}}};
}

Json json_of(const StrangerReport& report) {
  Json labels = Json::array();
  for (const StrangerRow& row : report.labels) {
    Json entry = {{"label", row.label}, {"tunnel", row.is_tunnel}};
    entry.update(json_of(row));
    labels.push_back(std::move(entry));
  }
  return {{"after", moment_json(report.moment)},
          {"no_tunnels", json_of(report.plain)},
          {"tunnels", json_of(report.tunnels)},
          {"labels", std::move(labels)}};
}

Json json_of(const AblationReport& report) {
  Json meters = Json::array();
  for (const AblationRow& row : report.meters)
    meters.push_back({{"meter", row.meter},
                      {"accuracy", json_of(row.accuracy)},
                      {"macro_f1", json_of(row.macro_f1)},
                      {"alert_recall", json_of(row.alert_recall)},
                      {"alert_false", json_of(row.alert_false)}});
  return {{"set", report.part}, {"after", moment_json(report.moment)}, {"without", std::move(meters)}};
}

Json json_of(const ModelFigures& model) {
  return {{"label", model.label},          {"transport", transport_name(model.transport)},
          {"view", view_name(model.view)}, {"category", category_name(model.category)},
          {"threshold", model.threshold},  {"flows", model.flows},
          {"captures", model.captures},    {"payload_packets", model.payload_packets},
          {"may_block", model.may_block}};
}

}  // namespace

void print_json_report(const EvalInput& input, const EvalReport& report) {
  Json sets = Json::array();
  for (const EvalInput::Part& part : input.parts)
    sets.push_back({{"name", part.name}, {"flows", part.flows}, {"captures", part.captures}, {"groups", part.groups}});
  Json json = {{"method", report.method},
               {"flows_in_use", report.flows_in_use},
               {"flows_per_day", report.flows_per_day},
               {"seconds", report.seconds},
               {"sets", std::move(sets)},
               {"moments", json_of(report.moments)}};
  if (!report.with_local.empty())
    json["with_local"] = {{"learned_flows", report.learned_locally}, {"moments", json_of(report.with_local)}};
  for (const StrangerReport& strangers : report.strangers) json["strangers"].push_back(json_of(strangers));
  for (const AblationReport& ablation : report.ablation) json["ablation"].push_back(json_of(ablation));
  json["models"] = Json::array();
  for (const ModelFigures& model : report.models) json["models"].push_back(json_of(model));
  print_json(json);
}

}  // namespace spidd
