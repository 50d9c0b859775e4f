// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/engine.h"

#include <algorithm>

#include "userspace/engine/flow_events.h"
#include "userspace/engine/flow_facts.h"
#include "userspace/engine/flow_verdict.h"
#include "userspace/spid/randomness.h"

namespace spidd {

namespace {

// A capture's clock may jump either way (files joined, clocks set): only the distance counts.
Duration distance(Timestamp a, Timestamp b) { return a < b ? b - a : a - b; }

}  // namespace

std::string_view end_reason_name(EndReason reason) {
  switch (reason) {
    case EndReason::closed:
      return "closed";
    case EndReason::idle:
      return "idle";
    case EndReason::evicted:
      return "evicted";
    case EndReason::reused:
      return "reused";
    case EndReason::shutdown:
      return "shutdown";
  }
  return "shutdown";
}

EngineCounters& EngineCounters::operator+=(const EngineCounters& other) {
  records += other.records;
  flows += other.flows;
  flows_ended += other.flows_ended;
  flows_evicted += other.flows_evicted;
  packets_not_stored += other.packets_not_stored;
  records_late += other.records_late;
  records_out_of_order += other.records_out_of_order;
  matches += other.matches;
  proofs_forgotten += other.proofs_forgotten;
  second_looks += other.second_looks;
  second_looks_found += other.second_looks_found;
  second_looks_forgotten += other.second_looks_forgotten;
  second_looks_not_learned += other.second_looks_not_learned;
  alerts += other.alerts;
  blocks += other.blocks;
  return *this;
}

Engine::Engine(EngineSettings settings, std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy,
               PacketSource& source, EngineSink& sink)
    : settings_(settings),
      matcher_(std::move(matcher)),
      policy_(std::move(policy)),
      source_(source),
      sink_(sink),
      flows_(settings.flows),
      packets_(settings.packet_blocks),
      size_traces_(settings.second_looks),
      meters_(matcher_->rules()),
      endpoints_(settings.endpoints ? settings.endpoints
                                    : std::make_shared<SharedEndpointMemory>(settings.endpoint_limits)) {
  apply_rules();
}

void Engine::apply_rules() {
  rules_ = classification_rules(matcher_->profile(), policy_->label_threshold);
  const auto blocks = [](const auto& demand) { return demand.action == Action::block; };
  policy_looks_twice_ = policy_->looks_twice();
  policy_blocks_ = std::ranges::any_of(policy_->rules, blocks) || std::ranges::any_of(policy_->expectations, blocks);
}

void Engine::on_record(const PacketRecord& record) {
  ++counters_.records;
  now_ = record.time;
  FlowTable::Slot slot = flows_.find(record.key);
  const bool other_flow = slot != FlowTable::kNone && flows_[slot].start != record.flow_start;

  if (record.type == PacketRecord::Type::end) {
    if (other_flow) {
      ++counters_.records_late;
      return;
    }
    if (slot == FlowTable::kNone) slot = open_flow(record);
    flows_[slot].last = record.totals.last;
    end_flow(slot, record.totals, record.totals.closed ? EndReason::closed : EndReason::idle);
    return;
  }

  if (other_flow) {
    end_flow(slot, totals_of(flows_[slot]), EndReason::reused);
    slot = FlowTable::kNone;
  }
  const bool sizes_only = record.order >= kRecordLimit;  // that may have been asked for or not
  if (slot == FlowTable::kNone && sizes_only) return;
  if (slot == FlowTable::kNone) slot = open_flow(record);
  Flow& flow = flows_[slot];
  flow.last = record.time;
  const bool is_looked_at = flow.verdict.second_look == SecondLook::under_way;
  if (is_looked_at) collect_size(flow, record.packet);
  if (sizes_only) return;
  if (flow.verdict.final) {
    counters_.records_late += is_looked_at ? 0 : 1;
    return;
  }
  if (record.order != flow.stored_packets) ++counters_.records_out_of_order;
  if (flow.stored_packets >= kRecordLimit || !packets_.append(flow.packet_store, flow.stored_packets, record.packet)) {
    ++counters_.packets_not_stored;
    return;
  }
  ++flow.stored_packets;
  flow.answered |= record.answered;
  flow.directions_seen =
      static_cast<std::uint8_t>(flow.directions_seen | (1U << static_cast<unsigned>(record.packet.direction)));
  flows_.touch(slot, flow.directions_seen == 3 ? FlowTable::undecided : flows_.list(slot));
  if (is_checkpoint(flow.stored_packets)) judge(slot, Progress::more_to_come);
}

FlowTable::Slot Engine::open_flow(const PacketRecord& record) {
  for (FlowTable::Slot victim = flows_.victim(); victim != FlowTable::kNone; victim = flows_.victim()) {
    ++counters_.flows_evicted;
    end_flow(victim, totals_of(flows_[victim]), EndReason::evicted);
  }
  const FlowTable::Slot slot = flows_.create(record.key);
  Flow& flow = flows_[slot];
  flow.start = record.flow_start;
  flow.last = record.time;
  flow.client_is_low = record.client_is_low;
  flow.start_seen = record.start_seen;
  ++counters_.flows;
  return slot;
}

void Engine::measure(const Flow& flow, unsigned packets) {
  measured_packets_ = packets_.collect(flow.packet_store, packets, packet_buffer_);
  meters_.measure(measured_packets_, fingerprint_);
  measured_ = packets == flow.stored_packets ? &flow : nullptr;
}

// What a report says beside the verdict and nothing else depends on: it costs as much as matching. Call before the
// packets go.
void Engine::add_divergence(Flow& flow) {
  Verdict& verdict = flow.verdict;
  if (verdict.has_divergence || verdict.model == kNoModel) return;
  if (measured_ != &flow) measure(flow, verdict.payload_packets);
  verdict.divergence = matcher_->divergence(verdict.model, fingerprint_);
  verdict.has_divergence = true;
}

// Scores the flow on what is stored of it, and lets the policy act on the verdict.
void Engine::judge(FlowTable::Slot slot, Progress progress) {
  Flow& flow = flows_[slot];
  const bool scored =
      flow.verdict.payload_packets == flow.stored_packets && flow.verdict.state != IdentificationState::undecided;
  measured_ = nullptr;
  if (!scored && flow.stored_packets > 0 && !skip_scoring(flow, progress)) score(flow, progress);
  if (progress != Progress::more_to_come) flow.settled_packets = flow.stored_packets;
  // Also on a score that is there already: an alert may have waited for more packets, which did not come.
  if (flow.verdict.state != IdentificationState::undecided) apply_policy(flow, progress, flow.last - flow.start);
  if (scored && progress == Progress::ended) flow.verdict.final = true;
  if (progress != Progress::ended) consider_second_look(flow);
  if (flow.verdict.final) {
    add_divergence(flow);
    if (progress != Progress::ended) {
      close_books(slot);
    } else {
      observe(flow);
      if (flow.verdict.second_look != SecondLook::under_way) report_settled(flow);  // else at its end, which is now
    }
  }
  measured_ = nullptr;
}

// The verdict is final and the flow goes on: what was kept for further verdicts goes, unless a second look may still
// raise an alert: nothing is learned before that is known, and then the flow is measured once more.
void Engine::close_books(FlowTable::Slot slot) {
  Flow& flow = flows_[slot];
  observe(flow);
  if (flow.verdict.second_look == SecondLook::under_way && worth_a_second_look(flow) == SecondLook::none)
    forget_second_look(flow);
  report_settled(flow);
  flows_.touch(slot, FlowTable::decided);
  const bool looks = flow.verdict.second_look == SecondLook::under_way;
  const bool would_keep = looks && settings_.report_settled;
  const bool has_room = packets_.blocks_in_use() <= settings_.packet_blocks / 2;  // the other half is for new flows
  if (would_keep && !has_room) ++counters_.second_looks_not_learned;
  if (!would_keep || !has_room) packets_.release(flow.packet_store);
  if (!looks) source_.decided(flow.key, flow.start);
}

void Engine::score(Flow& flow, Progress progress) {
  measure(flow, flow.stored_packets);
  const View view = model_view(flow);
  const Match match = matcher_->match(flow.key.transport, fingerprint_, view);
  ++counters_.matches;
  const Judging judging{matcher_->models(), rules_, settings_.link_ftp_data ? endpoints_.get() : nullptr};
  judge_flow(flow, judging, {match, measured_packets_, view}, progress, now_);
  const bool nameless = flow.verdict.state != IdentificationState::identified;
  if (nameless && progress != Progress::more_to_come && flow.stored_packets <= kShortFlow) name_by_endpoint(flow);
}

void Engine::report_settled(const Flow& flow) {
  if (!settings_.report_settled || flow.stored_packets == 0) return;
  describe(flow);
  sink_.flow_settled(settled_);
}

const SettledFlow* Engine::look_into(const FlowKey& key) {
  const FlowTable::Slot slot = flows_.find(key);
  if (slot == FlowTable::kNone || flows_[slot].packet_store == kNoPacketStore) return nullptr;
  measured_ = nullptr;
  describe(flows_[slot]);
  return &settled_;
}

// Into settled_.
void Engine::describe(const Flow& flow) {
  if (measured_ != &flow) measure(flow, flow.stored_packets);
  settled_.key = flow.key;
  settled_.client = flow.client();
  settled_.server = flow.server();
  settled_.start = flow.start;
  settled_.time = now_;
  settled_.verdict = flow.verdict;
  settled_.view = model_view(flow);
  settled_.looked_at_again = flow.verdict.second_look == SecondLook::under_way;
  settled_.conversation = flow.key.transport == Transport::tcp && flow.start_seen && flow.directions_seen == 3;
  // A name that came from other flows is nothing to learn from.
  if (flow.verdict.basis == LabelBasis::endpoint) settled_.verdict.state = IdentificationState::unknown;
  const bool identified = settled_.verdict.state == IdentificationState::identified;
  const ModelSummary nothing;
  const ModelSummary& model = identified ? matcher_->models()[flow.verdict.model] : nothing;
  settled_.label = model.label;
  const bool is_shown = flow.verdict.state == IdentificationState::identified;
  settled_.shown = is_shown ? shown_label(flow.verdict, &matcher_->models()[flow.verdict.model]) : std::string_view();
  settled_.structured = has_structure(measured_packets_);
  settled_.joined_late = joined_late(flow);
  settled_.family = model.family;
  settled_.category = model.category;
  settled_.origin = model.origin;
  settled_.provisional = model.provisional;
  settled_.samples = static_cast<unsigned>(std::min<std::size_t>(measured_packets_.size(), kSamplePackets));
  std::copy_n(measured_packets_.begin(), settled_.samples, settled_.sample.begin());
  std::swap(settled_.fingerprint, fingerprint_);
  measured_ = nullptr;
}

void Engine::apply_policy(Flow& flow, Progress progress, Duration lasted) {
  const Decision decision = decide_on(flow, lasted);
  if (decision.obstacle == Obstacle::no_proof) await_proof(flow);
  if (decision.action <= flow.verdict.action) return;
  // A block cannot wait; an alert can until the verdict has settled, and is then the only one of its flow.
  const bool settled =
      flow.verdict.final || progress != Progress::more_to_come || flow.verdict.payload_packets >= rules_.settle_packets;
  if (decision.action == Action::alert && !settled) return;
  flow.verdict.action = decision.action;
  flow.verdict.rule = decision.rule;
  if (decision.action == Action::block) {
    flow.verdict.final = true;
    ++counters_.blocks;
  } else {
    ++counters_.alerts;
  }
  add_divergence(flow);
  sink_.decision(view_of(flow), decision);
}

void Engine::end_flow(FlowTable::Slot slot, const FlowTotals& totals, EndReason reason) {
  Flow& flow = flows_[slot];
  // An undecided connection may go on after a long silence: then its next packets must still become records.
  const bool may_go_on = flow.key.transport == Transport::tcp && !flow.verdict.final;
  if (!flow.verdict.final) judge(slot, Progress::ended);
  if (flow.awaits_proof) apply_policy(flow, Progress::ended, totals.last - flow.start);
  if (flow.verdict.second_look == SecondLook::under_way) {
    finish_second_look(flow);
    report_after_second_look(flow);
  }
  packets_.release(flow.packet_store);
  ++counters_.flows_ended;
  sink_.flow_ended(view_of(flow), totals, reason);
  if ((reason == EndReason::idle || reason == EndReason::evicted) && !may_go_on) source_.ended(flow.key, flow.start);
  flows_.erase(slot);
}

FlowTotals Engine::totals_of(const Flow& flow) const {
  if (const auto totals = source_.totals(flow.key, flow.start)) return *totals;
  FlowTotals unknown;
  unknown.last = flow.last;
  unknown.payload_packets = flow.stored_packets;
  return unknown;
}

Duration Engine::idle_limit(const Flow& flow) const {
  return flow.key.transport == Transport::tcp ? settings_.tcp_idle : settings_.udp_idle;
}

void Engine::advance(Timestamp now) {
  now_ = now;
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided}) {
    for (FlowTable::Slot slot = flows_.oldest(list); slot != FlowTable::kNone;) {
      const FlowTable::Slot next = flows_.newer(slot);
      const Flow& flow = flows_[slot];
      if (distance(now, flow.last) < settings_.pause) break;
      if (flow.settled_packets != flow.stored_packets) judge(slot, Progress::paused);
      slot = next;
    }
  }
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    end_idle(list, now);
  look_for_proof(now);
}

