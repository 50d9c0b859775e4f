// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel as a packet source: the records of one ring, and what the kernel's flow table says about their flows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_rings.h"
#include "userspace/capture/kernel_clock.h"
#include "userspace/capture/packet_source.h"

struct spidd_verdict_request;

namespace spidd {

// Belongs to one worker thread. Never blocks: the kernel does not wake readers, so the worker sleeps between drains
// (half a millisecond to a few) instead of polling a descriptor.
class BpfSource final : public PacketSource {
 public:
  // `flows` and `flow_verdict` are the map and the program; the source owns its descriptors.
  BpfSource(BpfRing ring, UniqueFd flows, UniqueFd flow_verdict);
  ~BpfSource() override;

  // Hands at most `max` records, oldest first, to `handle`; returns how many were taken from the ring (0 = it is
  // empty). The record is valid during the call. At its end what was said about flows is told to the kernel.
  std::size_t drain(const std::function<void(const PacketRecord&)>& handle, std::size_t max);

  // One system call (about 0.7 µs).
  std::optional<FlowTotals> totals(const FlowKey& key, Timestamp flow_start) const override;
  // Collected and sent 64 at a time, and at the end of every drain(): all three.
  void decided(const FlowKey& key, Timestamp flow_start) override;
  void sizes_wanted(const FlowKey& key, Timestamp flow_start) override;
  void ended(const FlowKey& key, Timestamp flow_start) override;

  // Now, on the clock of the records.
  Timestamp now() const { return clock_.now(); }
  // Bytes waiting in the ring and its size.
  std::size_t pending_bytes() const;
  std::size_t ring_bytes() const;
  // Records that could not be decoded (another ABI version, impossible values): not handed on.
  std::uint64_t undecodable() const { return undecodable_; }
  // Verdicts the kernel did not take: the flow was gone, or the call failed. The flow's remaining records then come.
  std::uint64_t verdicts_missed() const { return verdicts_missed_; }

 private:
  // `mark` is enum spidd_mark. False if the kernel cannot know a flow of that start.
  bool mark(const FlowKey& key, Timestamp flow_start, std::uint32_t mark);
  void send_marks();

  BpfRing ring_;
  UniqueFd flows_;
  UniqueFd flow_verdict_;
  KernelClock clock_;
  std::uint64_t clock_refreshed_ns_ = 0;  // coarse
  std::unique_ptr<spidd_verdict_request> request_;
  PacketRecord record_;
  std::uint64_t undecodable_ = 0;
  std::uint64_t verdicts_missed_ = 0;
};

}  // namespace spidd
