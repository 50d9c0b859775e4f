// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel programs on a set of maps of their own, attached to nothing: tests hand them frames with BPF_PROG_TEST_RUN
// and look into the maps. Failures of the harness itself end the test program with a message.
#pragma once

#include <bpf/libbpf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bpf/abi.h"
#include "bpf/parse.h"
#include "tests/support/packet_builder.h"

namespace spidd::test {

enum class Program : std::uint8_t { ingress_xdp, ingress_tc, egress_tc };

enum class Verdict : std::uint8_t { pass, drop };

// Segmentation of a frame handed to a tc program.
struct Gso {
  std::uint32_t size = 0;
  std::uint32_t segments = 0;
};

inline constexpr std::uint32_t kRings = 4;
inline constexpr std::uint32_t kRingBytes = 1U << 20U;
inline constexpr std::uint32_t kObservationRingBytes = 1U << 16U;

// Nanoseconds of the kernel's coarse monotonic clock.
std::uint64_t coarse_now_ns();

spidd_addr abi_address(const char* text);
spidd_endpoint_key endpoint(const char* address, std::uint16_t port, std::uint8_t protocol);
spidd_endpoint_key host(const char* address);
spidd_prefix_key prefix(const char* address, std::uint32_t length);

// The key that the parser gives the frame of an Ethernet interface of domain 0.
spidd_flow_key key_of(const Bytes& frame);

class Datapath {
 public:
  // The one of this process, fresh: no flows, drops or records, counters at zero (but `ports`: tests use ports of their
  // own), one ring in use, observing. Loading takes seconds under an emulated processor, so it is done once.
  static Datapath& fresh();

  Datapath();
  ~Datapath();
  Datapath(const Datapath&) = delete;
  Datapath& operator=(const Datapath&) = delete;

  // Packets come from and go to interface 1 (loopback), domain 0, Ethernet unless changed.
  Verdict run(Program program, const Bytes& frame, Gso gso = {});
  // Nothing if the kernel refuses a test run with this frame: recent ones want a whole IP header for tc programs.
  std::optional<Verdict> try_run(Program program, const Bytes& frame, Gso gso = {});
  Verdict ingress(const Bytes& frame) { return run(Program::ingress_xdp, frame); }
  Verdict egress(const Bytes& frame, Gso gso = {}) { return run(Program::egress_tc, frame, gso); }
  // Out of the interface as one that the host received by another.
  Verdict forward(const Bytes& frame);

  // Settings take effect with apply(); it raises drop_generation.
  spidd_config& settings() { return settings_; }
  void apply();
  void set_interface(std::uint32_t ifindex, std::uint16_t domain, bool layer3);
  void forget_interface();

  // Drop entries; they count in the settings, switch enforcement on and apply. Slot 0 is invalid.
  void drop(const spidd_flow_key& key, std::uint32_t slot, std::uint64_t expires_ns = ~0ULL);
  void drop(const spidd_endpoint_key& key, std::uint32_t slot, std::uint64_t expires_ns = ~0ULL);
  void drop(const spidd_prefix_key& key, std::uint32_t slot, std::uint64_t expires_ns = ~0ULL);
  void never_block(const spidd_prefix_key& key);

  // Sums over CPUs.
  std::uint64_t counter(spidd_counter counter, spidd_hook hook = SPIDD_HOOK_INGRESS) const;
  spidd_port_counters port(spidd_port_transport transport, std::uint16_t port,
                           spidd_hook hook = SPIDD_HOOK_INGRESS) const;
  spidd_drop_hits hits(std::uint32_t slot) const;

  std::optional<spidd_flow> flow(const spidd_flow_key& key) const;
  void set_flow(const spidd_flow_key& key, const spidd_flow& flow);
  std::size_t flows() const;

  // Everything the rings hold, ring by ring in order, taken out.
  std::vector<spidd_record> records();
  // The same with the ring each came from.
  std::vector<std::pair<std::uint32_t, spidd_record>> records_by_ring();

  // Everything the ring of observations holds, taken out. None are made until settings().observation_limit says so.
  std::vector<spidd_observation> observations();
  void know(const spidd_attempt_key& attempt);
  spidd_attempt_counts attempts(const spidd_attempt_key& attempt) const;

  // Runs program flow_verdict; returns its status.
  int mark(spidd_verdict_request& request);

 private:
  struct ObjectCloser {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  struct RingCloser {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };
  struct Sink {
    std::vector<std::pair<std::uint32_t, spidd_record>> records;
    std::uint32_t ring = 0;
  };

  std::optional<Verdict> run_in(const __sk_buff* context, Program program, const Bytes& frame);
  int load(const char* name, const void* bytes, std::size_t size);
  int map(const char* name) const;
  template <class Value>
  std::vector<Value> per_cpu(const char* name, std::uint32_t index) const;
  void enforce();
  void add_rings();
  void add_observation_ring();
  void reset();

  std::vector<std::unique_ptr<bpf_object, ObjectCloser>> objects_;  // the first one owns the maps
  std::array<int, 4> programs_{};                                   // by Program; then flow_verdict
  std::vector<int> ring_fds_;
  std::vector<std::unique_ptr<ring_buffer, RingCloser>> rings_;
  Sink sink_;
  std::unique_ptr<ring_buffer, RingCloser> observation_ring_;
  std::vector<spidd_observation> observations_;
  spidd_config settings_{};
};

}  // namespace spidd::test
