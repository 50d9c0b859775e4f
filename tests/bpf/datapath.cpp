// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Loading the programs on shared maps, running them, reading the maps.
#include "tests/bpf/datapath.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "bpf/egress_tc.skel.h"
#include "bpf/flow_verdict.skel.h"
#include "bpf/ingress_tc.skel.h"
#include "bpf/ingress_xdp.skel.h"

namespace spidd::test {
namespace {

constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kXdpDrop = 1;    // XDP_DROP
constexpr std::uint32_t kTcDrop = 2;     // TC_ACT_SHOT
constexpr std::uint32_t kXdpPass = 2;    // XDP_PASS
constexpr std::uint32_t kTcPass = ~0U;   // TC_ACT_UNSPEC
constexpr std::size_t kFlowVerdict = 3;  // element of programs_

void check(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "tests/bpf: %s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

int quiet(libbpf_print_level level, const char* format, va_list arguments) {
  return level == LIBBPF_WARN && std::getenv("SPIDD_BPF_LOG") != nullptr ? std::vfprintf(stderr, format, arguments) : 0;
}

}  // namespace

std::uint64_t coarse_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U + static_cast<std::uint64_t>(now.tv_nsec);
}

spidd_addr abi_address(const char* text) {
  spidd_addr address{};
  if (inet_pton(AF_INET6, text, address.bytes) == 1) return address;
  address.bytes[10] = address.bytes[11] = 0xff;
  check(inet_pton(AF_INET, text, address.bytes + 12) == 1, std::string("no address: ") + text);
  return address;
}

spidd_endpoint_key endpoint(const char* address, std::uint16_t port, std::uint8_t protocol) {
  return {abi_address(address), htons(port), protocol, 0, 0};
}

spidd_endpoint_key host(const char* address) { return endpoint(address, 0, 0); }

spidd_prefix_key prefix(const char* address, std::uint32_t length) { return {length, abi_address(address)}; }

spidd_flow_key key_of(const Bytes& frame) {
  spidd_packet packet;
  spidd_parse(frame.data(), frame.data() + frame.size(), static_cast<std::uint32_t>(frame.size()), SPIDD_LINK_ETHERNET,
              0, &packet);
  return packet.key;
}

Datapath::Datapath() {
  libbpf_set_print(quiet);
  std::size_t size = 0;
  const void* bytes = ingress_xdp_bpf::elf_bytes(&size);
  programs_[0] = load("ingress_xdp", bytes, size);
  bytes = ingress_tc_bpf::elf_bytes(&size);
  programs_[1] = load("ingress_tc", bytes, size);
  bytes = egress_tc_bpf::elf_bytes(&size);
  programs_[2] = load("egress_tc", bytes, size);
  bytes = flow_verdict_bpf::elf_bytes(&size);
  programs_[kFlowVerdict] = load("flow_verdict", bytes, size);

  add_rings();
  add_observation_ring();
}

Datapath& Datapath::fresh() {
  static Datapath datapath;
  datapath.reset();
  return datapath;
}

namespace {

template <class Key>
void clear(int map) {
  Key key{};
  while (bpf_map_get_next_key(map, nullptr, &key) == 0) bpf_map_delete_elem(map, &key);
}

template <class Value>
void zero(int map, std::uint32_t elements) {
  const std::vector<Value> nothing(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t i = 0; i < elements; ++i)
    check(bpf_map_update_elem(map, &i, nothing.data(), BPF_ANY) == 0, "zero");
}

}  // namespace

void Datapath::reset() {
  constexpr std::uint32_t kSlots = 16;
  constexpr std::uint32_t kBudgets = 2;
  records();
  observations();
  clear<spidd_attempt_key>(map("known_attempts"));
  clear<spidd_flow_key>(map("flows"));
  clear<spidd_flow_key>(map("drop_flow"));
  clear<spidd_endpoint_key>(map("drop_endpoint"));
  clear<spidd_prefix_key>(map("drop_prefix"));
  clear<spidd_prefix_key>(map("never_block"));
  zero<spidd_counters>(map("counters"), SPIDD_HOOKS);
  for (std::uint32_t cell = 0; cell < 1U << SPIDD_FORWARDED_BITS; ++cell) {
    const std::uint64_t nothing = 0;
    check(bpf_map_update_elem(map("forwarded"), &cell, &nothing, BPF_ANY) == 0, "zero");
  }
  zero<spidd_drop_hits>(map("drop_hits"), kSlots);
  zero<std::array<std::uint64_t, 2>>(map("budgets"), kBudgets);
  set_interface(kInterface, 0, false);
  const std::uint32_t generation = settings_.drop_generation;
  settings_ = {};
  settings_.drop_generation = generation;
  settings_.abi_version = SPIDD_ABI_VERSION;
  settings_.rings = 1;
  settings_.udp_idle_ns = settings_.tcp_idle_ns = ~0ULL;
  apply();
}

Datapath::~Datapath() {
  for (const int ring : ring_fds_) ::close(ring);
}

int Datapath::load(const char* name, const void* bytes, std::size_t size) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
  objects_.emplace_back(bpf_object__open_mem(bytes, size, &options));
  bpf_object* const object = objects_.back().get();
  check(object != nullptr, std::string("open ") + name);
  bpf_map* each = nullptr;
  if (objects_.size() > 1) {
    bpf_object__for_each_map(each, object) {
      if (!bpf_map__is_internal(each)) check(bpf_map__reuse_fd(each, map(bpf_map__name(each))) == 0, "share a map");
    }
  }
  check(bpf_object__load(object) == 0, std::string("load ") + name);
  return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

void Datapath::add_rings() {
  for (std::uint32_t i = 0; i < kRings; ++i) {
    const int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, kRingBytes, nullptr);
    check(ring >= 0, "create a ring");
    ring_fds_.push_back(ring);
    check(bpf_map_update_elem(map("rings"), &i, &ring, BPF_ANY) == 0, "add a ring");
    const auto take = [](void* context, void* data, std::size_t size) {
      auto* const sink = static_cast<Sink*>(context);
      check(size == sizeof(spidd_record), "size of a record");
      spidd_record record;
      std::memcpy(&record, data, sizeof record);
      sink->records.emplace_back(sink->ring, record);
      return 0;
    };
    rings_.emplace_back(ring_buffer__new(ring, take, &sink_, nullptr));
    check(rings_.back() != nullptr, "open a ring");
  }
}

