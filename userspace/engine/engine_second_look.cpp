// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The second look: flows that 20 packets cannot tell, because they are SSH or random, are followed by their sizes for
// longer. It can only add an alert; what the flow was named is not touched.
#include "userspace/engine/engine.h"
#include "userspace/engine/flow_facts.h"
#include "userspace/engine/flow_verdict.h"
#include "userspace/spid/tunnel_sizes.h"

namespace spidd {

namespace {

constexpr std::string_view kSsh = "ssh";
constexpr std::uint8_t kAskAt = 12;  // packets: sizes must have been asked for before kRecordLimit, or some are missed

}  // namespace

// What there is to be found in the flow; none if it gets no second look.
SecondLook Engine::worth_a_second_look(const Flow& flow) const {
  const Verdict& verdict = flow.verdict;
  if (!policy_looks_twice_ || size_traces_.limit() == 0 || flow.key.transport != Transport::tcp || verdict.one_way ||
      verdict.action == Action::block)
    return SecondLook::none;
  if (verdict.state == IdentificationState::undecided) return SecondLook::none;
  const bool identified = verdict.state == IdentificationState::identified;
  if (identified && matcher_->models()[verdict.model].label == kSsh) return SecondLook::ssh_tunnel;
  // Obfuscated tunnels mostly have a name. FTP data is not fully_encrypted once its control connection is known.
  const bool random = verdict.fully_encrypted || (identified && is_of_random_family(verdict.model, matcher_->models()));
  return random ? SecondLook::encrypted_tunnel : SecondLook::none;
}

// Begins a second look if it is time. Requires: the packets are still stored.
void Engine::consider_second_look(Flow& flow) {
  Verdict& verdict = flow.verdict;
  if (verdict.second_look != SecondLook::none || (!verdict.final && flow.stored_packets < kAskAt) ||
      worth_a_second_look(flow) == SecondLook::none)
    return;
  if (size_traces_.full()) {
    const FlowTable::Slot oldest = flows_.find(size_traces_.oldest());
    if (oldest != FlowTable::kNone) {
      ++counters_.second_looks_forgotten;
      forget_second_look(flows_[oldest]);
      report_after_second_look(flows_[oldest]);
      if (flows_[oldest].verdict.final) source_.decided(flows_[oldest].key, flows_[oldest].start);
    }
  }
  ++counters_.second_looks;
  verdict.second_look = SecondLook::under_way;
  SizeTrace& trace = size_traces_.begin(flow.key);
  for (const PayloadPacket& packet : packets_.collect(flow.packet_store, flow.stored_packets, packet_buffer_))
    trace.add(packet);
  measured_ = nullptr;
  source_.sizes_wanted(flow.key, flow.start);
}

void Engine::collect_size(Flow& flow, const PayloadPacket& packet) {
  SizeTrace* const trace = size_traces_.find(flow.key);
  if (trace == nullptr) return;
  trace->add(packet);
  if (trace->sizes().size() < policy_->second_look.packets) return;
  finish_second_look(flow);
  report_after_second_look(flow);
  source_.decided(flow.key, flow.start);
}

// On what has come by now. Says nothing if that is too little.
void Engine::finish_second_look(Flow& flow) {
  const SizeTrace* const trace = size_traces_.find(flow.key);
  const SecondLook sought = worth_a_second_look(flow);
  bool found = false;
  if (trace != nullptr && sought != SecondLook::none)
    found = sought == SecondLook::ssh_tunnel ? is_ssh_tunnel(trace->sizes()) : is_encrypted_tunnel(trace->sizes());
  forget_second_look(flow);
  flow.verdict.second_look = found ? sought : SecondLook::nothing;
  if (!found) return;
  ++counters_.second_looks_found;
  const Decision decision = decide_second_look(facts_of(flow, matcher_->models()), *policy_);
  if (decision.action != Action::alert) return;
  ++counters_.alerts;
  if (flow.verdict.action == Action::pass) {
    flow.verdict.action = Action::alert;
    flow.verdict.rule = decision.rule;
  }
  sink_.decision(view_of(flow), decision);
}

// Now that no alert can follow, whoever learns may have the flow.
void Engine::report_after_second_look(Flow& flow) {
  if (!flow.verdict.final || flow.packet_store == kNoPacketStore) return;
  measured_ = nullptr;
  report_settled(flow);
  packets_.release(flow.packet_store);
}

void Engine::forget_second_look(Flow& flow) {
  size_traces_.forget(flow.key);
  flow.verdict.second_look = SecondLook::none;
}

}  // namespace spidd
