// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The loop of bpf/flow.h over a file: parse, find the flow, step it, hand out what it says.
#include "userspace/capture/pcap_source.h"

#include <algorithm>
#include <cstring>

#include "bpf/observe.h"
#include "userspace/capture/packet_observations.h"
#include "userspace/capture/pcap_file.h"
#include "userspace/capture/pcap_filter.h"
#include "userspace/capture/pcap_flow_table.h"
#include "userspace/capture/pcap_link.h"
#include "userspace/capture/record_decoder.h"

namespace {

using FrameBytes = const std::span<const std::uint8_t>;

int load_bytes(FrameBytes* bytes, std::uint32_t offset, std::uint8_t* to, std::size_t length) {
  if (offset > bytes->size() || bytes->size() - offset < length) return -1;
  std::memcpy(to, bytes->data() + offset, length);
  return 0;
}

}  // namespace

#define SPIDD_CONTEXT FrameBytes
#define SPIDD_LOAD_BYTES load_bytes
#include "bpf/tls.h"

namespace spidd {
namespace {

using Slot = PcapFlowTable::Slot;

constexpr std::uint64_t kSweepEveryNs = 1'000'000'000;
constexpr std::uint64_t kTickPackets = 65536;
constexpr Duration kOwnClock{0};  // the capture's times are since the epoch already

std::uint64_t limit_ns(Duration limit) { return static_cast<std::uint64_t>(std::max(limit, Duration::zero()).count()); }

}  // namespace

struct PcapSource::State {
  State(PcapFile opened, PcapFilter compiled, const Settings& settings)
      : file(std::move(opened)),
        filter(std::move(compiled)),
        flows(settings.max_flows),
        limits{limit_ns(settings.udp_idle), limit_ns(settings.tcp_idle)},
        domain(settings.domain),
        observe(settings.observe),
        observe_all(settings.observe && settings.observed == Observed::every_packet),
        observe_relevant(settings.observe && settings.observed == Observed::as_in_kernel),
        first_verdict(settings.all_sizes ? SPIDD_VERDICT_SIZES : SPIDD_VERDICT_UNDECIDED) {}

  Next next(PacketRecord& out);
  void process();
  void finish();
  void observe_packet(const spidd_packet& packet, std::uint32_t direction);
  void count_without_flow(int status);
  Slot open_flow(const spidd_packet& packet);
  void init_flow(Slot slot, const spidd_packet& packet);
  void add_payload_record(const spidd_packet& packet, spidd_flow& flow, const spidd_flow_outcome& outcome);
  void add_end_record(Slot slot);
  bool end_one(Slot slot);
  std::optional<Slot> find(const FlowKey& key, Timestamp flow_start) const;

  PcapFile file;
  PcapFilter filter;
  PcapFlowTable flows;
  IdleLimits limits;
  std::uint16_t domain;
  std::function<void(const Observation&)> observe;
  bool observe_all;
  bool observe_relevant;
  std::uint8_t first_verdict;  // of every flow
  PcapCounters counters;

  CapturedFrame frame;       // the last one read
  bool frame_waits = false;  // until the flows that are idle at its time have ended
  bool sweeping = false;
  bool tick_due = false;
  std::uint64_t swept_at_ns = 0;
  std::uint64_t tick_at_packet = kTickPackets;
  bool finished = false;
  std::string damage;