void Datapath::add_observation_ring() {
  const std::uint32_t index = SPIDD_OBSERVATION_RING;
  const int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "observations", 0, 0, kObservationRingBytes, nullptr);
  check(ring >= 0, "create the ring of observations");
  ring_fds_.push_back(ring);
  check(bpf_map_update_elem(map("rings"), &index, &ring, BPF_ANY) == 0, "add the ring of observations");
  const auto take = [](void* context, void* data, std::size_t size) {
    check(size == sizeof(spidd_observation), "size of an observation");
    spidd_observation observation;
    std::memcpy(&observation, data, sizeof observation);
    static_cast<std::vector<spidd_observation>*>(context)->push_back(observation);
    return 0;
  };
  observation_ring_.reset(ring_buffer__new(ring, take, &observations_, nullptr));
  check(observation_ring_ != nullptr, "open the ring of observations");
}

int Datapath::map(const char* name) const { return bpf_object__find_map_fd_by_name(objects_.front().get(), name); }

void Datapath::apply() {
  const std::uint32_t key = 0;
  ++settings_.drop_generation;
  check(bpf_map_update_elem(map("config"), &key, &settings_, BPF_ANY) == 0, "write the settings");
}

void Datapath::set_interface(std::uint32_t ifindex, std::uint16_t domain, bool layer3) {
  const std::uint32_t slot = spidd_interface_slot(ifindex, 0);
  const spidd_interface interface = {ifindex, domain, static_cast<std::uint8_t>(layer3), 0};
  check(bpf_map_update_elem(map("interfaces"), &slot, &interface, BPF_ANY) == 0, "write an interface");
}

void Datapath::forget_interface() {
  const std::uint32_t slot = spidd_interface_slot(kInterface, 0);
  const spidd_interface none{};
  check(bpf_map_update_elem(map("interfaces"), &slot, &none, BPF_ANY) == 0, "forget an interface");
}

Verdict Datapath::run(Program program, const Bytes& frame, Gso gso) {
  const auto verdict = try_run(program, frame, gso);
  check(verdict.has_value(), "run a program on " + std::to_string(frame.size()) + " bytes");
  return *verdict;
}

std::optional<Verdict> Datapath::try_run(Program program, const Bytes& frame, Gso gso) {
  __sk_buff context{};
  context.gso_size = gso.size;
  context.gso_segs = gso.segments;
  return run_in(gso.size != 0 ? &context : nullptr, program, frame);
}

Verdict Datapath::forward(const Bytes& frame) {
  __sk_buff context{};
  context.ingress_ifindex = kInterface + 1;
  const auto verdict = run_in(&context, Program::egress_tc, frame);
  check(verdict.has_value(), "forward " + std::to_string(frame.size()) + " bytes");
  return *verdict;
}

std::optional<Verdict> Datapath::run_in(const __sk_buff* context, Program program, const Bytes& frame) {
  const bool xdp = program == Program::ingress_xdp;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<std::uint32_t>(frame.size()), .repeat = 1);
  if (context != nullptr) {
    options.ctx_in = context;
    options.ctx_size_in = sizeof *context;
  }
  const int status = bpf_prog_test_run_opts(programs_[static_cast<std::size_t>(program)], &options);
  if (status == -EINVAL) return std::nullopt;
  check(status == 0, "run a program");
  if (options.retval == (xdp ? kXdpDrop : kTcDrop)) return Verdict::drop;
  check(options.retval == (xdp ? kXdpPass : kTcPass), "verdict " + std::to_string(options.retval));
  return Verdict::pass;
}

void Datapath::enforce() {
  settings_.mode = SPIDD_MODE_ENFORCE;
  apply();
}

