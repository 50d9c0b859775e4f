// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/explanation.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "userspace/report/table.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

// The original takes the mean over all meters of the profile, measured or not. The parts add up to the score.
std::array<float, kMeterCount> classic_parts(const ProtocolModel& model, const Fingerprint& flow, Profile profile) {
  std::array<float, kMeterCount> parts{};
  const auto meters = classic_meters(profile);
  for (const unsigned meter : meters) {
    const auto own = static_cast<float>(classic_divergence(flow, model, std::span(&meter, 1)));
    parts[meter] = classic_score(profile, own) / static_cast<float>(meters.size());
  }
  return parts;
}

Explanation::Side side_of(const Matcher& matcher, const ModelDatabase& database, const MeasuredFlow& flow,
                          std::uint16_t model, double score) {
  Explanation::Side side;
  side.model = model;
  side.score = score;
  side.divergence = static_cast<double>(matcher.divergence(model, flow.fingerprint));
  side.parts = !is_classic(matcher.profile())
                   ? matcher.explain(model, flow.fingerprint)
                   : classic_parts(database.models[model], flow.fingerprint, matcher.profile());
  return side;
}

std::string number(double value) { return fmt::format("{:.3f}", value); }

ordered_json rounded(double value) { return std::round(value * 1e6) / 1e6; }

ordered_json side_json(const Explanation::Side& side, const Matcher& matcher) {
  if (side.model == kNoModel) return nullptr;
  const ModelSummary& model = matcher.models()[side.model];
  return {{"label", model.label},
          {"family", model.family},
          {"category", category_name(model.category)},
          {"score", rounded(side.score)},
          {"divergence", rounded(side.divergence)}};
}

}  // namespace

Result<Explanation> explain_flow(const Matcher& matcher, const ModelDatabase& database, const MeasuredFlow& flow,
                                 const std::string& against) {
  if (flow.rules != matcher.rules()) return fail("the flow was measured with other rules than the models");
  std::vector<Matcher::Score> scores;
  matcher.score_all(flow.transport, flow.fingerprint, scores, flow.view);
  if (scores.empty())
    return fail("there is no model over {} (view {}) to compare it with", transport_name(flow.transport),
                view_name(flow.view));
  const auto models = matcher.models();
  const auto best = std::ranges::max_element(scores, {}, &Matcher::Score::score);
  const Matcher::Score* second = nullptr;
  for (const Matcher::Score& score : scores) {
    const ModelSummary& model = models[score.model];
    const bool meant = against.empty() ? model.family != models[best->model].family : model.label == against;
    if (meant && (second == nullptr || score.score > second->score)) second = &score;
  }
  if (!against.empty() && second == nullptr)
    return fail("there is no model '{}' over {} (view {})", against, transport_name(flow.transport),
                view_name(flow.view));
  Explanation explanation;
  explanation.best = side_of(matcher, database, flow, best->model, static_cast<double>(best->score));
  if (second != nullptr)
    explanation.second = side_of(matcher, database, flow, second->model, static_cast<double>(second->score));
  for (unsigned meter = 0; meter < kMeterCount; ++meter)
    if (explanation.best.parts[meter] != 0 || explanation.second.parts[meter] != 0) explanation.meters.push_back(meter);
  std::ranges::stable_sort(explanation.meters, std::greater{},
                           [&](unsigned meter) { return std::abs(explanation.difference(meter)); });
  return explanation;
}

std::string explanation_text(const Explanation& explanation, const Matcher& matcher, const MeasuredFlow& flow) {
  const auto name_of = [&](const Explanation::Side& side) {
    return side.model == kNoModel ? std::string("-") : matcher.models()[side.model].label;
  };
  const std::string best = name_of(explanation.best);
  const std::string second = name_of(explanation.second);
  std::string text =
      fmt::format("{} {} -> {}, {} payload packets, view {}, profile {}\n", transport_name(flow.transport), flow.client,
                  flow.server, flow.fingerprint.payload_packets, view_name(flow.view), profile_name(matcher.profile()));
  Table table({{"METER"},
               {"MEASUREMENTS", Align::right},
               {best, Align::right},
               {second, Align::right},
               {"DIFFERENCE", Align::right}});
  for (const unsigned meter : explanation.meters)
    table.add({std::string(meter_name(meter)), fmt::to_string(flow.fingerprint.measurements[meter]),
               number(static_cast<double>(explanation.best.parts[meter])),
               number(static_cast<double>(explanation.second.parts[meter])), number(explanation.difference(meter))});
  table.add({"score", "", number(explanation.best.score), number(explanation.second.score),
             number(explanation.best.score - explanation.second.score)});
  table.add({"divergence", "", number(explanation.best.divergence), number(explanation.second.divergence), ""});
  return text + table.text();
}

ordered_json explanation_json(const Explanation& explanation, const Matcher& matcher, const MeasuredFlow& flow) {
  auto meters = ordered_json::array();
  for (const unsigned meter : explanation.meters)
    meters.push_back({{"meter", meter_name(meter)},
                      {"measurements", flow.fingerprint.measurements[meter]},
                      {"best", rounded(static_cast<double>(explanation.best.parts[meter]))},
                      {"second", rounded(static_cast<double>(explanation.second.parts[meter]))},
                      {"difference", rounded(explanation.difference(meter))}});
  return {{"proto", transport_name(flow.transport)},
          {"client", flow.client},
          {"server", flow.server},
          {"view", view_name(flow.view)},
          {"payload_packets", flow.fingerprint.payload_packets},
          {"profile", profile_name(matcher.profile())},
          {"best", side_json(explanation.best, matcher)},
          {"second", side_json(explanation.second, matcher)},
          {"meters", std::move(meters)}};
}

}  // namespace spidd
