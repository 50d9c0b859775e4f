// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/explanation.h"

#include <algorithm>
#include <cmath>

#include "userspace/engine/flow_verdict.h"

namespace spidd {
namespace {

using Scores = std::vector<Matcher::Score>;

Explanation::Side side_of(const Matcher& matcher, const FlowToExplain& flow, const Matcher::Score& score) {
  Explanation::Side side;
  side.model = score.model;
  side.score = static_cast<double>(score.score);
  side.divergence = static_cast<double>(matcher.divergence(score.model, flow.fingerprint));
  side.parts = matcher.explain(score.model, flow.fingerprint);
  return side;
}

const Matcher::Score* find(const Scores& scores, std::uint16_t model) {
  const auto found = std::ranges::find(scores, model, &Matcher::Score::model);
  return found == scores.end() ? nullptr : &*found;
}

template <class Meant>
const Matcher::Score* best_of(const Scores& scores, const Meant& meant) {
  const Matcher::Score* best = nullptr;
  for (const Matcher::Score& score : scores)
    if (meant(score.model) && (best == nullptr || score.score > best->score)) best = &score;
  return best;
}

std::string reason_of(const Candidate& standing, std::span<const ModelSummary> models,
                      const ClassificationRules& rules) {
  if (standing.model == kNoModel) return "nothing of it can be compared with a model";
  const std::string& label = models[standing.model].label;
  if (standing.score < standing.threshold)
    return fmt::format("'{}' scores {:.3f}, and a name takes {:.3f}", label, static_cast<double>(standing.score),
                       static_cast<double>(standing.threshold));
  const double margin = static_cast<double>(standing.margin);
  if (standing.holds && standing.rival == kNoModel)
    return fmt::format("'{}' scores enough, and nothing stands against it", label);
  if (standing.holds && standing.beaten == kNoModel)
    return fmt::format(
        "'{}' scores enough, and no model that it has to be ahead of stands against it; '{}' is {:.3f} "
        "behind",
        label, models[standing.rival].label, margin);
  const std::string lead =
      fmt::format("is ahead of '{}' by {:.3f}", models[standing.beaten].label, static_cast<double>(standing.lead));
  const double needed = static_cast<double>(standing.needed_lead);
  if (!standing.holds) return fmt::format("'{}' {} only, and a name takes {:.3f}", label, lead, needed);
  const std::string held = fmt::format("'{}' scores enough, and {}, which takes {:.3f}", label, lead, needed);
  if (standing.rival == kNoModel || standing.margin >= 0) return held;
  return fmt::format("{}; '{}' scores more, but as a tunnel it would have to by {:.3f}", held,
                     models[standing.rival].label, static_cast<double>(rules.tunnel_margin));
}

Comparison compare(const Matcher& matcher, const FlowToExplain& flow) {
  Comparison comparison;
  matcher.score_all(flow.transport, flow.fingerprint, comparison.scores, flow.view);
  const Match match = matcher.match(flow.transport, flow.fingerprint, flow.view);
  comparison.match = match_without(flow.ruled_out, match, matcher.models());
  return comparison;
}

}  // namespace

Result<Explanation> explain_flow(const Matcher& matcher, const ClassificationRules& rules, const FlowToExplain& flow,
                                 const std::string& against, const Comparison* comparison) {
  const Comparison compared = comparison != nullptr ? *comparison : compare(matcher, flow);
  const Scores& scores = compared.scores;
  if (scores.empty())
    return fail("there is no model over {} (view {}) to compare it with", transport_name(flow.transport),
                view_name(flow.view));
  const auto models = matcher.models();
  const Match& match = compared.match;
  const Verdict verdict = classify(match, models, flow.fingerprint.payload_packets, Progress::ended, Verdict{}, rules);
  Explanation explanation;
  explanation.standing = choose_candidate(match, models, flow.fingerprint.payload_packets, rules);
  explanation.verdict_class = verdict.verdict_class;
  explanation.reason = reason_of(explanation.standing, models, rules);
  const Candidate& standing = explanation.standing;
  const Matcher::Score* best = find(scores, standing.model);
  if (best == nullptr) best = best_of(scores, [](std::uint16_t) { return true; });
  const Matcher::Score* second = nullptr;
  if (!against.empty()) {
    second = best_of(scores, [&](std::uint16_t model) { return models[model].label == against; });
    if (second == nullptr)
      return fail("there is no model '{}' over {} (view {})", against, transport_name(flow.transport),
                  view_name(flow.view));
  } else {
    const bool fails_by_lead = !standing.holds && standing.score >= standing.threshold;
    second = find(scores, fails_by_lead ? standing.beaten : standing.rival);
  }
  if (second == nullptr)
    second = best_of(scores, [&](std::uint16_t model) { return models[model].family != models[best->model].family; });
  explanation.best = side_of(matcher, flow, *best);
  if (second != nullptr) explanation.second = side_of(matcher, flow, *second);
  for (unsigned meter = 0; meter < kMeterCount; ++meter)
    if (explanation.best.parts[meter] != 0 || explanation.second.parts[meter] != 0) explanation.meters.push_back(meter);
  std::ranges::stable_sort(explanation.meters, std::greater{},
                           [&](unsigned meter) { return std::abs(explanation.difference(meter)); });
  return explanation;
}

}  // namespace spidd