void Datapath::drop(const spidd_flow_key& key, std::uint32_t slot, std::uint64_t expires_ns) {
  const spidd_drop_entry entry = {expires_ns, slot, 1};
  check(bpf_map_update_elem(map("drop_flow"), &key, &entry, BPF_ANY) == 0, "write a drop");
  ++settings_.flow_drops;
  enforce();
}

void Datapath::drop(const spidd_endpoint_key& key, std::uint32_t slot, std::uint64_t expires_ns) {
  const spidd_drop_entry entry = {expires_ns, slot, 1};
  check(bpf_map_update_elem(map("drop_endpoint"), &key, &entry, BPF_ANY) == 0, "write a drop");
  ++(key.protocol != 0 ? settings_.endpoint_drops : settings_.host_drops);
  enforce();
}

void Datapath::drop(const spidd_prefix_key& key, std::uint32_t slot, std::uint64_t expires_ns) {
  const spidd_drop_entry entry = {expires_ns, slot, 1};
  check(bpf_map_update_elem(map("drop_prefix"), &key, &entry, BPF_ANY) == 0, "write a drop");
  ++settings_.prefix_drops;
  enforce();
}

void Datapath::never_block(const spidd_prefix_key& key) {
  const std::uint8_t yes = 1;
  check(bpf_map_update_elem(map("never_block"), &key, &yes, BPF_ANY) == 0, "write a never-block prefix");
  apply();
}

template <class Value>
std::vector<Value> Datapath::per_cpu(const char* name, std::uint32_t index) const {
  std::vector<Value> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  check(bpf_map_lookup_elem(map(name), &index, values.data()) == 0, std::string("read ") + name);
  return values;
}

std::uint64_t Datapath::counter(spidd_counter counter, spidd_hook hook) const {
  std::uint64_t sum = 0;
  for (const auto& each : per_cpu<spidd_counters>("counters", hook)) sum += each.value[counter];
  return sum;
}

spidd_port_counters Datapath::port(spidd_port_transport transport, std::uint16_t port, spidd_hook hook) const {
  spidd_port_counters sum{};
  for (const auto& each : per_cpu<spidd_port_counters>("ports", spidd_port_index(hook, transport, port))) {
    sum.packets += each.packets;
    sum.bytes += each.bytes;
    sum.attempts += each.attempts;
    sum.refusals += each.refusals;
  }
  return sum;
}

spidd_drop_hits Datapath::hits(std::uint32_t slot) const {
  spidd_drop_hits sum{};
  for (const auto& each : per_cpu<spidd_drop_hits>("drop_hits", slot)) {
    sum.packets += each.packets;
    sum.bytes += each.bytes;
    sum.last_ns = std::max(sum.last_ns, each.last_ns);
  }
  return sum;
}

std::optional<spidd_flow> Datapath::flow(const spidd_flow_key& key) const {
  spidd_flow flow{};
  if (bpf_map_lookup_elem(map("flows"), &key, &flow) != 0) return std::nullopt;
  return flow;
}

void Datapath::set_flow(const spidd_flow_key& key, const spidd_flow& flow) {
  check(bpf_map_update_elem(map("flows"), &key, &flow, BPF_ANY) == 0, "write a flow");
}

std::size_t Datapath::flows() const {
  std::size_t count = 0;
  spidd_flow_key key{};
  const spidd_flow_key* previous = nullptr;
  for (; bpf_map_get_next_key(map("flows"), previous, &key) == 0; previous = &key) ++count;
  return count;
}

std::vector<std::pair<std::uint32_t, spidd_record>> Datapath::records_by_ring() {
  sink_.records.clear();
  for (sink_.ring = 0; sink_.ring < rings_.size(); ++sink_.ring) {
    check(ring_buffer__consume(rings_[sink_.ring].get()) >= 0, "read a ring");
  }
  return std::move(sink_.records);
}

std::vector<spidd_record> Datapath::records() {
  std::vector<spidd_record> records;
  for (const auto& [ring, record] : records_by_ring()) records.push_back(record);
  return records;
}

std::vector<spidd_observation> Datapath::observations() {
  check(ring_buffer__consume(observation_ring_.get()) >= 0, "read the ring of observations");
  return std::exchange(observations_, {});
}

void Datapath::know(const spidd_attempt_key& attempt) {
  const spidd_attempt_counts zero{};
  check(bpf_map_update_elem(map("known_attempts"), &attempt, &zero, BPF_ANY) == 0, "write a known attempt");
}

spidd_attempt_counts Datapath::attempts(const spidd_attempt_key& attempt) const {
  spidd_attempt_counts counts{};
  check(bpf_map_lookup_elem(map("known_attempts"), &attempt, &counts) == 0, "read a known attempt");
  return counts;
}

int Datapath::mark(spidd_verdict_request& request) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &request, .ctx_size_in = sizeof request);
  return bpf_prog_test_run_opts(programs_[kFlowVerdict], &options);
}

}  // namespace spidd::test
