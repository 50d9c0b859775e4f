// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Cost of the XDP program for a packet, in CPU time, against Debian's xdp-filter (package xdp-tools, all features): the
// same packet, the same run, rounds in turn; the figure is the least disturbed round's. Established flows: 1,024 in
// turn; drops: one, as an attack is. Every figure includes a small program that makes each run another packet and
// tail-calls the program under test; the first line is that alone. Needs root. Exits 1 if a ratio is over its target.
//   datapath_bench [ROUNDS [RUNS]]
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "bpf/abi.h"
#include "bpf/ingress_xdp.skel.h"
#include "tests/bench/vary_flow.skel.h"
#include "tests/support/packet_builder.h"

namespace spidd {
namespace {

constexpr const char* kFilterObject = "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o";
constexpr std::uint32_t kFlows = 1024;
constexpr std::uint32_t kLoopback = 1;  // BPF_PROG_TEST_RUN says that packets come from there
constexpr double kEstablishedTarget = 2.5;
constexpr double kDropTarget = 1.3;
constexpr std::uint8_t kNeverBlocked = 16;  // prefixes
constexpr std::uint32_t kAny = BPF_ANY;

[[noreturn]] void give_up(const std::string& reason) {
  fmt::print(stderr, "datapath_bench: {}\n", reason);
  std::exit(2);
}

void check(bool good, const char* what) {
  if (!good) give_up(fmt::format("{}: {}", what, std::strerror(errno)));
}

std::uint64_t clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000000000U + static_cast<std::uint64_t>(time.tv_nsec);
}

// The packet of datapath.md's measurements: 600 bytes, IPv4, TCP to port 443.
test::Bytes packet(const char* flags) {
  return test::PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 443).flags(flags).payload_size(546).build();
}

spidd_addr address(std::uint8_t last) { return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}}; }

