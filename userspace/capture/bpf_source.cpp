// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading a ring and speaking with the kernel's flow table.
#include "userspace/capture/bpf_source.h"

#include <bpf/bpf.h>

#include <span>
#include <utility>

#include "bpf/abi.h"
#include "userspace/capture/record_decoder.h"

namespace spidd {
namespace {

constexpr std::uint64_t kClockRefreshNs = 1'000'000'000;

}  // namespace

BpfSource::BpfSource(BpfRing ring, UniqueFd flows, UniqueFd flow_verdict)
    : ring_(std::move(ring)),
      flows_(std::move(flows)),
      flow_verdict_(std::move(flow_verdict)),
      request_(std::make_unique<spidd_verdict_request>()) {}

BpfSource::~BpfSource() = default;

std::size_t BpfSource::drain(const std::function<void(const PacketRecord&)>& handle, std::size_t max) {
  const std::uint64_t now = coarse_now_ns();
  if (now - clock_refreshed_ns_ > kClockRefreshNs) {
    clock_.refresh();
    clock_refreshed_ns_ = now;
  }
  const std::size_t taken = ring_.consume(max, [&](const std::byte* data, std::size_t length) {
    const auto* const raw = reinterpret_cast<const spidd_record*>(data);
    const Duration offset = length == sizeof(spidd_record) ? clock_.offset_at(raw->time_ns) : Duration::zero();
    if (decode_record({data, length}, offset, record_) != DecodeStatus::ok) {
      ++undecodable_;
      return;
    }
    // The flow may have started before the wall clock was stepped.
    record_.flow_start = clock_.to_wall(raw->flow_start_ns);
    handle(record_);
  });
  if (request_->count != 0) send_marks();
  return taken;
}

std::optional<FlowTotals> BpfSource::totals(const FlowKey& key, Timestamp flow_start) const {
  const spidd_flow_key kernel_key = abi_key(key);
  spidd_flow flow;
  if (bpf_map_lookup_elem(flows_.get(), &kernel_key, &flow) != 0) return std::nullopt;
  if (clock_.to_wall(flow.start_ns) != flow_start) return std::nullopt;
  return flow_totals(flow, clock_.offset_at(flow.last_ns));
}

bool BpfSource::mark(const FlowKey& key, Timestamp flow_start, std::uint32_t mark) {
  const std::optional<std::uint64_t> start_ns = clock_.to_monotonic(flow_start);
  if (!start_ns) return false;
  request_->items[request_->count++] = {abi_key(key), *start_ns, mark, 0};
  if (request_->count == SPIDD_VERDICT_BATCH) send_marks();
  return true;
}

void BpfSource::decided(const FlowKey& key, Timestamp flow_start) {
  if (!mark(key, flow_start, SPIDD_MARK_DECIDED)) ++verdicts_missed_;
}

void BpfSource::sizes_wanted(const FlowKey& key, Timestamp flow_start) {
  if (!mark(key, flow_start, SPIDD_MARK_SIZES)) ++verdicts_missed_;
}

void BpfSource::ended(const FlowKey& key, Timestamp flow_start) { mark(key, flow_start, SPIDD_MARK_ENDED); }

void BpfSource::send_marks() {
  // A syscall program's argument is copied back to where it came from.
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = request_.get(), .ctx_size_in = sizeof(*request_));
  const std::uint32_t sent = request_->count;
  request_->missed = 0;
  const bool ran = bpf_prog_test_run_opts(flow_verdict_.get(), &options) == 0 && request_->missed <= sent;
  verdicts_missed_ += ran ? request_->missed : sent;
  request_->count = 0;
}

std::size_t BpfSource::pending_bytes() const { return ring_.pending(); }
std::size_t BpfSource::ring_bytes() const { return ring_.bytes(); }

}  // namespace spidd
