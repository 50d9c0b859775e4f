// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The engine of one worker: records in, verdicts and reports out. Everything it does follows from the records and the
// time it is told, so that a capture file and the kernel give the same result. Not thread-safe.
//
//   record ─► flow table ─► (at 3, 4, 6, 8, 12, 20 payload packets and at the end) meters ─► match ─► classify ─►
//   decide ─► sink
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "userspace/capture/packet_source.h"
#include "userspace/engine/classification.h"
#include "userspace/engine/endpoint_memory.h"
#include "userspace/engine/size_traces.h"
#include "userspace/flow/flow_table.h"
#include "userspace/flow/packet_store.h"
#include "userspace/learning/settled_flow.h"
#include "userspace/policy/decision.h"
#include "userspace/spid/matcher.h"

namespace spidd {

// What is made of a server whose flows have all had one label, at least three in a row.
enum class EndpointLabels : std::uint8_t {
  off,
  name,    // flows too short to be named by themselves (up to three packets) get its label (default)
  decide,  // besides, longer ones get it at their third packet and are not scored, but for 1 of 16 and for tunnels:
           // saves time, and overlooks whatever hides behind that server
};

struct EngineSettings {
  FlowTable::Limits flows;
  std::uint32_t packet_blocks = 65536;  // of PacketStore: about 24 MiB
  Duration tcp_idle = std::chrono::minutes(10);
  Duration udp_idle = std::chrono::minutes(2);
  Duration pause = std::chrono::seconds(5);  // silence after which an undecided flow gets a provisional verdict
  bool report_settled = false;               // call EngineSink::flow_settled()
  EndpointLabels endpoint_labels = EndpointLabels::name;
  bool link_ftp_data = true;            // random flows between two hosts that speak FTP are its data
  std::uint32_t awaiting_proof = 4096;  // flows that are looked at again until there is a proof for their block
  std::uint32_t second_looks = 1024;    // flows that get a second look at a time, of up to 3 KiB; 0: none
  EndpointLimits endpoint_limits;
  std::shared_ptr<EndpointMemory> endpoints;  // shared with other engines; null: this engine has its own
};

// Everything that can be known about one flow at one moment. Valid during the call only.
struct FlowView {
  const Flow& flow;
  const ModelSummary* label;  // nullptr unless identified
  Timestamp now;
};

enum class EndReason : std::uint8_t { closed, idle, evicted, reused, shutdown };
std::string_view end_reason_name(EndReason reason);

// Receives what the engine concludes, on the engine's thread.
class EngineSink {
 public:
  virtual ~EngineSink() = default;
  // A rule of the policy matched for the first time, or more severely than before, or after a second look.
  virtual void decision(const FlowView& view, const Decision& decision) = 0;
  virtual void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason) = 0;
  // Once a flow that had payload: its verdict is final. Twice if it gets a second look that goes on (`looked_at_again`)
  // and has an end then. Only if the settings ask for it. Valid during the call only.
  virtual void flow_settled(const SettledFlow&) {}
};

struct EngineCounters {
  std::uint64_t records = 0;
  std::uint64_t flows = 0;  // created
  std::uint64_t flows_ended = 0;
  std::uint64_t flows_evicted = 0;       // table full: reported early
  std::uint64_t packets_not_stored = 0;  // packet memory full: the flow is judged by what was stored
  std::uint64_t records_late = 0;        // of flows already decided
  std::uint64_t records_out_of_order = 0;
  std::uint64_t matches = 0;           // fingerprints scored
  std::uint64_t proofs_forgotten = 0;  // flows that awaited proof and were given up because too many did
  std::uint64_t second_looks = 0;      // begun: sizes were asked for
  std::uint64_t second_looks_found = 0;
  std::uint64_t second_looks_forgotten = 0;    // given up because others needed their place
  std::uint64_t second_looks_not_learned = 0;  // packet memory too full to keep the flow's packets until their end
  std::uint64_t alerts = 0;
  std::uint64_t blocks = 0;

