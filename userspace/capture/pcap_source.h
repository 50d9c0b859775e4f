// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A capture file as a packet source. It does what the kernel's programs do, with their own code (bpf/parse.h,
// bpf/flow.h) over its own bounded flow table, and hands out the same records. Beyond the kernel it ends flows itself,
// each with an end record: when they fall silent, when the table is full, and at the end of the capture, so that every
// flow that became a record is followed by its totals.
//
// Clock: the capture's own, and it may jump. Record times are the capture's times unchanged; a flow never goes back in
// time; a flow further away than its idle limit, in either direction, has ended.
//
// A super-packet of segmentation offload (captures taken on a sending host) is one packet here: its segment size is not
// in the file.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "userspace/capture/observation.h"
#include "userspace/capture/packet_source.h"

namespace spidd {

// What was seen and every way a packet, record or entry was passed over. Names and meanings of enum spidd_counter
// (bpf/abi.h) where it has them.
struct PcapCounters {
  std::uint64_t seen_packets = 0;
  std::uint64_t seen_bytes = 0;    // IP bytes on the wire, or frame bytes where there is no IP
  std::uint64_t unknown_link = 0;  // of an interface whose link type is not supported
  std::uint64_t not_ip = 0;
  std::uint64_t truncated = 0;  // a header ended early or a length field lies
  std::uint64_t too_deep = 0;
  std::uint64_t fragment = 0;
  std::uint64_t other_protocol = 0;
  std::uint64_t icmp_other = 0;
  std::uint64_t icmp_error = 0;    // with a usable inner header
  std::uint64_t without_flow = 0;  // a RST of no known flow
  std::uint64_t retransmissions = 0;
  std::uint64_t flows_created = 0;
  std::uint64_t flows_restarted = 0;
  std::uint64_t flows_idle = 0;     // ended by silence
  std::uint64_t flows_evicted = 0;  // ended because the table was full
  std::uint64_t records_sent = 0;
  std::uint64_t ends_sent = 0;
};

class PcapSource final : public PacketSource {
 public:
  enum class Observed : std::uint8_t {
    every_packet,  // no flows: every packet that SPADE can judge, and no datagram is a reply
    as_in_kernel,  // those that the kernel would send (bpf/README.md, "What SPADE sees"), nothing being only counted
  };
  struct Settings {
    std::string filter;                           // pcap-filter(7); empty: all packets
    std::uint32_t max_flows = 131072;             // at most 184 bytes each
    Duration udp_idle = std::chrono::minutes(2);  // UDP and ICMP
    Duration tcp_idle = std::chrono::minutes(10);
    std::uint16_t domain = 0;  // of the flows' keys, below 64
    bool all_sizes = false;    // as if sizes_wanted() were said of every flow: for readers that cannot answer
    // If set: what SPADE sees, in the order of the file, before what the packet makes next() return.
    std::function<void(const Observation&)> observe = {};
    Observed observed = Observed::every_packet;
  };

  // `path` "-" is standard input. An error names what cannot be read: the path or the filter.
  static Result<PcapSource> open(const std::string& path, const Settings& settings);
  static Result<PcapSource> open(const std::string& path) { return open(path, Settings{}); }

  PcapSource(PcapSource&&) noexcept;
  PcapSource& operator=(PcapSource&&) noexcept;
  ~PcapSource() override;

  enum class Next : std::uint8_t {
    record,   // `out` is the next record
    tick,     // no record; a second of the capture's clock has passed, or many packets
    end,      // the capture is over and every flow has ended
    damaged,  // the same, but the file could be read no further, or none of its packets could be read: see damage()
  };
  // Blocks while a pipe has nothing to say. `out` is written only for `record`.
  Next next(PacketRecord& out);

  // next() until the end, without the ticks. A damage is an error, met after all records before it were handed on.
  Result<> run(const std::function<void(const PacketRecord&)>& handle);

  std::optional<FlowTotals> totals(const FlowKey& key, Timestamp flow_start) const override;
  void decided(const FlowKey& key, Timestamp flow_start) override;
  void sizes_wanted(const FlowKey& key, Timestamp flow_start) override;
  void ended(const FlowKey& key, Timestamp flow_start) override;

  Timestamp clock() const;  // time of the last packet read; before the first: the epoch
  const PcapCounters& counters() const;
  std::uint32_t flows() const;  // entries in the table

  // Bytes of the file read so far, and its size where it has one: for a progress line.
  std::uint64_t position() const;
  std::optional<std::uint64_t> size() const;

  // "x.pcap: damaged at byte 1234, after packet 17: the file ends inside a block", or the link type that is not
  // supported. Empty unless damaged.
  const std::string& damage() const;

 private:
  struct State;

  explicit PcapSource(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace spidd