// xdp-filter with one address rule and one port rule, as in its own README.
class Filter {
 public:
  Filter() {
    object_ = bpf_object__open_file(kFilterObject, nullptr);
    check(object_ != nullptr, kFilterObject);
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_) bpf_map__set_pin_path(map, nullptr);
    check(bpf_object__load(object_) == 0, "load xdp-filter");
  }
  ~Filter() { bpf_object__close(object_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  int program() const { return bpf_program__fd(bpf_object__next_program(object_, nullptr)); }

  // Denies packets to 10.0.0.<last> and to `port`.
  void deny(std::uint8_t last, std::uint16_t port) {
    constexpr std::uint64_t kDestination = 1U << 1U, kTcp = 1U << 2U;
    clear_addresses();
    const std::vector<std::uint64_t> address_rule(cpus(), kDestination);
    const std::uint32_t key = htobe32(0x0a000000U | last);
    check(bpf_map_update_elem(map("filter_ipv4"), &key, address_rule.data(), kAny) == 0, "set an address rule");
    set_port(denied_port_, 0);
    set_port(denied_port_ = port, kDestination | kTcp);
  }

 private:
  static std::size_t cpus() { return static_cast<std::size_t>(libbpf_num_possible_cpus()); }
  int map(const char* name) const { return bpf_object__find_map_fd_by_name(object_, name); }
  void clear_addresses() {
    std::uint32_t key = 0;
    while (bpf_map_get_next_key(map("filter_ipv4"), nullptr, &key) == 0) bpf_map_delete_elem(map("filter_ipv4"), &key);
  }
  void set_port(std::uint16_t port, std::uint64_t flags) {
    const std::vector<std::uint64_t> rule(cpus(), flags);
    const std::uint32_t key = htobe16(port);
    check(bpf_map_update_elem(map("filter_ports"), &key, rule.data(), kAny) == 0, "set a port rule");
  }

  bpf_object* object_ = nullptr;
  std::uint16_t denied_port_ = 0;
};

// spidd's XDP program with its own maps; every flow of the bench is known and decided.
class Datapath {
 public:
  Datapath() : skeleton_(ingress_xdp_bpf::open_and_load()) {
    check(skeleton_ != nullptr, "load ingress_xdp");
    const spidd_interface interface = {kLoopback, 0, 0, 0};
    const std::uint32_t slot = spidd_interface_slot(kLoopback, 0);
    check(bpf_map_update_elem(fd(skeleton_->maps.interfaces), &slot, &interface, kAny) == 0, "set the interface");
    for (std::uint8_t i = 0; i < kNeverBlocked; ++i) {
      const spidd_prefix_key prefix{128, address(static_cast<std::uint8_t>(100 + i))};
      const std::uint8_t yes = 1;
      check(bpf_map_update_elem(fd(skeleton_->maps.never_block), &prefix, &yes, kAny) == 0, "set a prefix");
    }
    settings_.abi_version = SPIDD_ABI_VERSION;
    settings_.drop_generation = 1;
    settings_.rings = 1;
    settings_.udp_idle_ns = settings_.tcp_idle_ns = ~0ULL;
    settings_.observation_limit = ~0U;  // as in a daemon that watches for anomalies
    write_settings();
  }
  ~Datapath() { ingress_xdp_bpf::destroy(skeleton_); }
  Datapath(const Datapath&) = delete;
  Datapath& operator=(const Datapath&) = delete;

  int program() const { return bpf_program__fd(skeleton_->progs.ingress_xdp); }

  void mark_flows_decided() {
    // Keys first: an update moves its entry to the front of its bucket, a walk would meet it again.
    std::vector<spidd_flow_key> keys;
    spidd_flow_key key{};
    const int flows = fd(skeleton_->maps.flows);
    while (bpf_map_get_next_key(flows, keys.empty() ? nullptr : &keys.back(), &key) == 0) keys.push_back(key);
    if (keys.size() != kFlows) give_up(fmt::format("{} flows instead of {}", keys.size(), kFlows));
    for (const spidd_flow_key& each : keys) {
      spidd_flow flow{};
      check(bpf_map_lookup_elem(flows, &each, &flow) == 0, "read a flow");
      flow.verdict = SPIDD_VERDICT_DECIDED;
      check(bpf_map_update_elem(flows, &each, &flow, kAny) == 0, "write a flow");
    }
  }

  void observe() {
    settings_.mode = SPIDD_MODE_OBSERVE;
    write_settings();
  }
  // Drop tables with one entry each. Entries match the packet where asked, else another host's packets.
  void enforce(bool flow, bool endpoint, bool host) {
    const spidd_drop_entry entry = {~0ULL, 1, 1};
    forget_drops();
    spidd_flow_key flow_key{address(1), address(flow ? 2 : 9), 0, htobe16(443), 6, 0, 0};
    for (std::uint32_t i = 0; i < kFlows; ++i) {
      flow_key.port_lo = htobe16(static_cast<std::uint16_t>(40000 + i));
      check(bpf_map_update_elem(fd(skeleton_->maps.drop_flow), &flow_key, &entry, kAny) == 0, "set a drop");
    }
    const spidd_endpoint_key endpoint_key{address(endpoint ? 2 : 9), htobe16(443), 6, 0, 0};
    check(bpf_map_update_elem(fd(skeleton_->maps.drop_endpoint), &endpoint_key, &entry, kAny) == 0, "set a drop");
    const spidd_endpoint_key host_key{address(host ? 2 : 9), 0, 0, 0, 0};
    check(bpf_map_update_elem(fd(skeleton_->maps.drop_endpoint), &host_key, &entry, kAny) == 0, "set a drop");
    settings_.mode = SPIDD_MODE_ENFORCE;
    settings_.flow_drops = kFlows;
    settings_.endpoint_drops = settings_.host_drops = 1;
    ++settings_.drop_generation;
    write_settings();
  }
  // Only the tables that match hold entries; the kernel skips the others.
  void enforce_only(bool flow, bool endpoint, bool host) {
    enforce(flow, endpoint, host);
    settings_.flow_drops = flow ? kFlows : 0;
    settings_.endpoint_drops = endpoint ? 1 : 0;
    settings_.host_drops = host ? 1 : 0;
    write_settings();
  }

 private:
  static int fd(const bpf_map* map) { return bpf_map__fd(map); }
  template <class Key>
  static void clear(int map) {
    Key key{};
    while (bpf_map_get_next_key(map, nullptr, &key) == 0) bpf_map_delete_elem(map, &key);
  }
  void forget_drops() {
    clear<spidd_flow_key>(fd(skeleton_->maps.drop_flow));
    clear<spidd_endpoint_key>(fd(skeleton_->maps.drop_endpoint));
  }
  void write_settings() {
    const std::uint32_t key = 0;
    check(bpf_map_update_elem(fd(skeleton_->maps.config), &key, &settings_, kAny) == 0, "write the settings");
  }

  ingress_xdp_bpf* skeleton_;
  spidd_config settings_{};
};

// Runs programs behind vary_flow.
class Runner {
 public:
  Runner() : skeleton_(vary_flow_bpf::open()) {
    check(skeleton_ != nullptr, "open vary_flow");
    check(vary_flow_bpf::load(skeleton_) == 0, "load vary_flow");
  }
  ~Runner() { vary_flow_bpf::destroy(skeleton_); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  int pass_all() const { return bpf_program__fd(skeleton_->progs.pass_all); }

  // Nanoseconds of this thread's CPU time for one of `runs` packets.
  double run(int program, const test::Bytes& frame, std::uint32_t flows, int runs, std::uint32_t verdict) {
    skeleton_->bss->flow_mask = flows - 1;
    const std::uint32_t key = 0;
    check(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.subject), &key, &program, kAny) == 0, "set the program");
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()), .repeat = runs);
    const std::uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    check(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.vary_flow), &options) == 0, "run a program");
    const std::uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (options.retval != verdict) give_up(fmt::format("verdict {} instead of {}", options.retval, verdict));
    return static_cast<double>(end - start) / runs;
  }

 private:
  vary_flow_bpf* skeleton_;
};