void Engine::end_idle(FlowTable::List list, Timestamp now) {
  const Duration shortest = std::min(settings_.tcp_idle, settings_.udp_idle);
  for (FlowTable::Slot slot = flows_.oldest(list); slot != FlowTable::kNone;) {
    const FlowTable::Slot next = flows_.newer(slot);
    Flow& flow = flows_[slot];
    const Duration silence = distance(now, flow.last);
    if (silence < shortest) break;
    if (silence >= idle_limit(flow)) {
      const FlowTotals totals = totals_of(flow);
      if (distance(now, totals.last) < idle_limit(flow)) {
        flow.last = totals.last;
        flows_.touch(slot, list);
      } else {
        end_flow(slot, totals, EndReason::idle);
      }
    }
    slot = next;
  }
}

void Engine::finish(EndReason reason) {
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    while (flows_.oldest(list) != FlowTable::kNone) {
      const FlowTable::Slot slot = flows_.oldest(list);
      end_flow(slot, totals_of(flows_[slot]), reason);
    }
}

void Engine::set_policy(std::shared_ptr<const Policy> policy) {
  std::vector<std::uint16_t> renumbered;
  renumbered.reserve(policy_->numbered());
  for (std::size_t number = 0; number < policy_->numbered(); ++number)
    renumbered.push_back(policy->number_of(policy_->name_of(static_cast<std::uint16_t>(number))));
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    for (FlowTable::Slot slot = flows_.oldest(list); slot != FlowTable::kNone; slot = flows_.newer(slot))
      if (std::uint16_t& rule = flows_[slot].verdict.rule; rule != kNoRule) rule = renumbered[rule];
  policy_ = std::move(policy);
  apply_rules();
}

