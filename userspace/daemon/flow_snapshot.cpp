// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/flow_snapshot.h"

#include "userspace/engine/flow_events.h"

namespace spidd {

void FlowCounts::add(const FlowCounts& other) {
  live += other.live;
  identified += other.identified;
  unknown += other.unknown;
  undecided += other.undecided;
  for (const auto& [label, count] : other.labels) labels[label] += count;
}

FlowCounts count_flows(const Engine& engine) {
  const FlowTable& flows = engine.flows();
  std::vector<std::uint64_t> by_model(engine.models().size());
  FlowCounts counts;
  counts.live = flows.size();
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    for (FlowTable::Slot slot = flows.oldest(list); slot != FlowTable::kNone; slot = flows.newer(slot)) {
      const Verdict& verdict = flows[slot].verdict;
      switch (verdict.state) {
        case IdentificationState::identified:
          ++counts.identified;
          ++by_model[verdict.model];
          break;
        case IdentificationState::unknown:
          ++counts.unknown;
          break;
        case IdentificationState::undecided:
          ++counts.undecided;
          break;
      }
    }
  for (std::size_t i = 0; i < by_model.size(); ++i)
    if (by_model[i] != 0) counts.labels[engine.models()[i].label] += by_model[i];
  return counts;
}

std::vector<LiveFlow> copy_flows(Engine& engine, const Policy& policy, std::size_t limit) {
  std::vector<LiveFlow> flows;
  engine.visit_flows(limit, [&](const FlowView& view) {
    LiveFlow& live = flows.emplace_back();
    live.flow = view.flow;
    if (view.label != nullptr) live.label = *view.label;
    live.rule = policy.name_of(view.flow.verdict.rule);
    live.last = view.flow.last;
  });
  return flows;
}

std::optional<Flow> find_flow(const Engine& engine, std::uint64_t id) {
  const FlowTable& flows = engine.flows();
  for (const FlowTable::List list : {FlowTable::embryonic, FlowTable::undecided, FlowTable::decided})
    for (FlowTable::Slot slot = flows.oldest(list); slot != FlowTable::kNone; slot = flows.newer(slot))
      if (event_flow_id(flows[slot].key, flows[slot].start) == id) return flows[slot];
  return std::nullopt;
}

std::string why_not_settled(std::uint64_t id, const std::optional<Flow>& live, std::uint64_t recent) {
  if (!live)
    return fmt::format(
        "there is no live flow {}, and it is not among the {} that settled last: it had no payload, or "
        "is too long ago",
        id, recent);
  const unsigned packets = std::max(live->stored_packets, live->verdict.payload_packets);
  if (packets == 0) return fmt::format("flow {} has had no payload so far: there is nothing to explain yet", id);
  if (live->verdict.final) return fmt::format("flow {} is not among the {} that settled last any more", id, recent);
  return fmt::format("flow {} has no final verdict yet, after {} of at most {} packets with payload: ask again later",
                     id, packets, kRecordLimit);
}

void append_json(std::string& out, const LiveFlow& live, std::string_view interface, Timestamp now) {
  FlowEvent event;
  event.time = now;
  event.flow = event_flow(live.flow, interface);
  event.counters = live.counters;
  event.start = live.flow.start;
  event.end = live.last;
  event.reason = "live";
  event.spid = event_spid(live.flow.verdict, live.label.label.empty() ? nullptr : &live.label, false);
  event.action = live.flow.verdict.action;
  event.rule = live.rule;
  append_json(out, event);
}

}  // namespace spidd
