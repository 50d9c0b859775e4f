// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From the bytes of a ring (struct spidd_record, bpf/abi.h) to a PacketRecord. The ring is memory that another program
// version may have written: every field that could mislead the engine is checked, and a record that fails is rejected
// whole. The caller counts rejections.
#pragma once

#include <cstddef>
#include <span>

#include "bpf/abi.h"
#include "userspace/capture/packet_record.h"

namespace spidd {

enum class DecodeStatus : std::uint8_t {
  ok,
  wrong_size,     // not exactly one record
  wrong_version,  // written by another ABI version
  invalid,        // a field is outside of its range
};
std::string_view decode_status_name(DecodeStatus status);

// Adds `clock_offset` to the record's times: from the kernel's monotonic clock to the Unix epoch, zero for a capture.
// `out` is written only if the result is ok. Never allocates.
DecodeStatus decode_record(std::span<const std::byte> bytes, Duration clock_offset, PacketRecord& out);

// The second half of decode_record: for a record that this process filled itself and whose fields need no checking.
void translate_record(const spidd_record& record, Duration clock_offset, PacketRecord& out);

// Both directions of the key's translation are exact: flow_key(abi_key(k)) == k. The transport must be one of
// Transport's: decode_record checks it.
FlowKey flow_key(const spidd_flow_key& key);
spidd_flow_key abi_key(const FlowKey& key);

// The kernel's flow entry as totals.
FlowTotals flow_totals(const spidd_flow& flow, Duration clock_offset);

// A time of the kernel (or of a capture) as Timestamp, saturating instead of wrapping.
Timestamp timestamp(std::uint64_t nanoseconds, Duration clock_offset);

}  // namespace spidd