  // What one packet gives at most: the end of the flow it evicts or restarts, its payload, the end of its own flow.
  std::array<spidd_record, 3> pending;
  std::size_t pending_begin = 0;
  std::size_t pending_end = 0;
};

PcapSource::Next PcapSource::State::next(PacketRecord& out) {
  for (;;) {
    if (pending_begin < pending_end) {
      translate_record(pending[pending_begin++], kOwnClock, out);
      return Next::record;
    }
    pending_begin = pending_end = 0;

    if (finished) {
      if (end_one(flows.open())) continue;
      return damage.empty() ? Next::end : Next::damaged;
    }
    if (sweeping) {
      const Slot idle = flows.idle(frame.time_ns, limits);
      if (idle != PcapFlowTable::kNone) {
        ++counters.flows_idle;
        end_one(idle);
        continue;
      }
      sweeping = false;
      tick_due = true;
    }
    if (tick_due) {
      tick_due = false;
      tick_at_packet = counters.seen_packets + kTickPackets;
      return Next::tick;
    }
    if (frame_waits) {
      frame_waits = false;
      process();
      continue;
    }
    if (file.next(frame) != FrameStatus::frame) {
      finish();
    } else if (!filter.matches(frame)) {
      continue;
    } else if (distance_ns(frame.time_ns, swept_at_ns) >= kSweepEveryNs) {
      swept_at_ns = frame.time_ns;
      sweeping = true;
      frame_waits = true;
    } else {
      process();
      tick_due = counters.seen_packets >= tick_at_packet;
    }
  }
}

void PcapSource::State::finish() {
  finished = true;
  damage = file.damage();
  if (damage.empty() && counters.unknown_link != 0 && counters.unknown_link == counters.seen_packets) {
    damage = fmt::format(
        "{}: link type {} is not supported: Ethernet, raw IP, Linux cooked, BSD loopback, PPP and Cisco HDLC are",
        file.path(), link_name(frame.link_type));
  }
}

void PcapSource::State::process() {
  ++counters.seen_packets;
  if (!link_supported(frame.link_type)) {
    counters.seen_bytes += frame.wire_length;
    ++counters.unknown_link;
    return;
  }
  spidd_packet packet;
  const int status = parse_frame(frame.link_type, frame.bytes, frame.wire_length, domain, packet);
  counters.seen_bytes += packet.wire_bytes;
  if (observe_all) observe_packet(packet, SPIDD_TO_SERVER);
  if (status != SPIDD_PARSE_FLOW) {
    count_without_flow(status);
    if (observe_relevant) observe_packet(packet, SPIDD_TO_SERVER);
    return;
  }

  Slot slot = flows.find(packet.key);
  if (slot == PcapFlowTable::kNone) {
    if (!spidd_flow_opens(&packet)) {
      ++counters.without_flow;
      if (observe_relevant && spidd_observes(&packet, nullptr, SPIDD_TO_SERVER))
        observe_packet(packet, SPIDD_TO_SERVER);
      return;
    }
    slot = open_flow(packet);
  } else if (spidd_flow_restarts(&flows[slot], &packet, frame.time_ns, limits.udp_ns, limits.tcp_ns)) {
    ++counters.flows_restarted;
    if ((flows[slot].flags & SPIDD_FLOW_END_SENT) == 0) add_end_record(slot);
    init_flow(slot, packet);
  }

  spidd_flow& flow = flows[slot];
  const std::uint64_t now_ns = std::max<std::uint64_t>(frame.time_ns, flow.last_ns);
  spidd_flow_outcome outcome;
  spidd_flow_step(&flow, &packet, now_ns, &outcome);
  counters.retransmissions += outcome.retransmission;
  if (outcome.records != 0) add_payload_record(packet, flow, outcome);
  if (outcome.end) add_end_record(slot);
  if (observe_relevant && spidd_observes(&packet, &flow, outcome.direction)) observe_packet(packet, outcome.direction);
  flows.seen(slot, now_ns);
}

void PcapSource::State::observe_packet(const spidd_packet& packet, std::uint32_t direction) {
  const PacketObservations observations = observations_of(packet, direction, frame.time_ns);
  for (std::size_t i = 0; i < observations.count; ++i) observe(observations.each[i]);
}

void PcapSource::State::count_without_flow(int status) {
  switch (status) {
    case SPIDD_PARSE_NOT_IP:
      ++counters.not_ip;
      break;
    case SPIDD_PARSE_TRUNCATED:
      ++counters.truncated;
      break;
    case SPIDD_PARSE_TOO_DEEP:
      ++counters.too_deep;
      break;
    case SPIDD_PARSE_FRAGMENT:
      ++counters.fragment;
      break;
    case SPIDD_PARSE_OTHER_PROTOCOL:
      ++counters.other_protocol;
      break;
    case SPIDD_PARSE_ICMP_OTHER:
      ++counters.icmp_other;
      break;
    case SPIDD_PARSE_ICMP_ERROR:
      ++counters.icmp_error;
      break;
    default:
      break;
  }
}

Slot PcapSource::State::open_flow(const spidd_packet& packet) {
  if (flows.full()) {
    const Slot victim = flows.victim();
    if ((flows[victim].flags & SPIDD_FLOW_END_SENT) == 0) {
      ++counters.flows_evicted;
      add_end_record(victim);
    }
    flows.erase(victim);
  }
  ++counters.flows_created;
  const Slot slot = flows.insert(packet.key, frame.time_ns);
  init_flow(slot, packet);
  return slot;
}

void PcapSource::State::init_flow(Slot slot, const spidd_packet& packet) {
  spidd_flow_init(&flows[slot], &packet, frame.time_ns);
  flows[slot].verdict = first_verdict;
}

// One packet of a file is one segment: bpf/flow.h never asks for more than one record.
void PcapSource::State::add_payload_record(const spidd_packet& packet, spidd_flow& flow,
                                           const spidd_flow_outcome& outcome) {
  spidd_record& record = pending[pending_end++];
  spidd_record_payload(&record, &packet, &flow, &outcome, 0, frame.time_ns, 0);
  record.payload_offset = recorded_offset(frame.link_type, packet);
  if (record.order < SPIDD_RECORD_LIMIT) {
    const std::size_t begin = std::min<std::size_t>(packet.payload_offset, frame.bytes.size());
    const std::size_t captured =
        std::min({std::size_t{SPIDD_SNAP}, std::size_t{packet.payload_length}, frame.bytes.size() - begin});
    std::memcpy(record.payload, frame.bytes.data() + begin, captured);
    record.captured = static_cast<std::uint8_t>(captured);
    if (packet.protocol == SPIDD_PROTOCOL_TCP) spidd_tls_walk(&frame.bytes, packet.payload_offset, &flow, &record);
  }
  ++counters.records_sent;
}

void PcapSource::State::add_end_record(Slot slot) {
  spidd_record_end(&pending[pending_end++], &flows.key(slot), &flows[slot], frame.time_ns, 0);
  ++counters.ends_sent;
}

// False if there is no such flow.
bool PcapSource::State::end_one(Slot slot) {
  if (slot == PcapFlowTable::kNone) return false;
  if ((flows[slot].flags & SPIDD_FLOW_END_SENT) == 0) add_end_record(slot);
  flows.erase(slot);
  return true;
}

std::optional<Slot> PcapSource::State::find(const FlowKey& key, Timestamp flow_start) const {
  const Slot slot = flows.find(abi_key(key));
  if (slot == PcapFlowTable::kNone || timestamp(flows[slot].start_ns, kOwnClock) != flow_start) return std::nullopt;
  return slot;
}

Result<PcapSource> PcapSource::open(const std::string& path, const Settings& settings) {
  constexpr std::uint32_t kMostFlows = 1U << 28;
  if (settings.max_flows == 0 || settings.max_flows > kMostFlows) {
    return fail("flow table of {} entries: must be from 1 to {}", settings.max_flows, kMostFlows);
  }
  if (settings.domain >= SPIDD_MAX_INTERFACES) {
    return fail("observation domain {}: must be below {}", settings.domain, SPIDD_MAX_INTERFACES);
  }
  auto filter = PcapFilter::compile(settings.filter);
  if (!filter) return tl::unexpected(std::move(filter).error());
  auto file = PcapFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  return PcapSource{std::make_unique<State>(std::move(*file), std::move(*filter), settings)};
}

PcapSource::PcapSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
PcapSource::PcapSource(PcapSource&&) noexcept = default;
PcapSource& PcapSource::operator=(PcapSource&&) noexcept = default;
PcapSource::~PcapSource() = default;

PcapSource::Next PcapSource::next(PacketRecord& out) { return state_->next(out); }

Result<> PcapSource::run(const std::function<void(const PacketRecord&)>& handle) {
  PacketRecord record;
  for (;;) {
    switch (next(record)) {
      case Next::record:
        handle(record);
        break;
      case Next::tick:
        break;
      case Next::end:
        return {};
      case Next::damaged:
        return fail("{}", damage());
    }
  }
}

std::optional<FlowTotals> PcapSource::totals(const FlowKey& key, Timestamp flow_start) const {
  const auto slot = state_->find(key, flow_start);
  if (!slot) return std::nullopt;
  return flow_totals(state_->flows[*slot], kOwnClock);
}

void PcapSource::decided(const FlowKey& key, Timestamp flow_start) {
  if (const auto slot = state_->find(key, flow_start)) state_->flows[*slot].verdict = SPIDD_VERDICT_DECIDED;
}

void PcapSource::sizes_wanted(const FlowKey& key, Timestamp flow_start) {
  if (const auto slot = state_->find(key, flow_start)) state_->flows[*slot].verdict = SPIDD_VERDICT_SIZES;
}

// The entry stays, as the kernel's does: late packets of a forgotten flow are no new flow.
void PcapSource::ended(const FlowKey& key, Timestamp flow_start) {
  const auto slot = state_->find(key, flow_start);
  if (!slot) return;
  spidd_flow& flow = state_->flows[*slot];
  flow.flags |= SPIDD_FLOW_END_SENT;
  state_->flows.seen(*slot, flow.last_ns);
}

Timestamp PcapSource::clock() const { return timestamp(state_->frame.time_ns, kOwnClock); }

const PcapCounters& PcapSource::counters() const { return state_->counters; }

std::uint32_t PcapSource::flows() const { return state_->flows.size(); }

std::uint64_t PcapSource::position() const { return state_->file.position(); }

std::optional<std::uint64_t> PcapSource::size() const { return state_->file.size(); }

const std::string& PcapSource::damage() const { return state_->damage; }

}  // namespace spidd
