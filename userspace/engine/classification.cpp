// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/classification.h"

#include <algorithm>

namespace spidd {

namespace {

constexpr float kNoRival = 16.0F;  // margin when there is no other model to compare with

bool same_family(std::uint16_t a, std::uint16_t b, std::span<const ModelSummary> models) {
  if (a == kNoModel || b == kNoModel) return false;
  return a == b || models[a].family == models[b].family;
}

// By how much the tunnel has to beat the best other model.
float lead_of_tunnels(const ModelSummary& tunnel, const ClassificationRules& rules) {
  return is_camouflaged(tunnel) ? rules.camouflage_margin : rules.tunnel_margin;
}

Candidate choose(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets,
                 const ClassificationRules& rules) {
  const bool scarce = payload_packets <= rules.scarce_packets;
  const float least_score = std::max(rules.label_threshold, scarce ? rules.scarce_score : rules.label_threshold);
  const auto to_second = [&match](float score) {
    return match.second == kNoModel ? kNoRival : score - match.second_score;
  };
  Candidate tunnel{match.best_tunnel, match.tunnel_score, to_second(match.tunnel_score), least_score};
  tunnel.rival = match.second;
  if (match.best_tunnel != kNoModel) {
    tunnel.beaten = match.best_other;
    tunnel.lead = match.best_other == kNoModel ? kNoRival : match.tunnel_margin();
    tunnel.needed_lead = lead_of_tunnels(models[match.best_tunnel], rules);
    const bool ahead = tunnel.score >= least_score && tunnel.lead >= rules.tunnel_margin;
    tunnel.holds = ahead && tunnel.lead >= tunnel.needed_lead;
    if (ahead || match.best_other == kNoModel) return tunnel;
  }
  Candidate other{match.best_other, match.other_score, kNoRival, least_score};
  if (match.best_other == kNoModel) return other;
  if (match.other_second != kNoModel) other.margin = match.other_score - match.other_second_score;
  other.rival = other.beaten = match.other_second;
  other.lead = other.margin;
  other.needed_lead = scarce ? rules.scarce_margin : rules.other_margin;
  const auto threshold_of = [&](std::uint16_t model) {
    return std::max(least_score, rules.model_thresholds ? models[model].threshold : least_score);
  };
  // The family is known better than the label: the label is said where it is no worse than that.
  if (match.other_member != kNoModel && match.other_member_score >= match.other_score - rules.member_slack &&
      match.other_member_score >= threshold_of(match.other_member)) {
    other.model = match.other_member;
    other.score = match.other_member_score;
  }
  other.threshold = threshold_of(other.model);
  other.holds = other.score >= other.threshold && other.lead >= other.needed_lead;
  if (match.best_tunnel != kNoModel && -match.tunnel_margin() < other.margin) {
    other.margin = -match.tunnel_margin();
    other.rival = match.best_tunnel;
  }
  return other;
}

Verdict conclude(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets, Progress progress,
                 const Verdict& previous, const ClassificationRules& rules) {
  Verdict verdict;
  verdict.action = previous.action;
  verdict.rule = previous.rule;
  verdict.second_look = previous.second_look;
  verdict.payload_packets = static_cast<std::uint8_t>(payload_packets);
  verdict.final = progress == Progress::ended || payload_packets >= rules.last_packets;
  verdict.tunnel_model = match.best_tunnel;
  verdict.other_model = match.best_other;
  if (match.best == kNoModel) {
    if (progress != Progress::more_to_come || payload_packets >= rules.settle_packets)
      verdict.state = IdentificationState::unknown;
    return verdict;
  }
  const Candidate candidate = choose(match, models, payload_packets, rules);
  verdict.model = candidate.model;
  verdict.score = candidate.score;
  verdict.margin = candidate.margin;
  verdict.rival = candidate.rival;
  if (match.best_tunnel != kNoModel) {
    verdict.tunnel_score = match.tunnel_score;
    verdict.tunnel_margin = match.best_other == kNoModel ? kNoRival : match.tunnel_margin();
  } else {
    verdict.tunnel_margin = -kNoRival;
  }

  const bool early = progress == Progress::more_to_come && payload_packets < rules.settle_packets;
  if (early && (!candidate.holds || verdict.score < rules.early_score || verdict.margin < rules.early_margin))
    return verdict;
  verdict.state = candidate.holds ? IdentificationState::identified : IdentificationState::unknown;
  if (candidate.holds && previous.state == IdentificationState::identified &&
      same_family(previous.model, verdict.model, models) &&
      verdict.score >= candidate.threshold + rules.certain_score && verdict.margin >= rules.tunnel_margin &&
      progress == Progress::more_to_come)
    verdict.final = true;
  return verdict;
}

// A tunnel whose tool is not clear: another family is as near, or only what its family has in common was recognised.
bool is_unclear_tunnel(const Verdict& verdict, std::span<const ModelSummary> models, const ClassificationRules& rules) {
  const ModelSummary& model = models[verdict.model];
  return model.category == Category::tunnel && (model.family_only || verdict.margin < rules.tunnel_margin);
}

VerdictClass class_of(const Verdict& verdict, std::span<const ModelSummary> models, const ClassificationRules& rules) {
  switch (verdict.state) {
    case IdentificationState::undecided:
      return VerdictClass::undecided;
    case IdentificationState::identified:
      return is_unclear_tunnel(verdict, models, rules) ? VerdictClass::tunnel : VerdictClass::label;
    case IdentificationState::unknown:
      return VerdictClass::unknown;
  }
  return VerdictClass::unknown;
}

// What no confirmed model accounts for may have been learned from the stream. What one does keeps its name: nobody is
// to teach the sensor another one.
Candidate choose_provisional(const Match& match, std::span<const ModelSummary> models,
                             const ClassificationRules& rules) {
  Candidate candidate{match.best_provisional, match.provisional_score, kNoRival, rules.label_threshold};
  if (match.best_provisional == kNoModel) return candidate;
  if (rules.model_thresholds)
    candidate.threshold = std::max(candidate.threshold, models[match.best_provisional].threshold);
  if (match.best != kNoModel) candidate.margin = match.provisional_score - match.best_score;
  candidate.rival = candidate.beaten = match.best;
  candidate.lead = candidate.margin;
  candidate.holds = candidate.score >= candidate.threshold && candidate.lead > 0;
  return candidate;
}

void name_provisionally(Verdict& verdict, const Match& match, std::span<const ModelSummary> models,
                        const ClassificationRules& rules) {
  if (verdict.verdict_class != VerdictClass::unknown) return;
  const Candidate candidate = choose_provisional(match, models, rules);
  if (!candidate.holds) return;
  verdict.state = IdentificationState::identified;
  verdict.verdict_class = VerdictClass::label;
  verdict.model = candidate.model;
  verdict.score = candidate.score;
  verdict.margin = candidate.margin;
  verdict.rival = candidate.rival;
}

}  // namespace

bool is_camouflaged(const ModelSummary& tunnel) {
  return std::ranges::find(kCamouflagedFamilies, tunnel.family) != kCamouflagedFamilies.end();
}

ClassificationRules classification_rules(Profile profile) {
  ClassificationRules rules;
  if (!is_classic(profile)) return rules;
  // The original knows one threshold and nothing else; classic_score() is 0 there.
  rules.label_threshold = 0;
  rules.model_thresholds = false;
  rules.tunnel_margin = rules.camouflage_margin = rules.other_margin = 0;
  rules.scarce_packets = 0;
  rules.early_score = 0;
  rules.early_margin = 0;
  return rules;
}

ClassificationRules classification_rules(Profile profile, double label_threshold) {
  ClassificationRules rules = classification_rules(profile);
  if (!is_classic(profile)) rules.label_threshold = static_cast<float>(label_threshold);
  return rules;
}

Candidate choose_candidate(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets,
                           const ClassificationRules& rules) {
  const Candidate confirmed = choose(match, models, payload_packets, rules);
  if (confirmed.holds) return confirmed;
  const Candidate provisional = choose_provisional(match, models, rules);
  return provisional.holds || confirmed.model == kNoModel ? provisional : confirmed;
}

Verdict classify(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets, Progress progress,
                 const Verdict& previous, const ClassificationRules& rules) {
  Verdict verdict = conclude(match, models, payload_packets, progress, previous, rules);
  verdict.verdict_class = class_of(verdict, models, rules);
  name_provisionally(verdict, match, models, rules);
  return verdict;
}

}  // namespace spidd