  EngineCounters& operator+=(const EngineCounters& other);
};

class Engine {
 public:
  // `source` and `sink` must outlive the engine. Models and policy are shared and immutable.
  Engine(EngineSettings settings, std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy,
         PacketSource& source, EngineSink& sink);

  void on_record(const PacketRecord& record);

  // Ends flows that have been idle and gives provisional verdicts to flows that pause. Call every second of the clock
  // of the records, or so; costs little when nothing is due.
  void advance(Timestamp now);

  // Ends every flow.
  void finish(EndReason reason);

  // Takes effect with the next verdict; rules and labels of live flows are kept by name.
  void set_policy(std::shared_ptr<const Policy> policy);
  void set_models(std::shared_ptr<const Matcher> matcher);

  // Whether the models know what is normal at this site: a second proof for every block. Takes effect with the next
  // verdict.
  void set_site_learned(bool learned) { site_learned_ = learned; }

  const EngineCounters& counters() const { return counters_; }
  const FlowTable& flows() const { return flows_; }
  std::span<const ModelSummary> models() const { return matcher_->models(); }
  // What is known of a live flow now, in the form that it settles in: all of its packets so far, and its verdict, which
  // may rest on fewer and need not be final. Null without payload, and once its packets are gone. Valid until the next
  // call.
  const SettledFlow* look_into(const FlowKey& key);
  // The newest `limit` live flows.
  void visit_flows(std::size_t limit, const std::function<void(const FlowView&)>& visit);

 private:
  FlowTable::Slot open_flow(const PacketRecord& record);
  void end_flow(FlowTable::Slot slot, const FlowTotals& totals, EndReason reason);
  void end_idle(FlowTable::List list, Timestamp now);
  void judge(FlowTable::Slot slot, Progress progress);
  void measure(const Flow& flow, unsigned packets);
  void add_divergence(Flow& flow);
  void report_settled(const Flow& flow);
  void report_after_second_look(Flow& flow);
  void describe(const Flow& flow);
  bool skip_scoring(Flow& flow, Progress progress);
  void score(Flow& flow, Progress progress);
  bool name_by_endpoint(Flow& flow);
  void observe(Flow& flow);
  void close_books(FlowTable::Slot slot);
  void apply_policy(Flow& flow, Progress progress, Duration lasted);
  Decision decide_on(const Flow& flow, Duration lasted);
  SecondLook worth_a_second_look(const Flow& flow) const;
  void consider_second_look(Flow& flow);
  void collect_size(Flow& flow, const PayloadPacket& packet);
  void finish_second_look(Flow& flow);
  void forget_second_look(Flow& flow);
  void await_proof(Flow& flow);
  void look_for_proof(Timestamp now);
  FlowTotals totals_of(const Flow& flow) const;
  FlowView view_of(const Flow& flow) const;
  Duration idle_limit(const Flow& flow) const;
  void apply_rules();

  EngineSettings settings_;
  ClassificationRules rules_;
  std::shared_ptr<const Matcher> matcher_;
  std::shared_ptr<const Policy> policy_;
  PacketSource& source_;
  EngineSink& sink_;
  FlowTable flows_;
  PacketStore packets_;
  SizeTraces size_traces_;
  AttributeMeters meters_;
  std::array<PayloadPacket, kRecordLimit> packet_buffer_;
  std::span<const PayloadPacket> measured_packets_;  // in packet_buffer_
  Fingerprint fingerprint_;
  const Flow* measured_ = nullptr;  // whose fingerprint it is, while that flow is looked at
  SettledFlow settled_;
  Timestamp now_{};
  bool site_learned_ = false;
  bool policy_blocks_ = false;  // some rule or expectation does
  bool policy_looks_twice_ = false;
  std::shared_ptr<EndpointMemory> endpoints_;
  struct Awaiting {
    FlowKey key;
    Timestamp start;
  };
  std::deque<Awaiting> awaiting_proof_;  // oldest first
  EngineCounters counters_;
};

}  // namespace spidd
