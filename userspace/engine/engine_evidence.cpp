// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the engine knows of a flow beside its scores: its server, and what speaks for a block.
#include <algorithm>

#include "userspace/engine/engine.h"
#include "userspace/engine/flow_facts.h"

namespace spidd {

namespace {

constexpr std::size_t kVerifiedShare = 16;  // one in so many

}  // namespace

// Gives the flow the label that several flows to its server had, if there is one.
bool Engine::name_by_endpoint(Flow& flow) {
  if (settings_.endpoint_labels == EndpointLabels::off) return false;
  const std::uint64_t label = endpoints_->recall(server_key(flow), flow.client().address, now_).confirmed_label();
  if (label == 0) return false;
  const auto models = matcher_->models();
  const auto found = std::ranges::find_if(models, [&](const ModelSummary& model) {
    return model.transport == model_transport(flow.key.transport) && label_id(model.label) == label;
  });
  if (found == models.end()) return false;
  Verdict& verdict = flow.verdict;
  verdict.state = IdentificationState::identified;
  verdict.verdict_class = VerdictClass::label;
  verdict.basis = LabelBasis::endpoint;
  verdict.model = static_cast<std::uint16_t>(found - models.begin());
  verdict.score = verdict.margin = 0;
  verdict.rival = kNoModel;
  return true;
}

// EndpointLabels::decide: names the flow by its endpoint, if that can be, so that it needs no scoring.
bool Engine::skip_scoring(Flow& flow, Progress progress) {
  if (settings_.endpoint_labels != EndpointLabels::decide || progress != Progress::more_to_come ||
      flow.stored_packets != kShortFlow || std::hash<FlowKey>{}(flow.key) % kVerifiedShare == 0)
    return false;
  const Verdict before = flow.verdict;
  if (!name_by_endpoint(flow)) return false;
  if (matcher_->models()[flow.verdict.model].category == Category::tunnel) {
    flow.verdict = before;
    return false;
  }
  flow.verdict.payload_packets = flow.stored_packets;
  flow.verdict.has_divergence = true;  // none: it was not compared
  flow.verdict.divergence = 0;
  flow.verdict.final = true;
  return true;
}

// Only what a flow says by itself is remembered: a label that came from the memory must not confirm it.
void Engine::observe(Flow& flow) {
  const Verdict& verdict = flow.verdict;
  if (flow.observed || verdict.basis != LabelBasis::scores || verdict.state == IdentificationState::undecided) return;
  if (verdict.state == IdentificationState::unknown && verdict.payload_packets < kCheckpoints.front()) return;
  flow.observed = true;
  endpoints_->observe(observation_of(flow, matcher_->models(), now_));
}

// `lasted`: of the flow, as far as the caller knows.
Decision Engine::decide_on(const Flow& flow, Duration lasted) {
  FlowFacts facts = facts_of(flow, matcher_->models());
  facts.site_learned = site_learned_;
  facts.duration = std::max(Duration{}, lasted);
  const Decision decision = decide(facts, *policy_);
  const bool may_matter = decision.obstacle == Obstacle::no_proof || facts.category == Category::tunnel;
  if (!policy_blocks_ || decision.action == Action::block || !may_matter) return decision;
  const EndpointObservation observation = observation_of(flow, matcher_->models(), now_);
  add_endpoint(facts, endpoints_->recall(observation.server, observation.client, now_), observation, flow.observed);
  return decide(facts, *policy_);
}

void Engine::await_proof(Flow& flow) {
  if (flow.awaits_proof || settings_.awaiting_proof == 0) return;
  if (awaiting_proof_.size() >= settings_.awaiting_proof) {
    ++counters_.proofs_forgotten;
    const FlowTable::Slot slot = flows_.find(awaiting_proof_.front().key);
    if (slot != FlowTable::kNone) flows_[slot].awaits_proof = false;
    awaiting_proof_.pop_front();
  }
  flow.awaits_proof = true;
  awaiting_proof_.push_back({flow.key, flow.start});
}

// Flows whose block awaits proof: some have lasted long enough by now, others have company. What the source has counted
// is asked for only when the clock says that the flow may have lasted.
void Engine::look_for_proof(Timestamp now) {
  for (std::size_t left = awaiting_proof_.size(); left > 0; --left) {
    const Awaiting awaiting = awaiting_proof_.front();
    awaiting_proof_.pop_front();
    const FlowTable::Slot slot = flows_.find(awaiting.key);
    if (slot == FlowTable::kNone || flows_[slot].start != awaiting.start || !flows_[slot].awaits_proof) continue;
    Flow& flow = flows_[slot];
    const bool was_final = flow.verdict.final;
    Duration lasted = flow.last - flow.start;
    if (now - flow.start >= policy_->proof.duration && lasted < policy_->proof.duration)
      lasted = totals_of(flow).last - flow.start;
    flow.awaits_proof = false;
    measured_ = nullptr;
    apply_policy(flow, Progress::paused, lasted);
    if (flow.verdict.final && !was_final) close_books(slot);
  }
}

}  // namespace spidd