struct Subject {
  const char* name;
  int program;
  std::uint32_t verdict;
  const test::Bytes* frame;
  std::uint32_t flows;
  std::function<void()> prepare;
  std::vector<double> nanoseconds = {};

  double best() const { return *std::min_element(nanoseconds.begin(), nanoseconds.end()); }
};

int measure(int rounds, int runs) {
  const test::Bytes data = packet("PA"), syn = packet("S");
  Runner runner;
  Filter filter;
  Datapath datapath;
  datapath.observe();
  runner.run(datapath.program(), data, kFlows, kFlows, XDP_PASS);
  datapath.mark_flows_decided();

  const int other = filter.program(), ours = datapath.program();
  std::vector<Subject> subjects;
  const auto add = [&](const char* name, int program, std::uint32_t verdict, const test::Bytes& frame,
                       std::function<void()> prepare) {
    subjects.push_back({name, program, verdict, &frame, verdict == XDP_DROP ? 1 : kFlows, std::move(prepare)});
    return subjects.size() - 1;
  };
  add("empty program", runner.pass_all(), XDP_PASS, data, [] {});
  const auto filter_pass = add("xdp-filter pass", other, XDP_PASS, data, [&] { filter.deny(9, 9); });
  const auto filter_drop = add("xdp-filter drop, host", other, XDP_DROP, data, [&] { filter.deny(2, 9); });
  const auto observed = add("established flow, observe", ours, XDP_PASS, data, [&] { datapath.observe(); });
  const auto enforced =
      add("established flow, enforce", ours, XDP_PASS, data, [&] { datapath.enforce(false, false, false); });
  const std::vector<std::size_t> drops = {
      add("drop, flow known, five-tuple", ours, XDP_DROP, data, [&] { datapath.enforce(true, false, false); }),
      add("drop, SYN, endpoint", ours, XDP_DROP, syn, [&] { datapath.enforce_only(false, true, false); }),
      add("drop, SYN, host", ours, XDP_DROP, syn, [&] { datapath.enforce_only(false, false, true); }),
  };
  // Rare, so without a target: a blocked five-tuple tried again, and a host found behind two other tables.
  const std::vector<std::size_t> rare = {
      add("drop, SYN, five-tuple", ours, XDP_DROP, syn, [&] { datapath.enforce_only(true, false, false); }),
      add("drop, SYN, host, all tables in use", ours, XDP_DROP, syn, [&] { datapath.enforce(false, false, true); }),
  };

  for (int round = 0; round < rounds; ++round) {
    for (Subject& subject : subjects) {
      subject.prepare();
      runner.run(subject.program, *subject.frame, subject.flows, runs / 10 + 1, subject.verdict);
      subject.nanoseconds.push_back(runner.run(subject.program, *subject.frame, subject.flows, runs, subject.verdict));
    }
  }

  for (const Subject& subject : subjects) fmt::print("{:<36}{:>8.1f} ns\n", subject.name, subject.best());
  bool good = true;
  const auto ratio = [&](std::size_t subject, std::size_t reference, double target) {
    const double value = subjects[subject].best() / subjects[reference].best();
    fmt::print("{:<36}{:>8.2f} x  target {}{}\n", subjects[subject].name, value, target,
               value > target ? "  MISSED" : "");
    good = good && value <= target;
  };
  fmt::print("of {}:\n", subjects[filter_pass].name);
  ratio(observed, filter_pass, kEstablishedTarget);
  ratio(enforced, filter_pass, kEstablishedTarget);
  fmt::print("of {}:\n", subjects[filter_drop].name);
  for (const std::size_t drop : drops) ratio(drop, filter_drop, kDropTarget);
  for (const std::size_t drop : rare) {
    fmt::print("{:<36}{:>8.2f} x\n", subjects[drop].name, subjects[drop].best() / subjects[filter_drop].best());
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace spidd

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 20000;
  if (rounds < 1 || runs < 1) spidd::give_up("ROUNDS and RUNS are numbers above 0");
  return spidd::measure(rounds, runs);
}
