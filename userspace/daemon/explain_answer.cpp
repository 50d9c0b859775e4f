// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/explain_answer.h"

#include <cmath>

#include "userspace/report/events.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

ordered_json rounded(double value) { return std::round(value * 1e6) / 1e6; }
ordered_json rounded(float value) { return rounded(static_cast<double>(value)); }

ordered_json label_of(std::uint16_t model, std::span<const ModelSummary> models) {
  if (model == kNoModel) return nullptr;
  return models[model].label;
}

ordered_json standing_json(const Explanation& explanation, std::span<const ModelSummary> models) {
  const Candidate& standing = explanation.standing;
  if (standing.model == kNoModel) return {{"label", nullptr}, {"holds", false}, {"reason", explanation.reason}};
  ordered_json json = {{"label", models[standing.model].label},
                       {"holds", standing.holds},
                       {"class", verdict_class_name(explanation.verdict_class)},
                       {"score", rounded(standing.score)},
                       {"threshold", rounded(standing.threshold)},
                       {"margin", nullptr},
                       {"rival", label_of(standing.rival, models)},
                       {"lead", nullptr},
                       {"needed_lead", nullptr},
                       {"ahead_of", label_of(standing.beaten, models)},
                       {"reason", explanation.reason}};
  if (standing.rival != kNoModel) json["margin"] = rounded(standing.margin);
  if (standing.beaten != kNoModel) {
    json["lead"] = rounded(standing.lead);
    json["needed_lead"] = rounded(standing.needed_lead);
  }
  return json;
}

ordered_json side_json(const Explanation::Side& side, std::span<const ModelSummary> models) {
  if (side.model == kNoModel) return nullptr;
  const ModelSummary& model = models[side.model];
  return {{"label", model.label},
          {"family", model.family},
          {"category", category_name(model.category)},
          {"origin", origin_name(model.origin)},
          {"provisional", model.provisional},
          {"may_block", model.may_block},
          {"score", rounded(side.score)},
          {"divergence", rounded(side.divergence)}};
}

}  // namespace

MeasuredFlow measured_flow(const SettledFlow& flow, MeterRules rules) {
  MeasuredFlow measured;
  measured.transport = flow.key.transport;
  measured.view = flow.view;
  measured.rules = rules;
  measured.client = flow.client.to_string();
  measured.server = flow.server.to_string();
  measured.label = flow.label;
  measured.structured = flow.structured;
  measured.joined_late = flow.joined_late;
  measured.fingerprint = flow.fingerprint;
  return measured;
}

ordered_json verdict_json(const SettledFlow& flow) {
  const Verdict& verdict = flow.verdict;
  ordered_json json = {{"state", flow.shown.empty() ? state_name(verdict.state) : "identified"},
                       {"class", verdict_class_name(verdict.verdict_class)},
                       {"label", nullptr},
                       {"basis", label_basis_name(verdict.basis)},
                       {"score", rounded(verdict.score)},
                       {"margin", rounded(verdict.margin)},
                       {"payload_packets", verdict.payload_packets},
                       {"final", verdict.final},
                       {"action", action_name(verdict.action)},
                       {"time", format_timestamp(flow.time)}};
  if (!flow.shown.empty()) json["label"] = flow.shown;
  return json;
}

Result<ordered_json> answer_explain(const Matcher& matcher, const ClassificationRules& rules, const MeasuredFlow& flow,
                                    const ordered_json& verdict, const std::string& against,
                                    const Comparison* comparison) {
  if (flow.rules != matcher.rules()) return fail("the flow was measured with other rules than the models");
  const RuledOut ruled_out{.random = flow.structured, .camouflaged = flow.joined_late};
  const auto explanation =
      explain_flow(matcher, rules, {flow.transport, flow.view, flow.fingerprint, ruled_out}, against, comparison);
  if (!explanation) return tl::unexpected<Error>(explanation.error());
  auto meters = ordered_json::array();
  for (const unsigned meter : explanation->meters)
    meters.push_back({{"meter", meter_name(meter)},
                      {"measurements", flow.fingerprint.measurements[meter]},
                      {"best", rounded(explanation->best.parts[meter])},
                      {"second", rounded(explanation->second.parts[meter])},
                      {"difference", rounded(explanation->difference(meter))}});
  return ordered_json{{"proto", transport_name(flow.transport)},
                      {"client", flow.client},
                      {"server", flow.server},
                      {"view", view_name(flow.view)},
                      {"payload_packets", flow.fingerprint.payload_packets},
                      {"profile", profile_name(matcher.profile())},
                      {"verdict", verdict},
                      {"standing", standing_json(*explanation, matcher.models())},
                      {"best", side_json(explanation->best, matcher.models())},
                      {"second", side_json(explanation->second, matcher.models())},
                      {"meters", std::move(meters)}};
}

}  // namespace spidd