void Engine::set_models(std::shared_ptr<const Matcher> matcher) {
  const auto old_models = matcher_->models();
  const auto new_models = matcher->models();
  std::vector<std::uint16_t> renumbered;
  renumbered.reserve(old_models.size());
  for (const ModelSummary& model : old_models)
    renumbered.push_back(find_model(new_models, model.label, model.transport, model.view));
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    for (FlowTable::Slot slot = flows_.oldest(list); slot != FlowTable::kNone; slot = flows_.newer(slot)) {
      Verdict& verdict = flows_[slot].verdict;
      for (std::uint16_t* model : {&verdict.model, &verdict.tunnel_model, &verdict.other_model, &verdict.rival})
        if (*model != kNoModel) *model = renumbered[*model];
      if (verdict.model == kNoModel && verdict.state == IdentificationState::identified) {
        verdict.state = IdentificationState::unknown;
        verdict.verdict_class = verdict.fully_encrypted ? VerdictClass::fully_encrypted : VerdictClass::unknown;
      }
    }
  matcher_ = std::move(matcher);
  apply_rules();
}

FlowView Engine::view_of(const Flow& flow) const {
  const bool identified = flow.verdict.state == IdentificationState::identified;
  return {flow, identified ? &matcher_->models()[flow.verdict.model] : nullptr, now_};
}

void Engine::visit_flows(std::size_t limit, const std::function<void(const FlowView&)>& visit) {
  std::vector<Flow*> flows;
  flows.reserve(flows_.size());
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    for (FlowTable::Slot slot = flows_.oldest(list); slot != FlowTable::kNone; slot = flows_.newer(slot))
      flows.push_back(&flows_[slot]);
  const std::size_t shown = std::min(limit, flows.size());
  std::partial_sort(flows.begin(), flows.begin() + static_cast<std::ptrdiff_t>(shown), flows.end(),
                    [](const Flow* a, const Flow* b) { return a->start > b->start; });
  for (std::size_t i = 0; i < shown; ++i) {
    measured_ = nullptr;
    add_divergence(*flows[i]);
    visit(view_of(*flows[i]));
  }
}

}  // namespace spidd
