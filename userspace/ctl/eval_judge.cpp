// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_judge.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "userspace/spid/trainer.h"

namespace spidd {

std::string moment_name(unsigned moment) {
  return moment == kFinal ? "final verdict" : fmt::format("{} payload packets", moment);
}

std::vector<unsigned> VerdictsOfFlow::steps(unsigned payload_packets) {
  std::vector<unsigned> steps;
  for (const unsigned checkpoint : kCheckpoints)
    if (checkpoint <= payload_packets) steps.push_back(checkpoint);
  for (const unsigned moment : kMoments)
    if (moment != kFinal) steps.push_back(std::min(moment, payload_packets));
  steps.push_back(payload_packets);
  std::ranges::sort(steps);
  const auto twice = std::ranges::unique(steps);
  steps.erase(twice.begin(), twice.end());
  return steps;
}

unsigned VerdictsOfFlow::step(unsigned count, const Match& match) {
  unsigned decided = 0;
  for (std::size_t i = 0; i < kMoments.size(); ++i) {
    Verdict& verdict = verdicts_[i];
    if (kMoments[i] != kFinal) {
      if (count != std::min(kMoments[i], packets_)) continue;
      verdict = classify(match, models_, count, Progress::ended, verdict, rules_);
    } else {
      if (verdict.final) continue;
      if (is_checkpoint(count)) verdict = classify(match, models_, count, Progress::more_to_come, verdict, rules_);
      if (!verdict.final && count == packets_)
        verdict = classify(match, models_, count, Progress::ended, verdict, rules_);
      if (!verdict.final) continue;
    }
    decided |= 1U << i;
  }
  return decided;
}

FlowJudge::FlowJudge(const EvalInput& input, const Matcher& matcher, std::optional<View> one_way)
    : input_(input),
      matcher_(matcher),
      one_way_(one_way),
      rules_(classification_rules(matcher.profile())),
      meters_(matcher.rules()) {}

Outcome FlowJudge::truth_of(std::size_t index, View view) const {
  const LabelledFlow& flow = input_.set.flows[index];
  Outcome outcome;
  outcome.label = input_.truths[index].label;
  outcome.trained_as = flow.label;
  outcome.family = flow.family;
  outcome.is_tunnel = input_.truths[index].is_tunnel;
  outcome.group = flow.group;
  outcome.capture = flow.capture;
  const auto models = matcher_.models().first(matcher_.database_models());
  outcome.known = std::ranges::any_of(models, [&](const ModelSummary& model) {
    return model.label == flow.label && model.transport == flow.transport && model.view == view;
  });
  return outcome;
}

// scores_ are those that the verdict rests on.
void FlowJudge::name(const Verdict& verdict, Outcome& outcome) const {
  outcome.lead = verdict.tunnel_margin;
  std::string_view family;
  if (verdict.state == IdentificationState::identified) {
    const ModelSummary& model = matcher_.models()[verdict.model];
    family = outcome.named = model.family;
    outcome.alert = model.category == Category::tunnel && kAlertRule.holds(verdict);
    outcome.block = outcome.alert && kBlockRule.holds(verdict);
    if (verdict.model < matcher_.database_models()) outcome.named_label = model.label;
  }
  float nearest = -std::numeric_limits<float>::infinity();
  float nearest_of_family = nearest;
  for (const Matcher::Score& score : scores_) {
    if (score.model >= matcher_.database_models()) continue;
    const ModelSummary& model = matcher_.models()[score.model];
    if (score.score > nearest) {
      nearest = score.score;
      outcome.nearest = model.label;
    }
    // A family added up has no label of its own: its nearest member stands for it.
    if (verdict.model >= matcher_.database_models() && model.family == family && score.score > nearest_of_family) {
      nearest_of_family = score.score;
      outcome.named_label = model.label;
    }
  }
}

bool FlowJudge::show(const LabelledFlow& flow) {
  shown_.clear();
  std::ranges::copy_if(flow.packets, std::back_inserter(shown_), [this](const PayloadPacket& packet) {
    return !one_way_ || (packet.direction == Direction::to_server) == (*one_way_ == View::to_server);
  });
  answered_ = flow.answered && !one_way_;
  return !shown_.empty();
}

View FlowJudge::measure(unsigned count) {
  const auto first = std::span(shown_).first(count);
  meters_.measure(first, fingerprint_);
  return view_of(first, answered_);
}

std::optional<JudgedFlow> FlowJudge::judge(std::size_t index) {
  const LabelledFlow& flow = input_.set.flows[index];
  if (!show(flow)) return std::nullopt;
  const auto packets = static_cast<unsigned>(shown_.size());
  JudgedFlow judged;
  judged.flow = index;
  judged.outcomes.fill(truth_of(index, view_of(shown_, answered_)));
  VerdictsOfFlow verdicts(matcher_.models(), rules_, packets);
  for (const unsigned count : VerdictsOfFlow::steps(packets)) {
    const View view = measure(count);
    const unsigned decided = verdicts.step(count, matcher_.match(flow.transport, fingerprint_, view));
    if (decided == 0) continue;
    matcher_.score_all(flow.transport, fingerprint_, scores_, view);
    for (std::size_t i = 0; i < kMoments.size(); ++i)
      if (decided >> i & 1U) name(verdicts.at(i), judged.outcomes[i]);
  }
  for (const Matcher::Score& score : scores_) {
    const ModelSummary& model = matcher_.models()[score.model];
    std::optional<float>* best = nullptr;
    if (model.label == flow.label && score.model < matcher_.database_models()) best = &judged.own_score;
    if (model.family != flow.family) best = &judged.rival_score;
    if (best != nullptr && (!*best || score.score > **best)) *best = score.score;
  }
  return judged;
}

std::optional<AblatedFlow> FlowJudge::judge_without_each_meter(std::size_t index) {
  const LabelledFlow& flow = input_.set.flows[index];
  if (!show(flow)) return std::nullopt;
  const auto packets = static_cast<unsigned>(shown_.size());
  AblatedFlow ablated;
  ablated.flow = index;
  std::vector<VerdictsOfFlow> verdicts(kMeterCount, VerdictsOfFlow(matcher_.models(), rules_, packets));
  for (const unsigned count : VerdictsOfFlow::steps(packets)) {
    const View view = measure(count);
    matcher_.sum_by_meter(flow.transport, fingerprint_, view, sums_);
    for (unsigned meter = 0; meter < kMeterCount; ++meter)
      if (is_scored(meter)) verdicts[meter].step(count, matcher_.match_without(meter, sums_));
  }
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    for (std::size_t i = 0; i < kMoments.size(); ++i) {
      const Verdict& verdict = verdicts[meter].at(i);
      AblatedFlow::Brief& brief = ablated.briefs[meter][i];
      if (verdict.state != IdentificationState::identified) continue;
      const ModelSummary& model = matcher_.models()[verdict.model];
      brief.named = model.family;
      brief.alert = model.category == Category::tunnel && kAlertRule.holds(verdict);
      brief.block = brief.alert && kBlockRule.holds(verdict);
    }
  }
  return ablated;
}

}  // namespace spidd
