// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Validation first, translation after: nothing of a rejected record reaches the engine.
#include "userspace/capture/record_decoder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace spidd {
namespace {

static_assert(TlsRecords::kMost == SPIDD_TLS_HEADERS && TlsRecords::kApplicationData == SPIDD_TLS_FIRST_TYPE + 3);
static_assert(kSnapLength == SPIDD_SNAP && kRecordLimit == SPIDD_RECORD_LIMIT && kSizesLimit == SPIDD_SIZES_LIMIT);

constexpr std::uint8_t kRecordFlags =
    SPIDD_RECORD_CLIENT_IS_LO | SPIDD_RECORD_START_SEEN | SPIDD_RECORD_EGRESS | SPIDD_RECORD_ANSWERED;

bool known_transport(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

bool is_canonical(const spidd_flow_key& key) {
  const int order = std::memcmp(&key.lo, &key.hi, sizeof key.lo);
  return order < 0 || (order == 0 && std::memcmp(&key.port_lo, &key.port_hi, sizeof key.port_lo) <= 0);
}

bool is_valid(const spidd_flow_key& key) {
  return known_transport(key.protocol) && key.zero == 0 && key.domain < SPIDD_MAX_INTERFACES && is_canonical(key);
}

bool is_valid(const spidd_record& record) {
  if (!is_valid(record.key) || record.zero != 0 || record.zero2 != 0) return false;
  if ((record.flags & ~kRecordFlags) != 0 || record.direction > SPIDD_TO_CLIENT) return false;
  if (record.type == SPIDD_RECORD_END) return true;
  if (record.tls_count > SPIDD_TLS_HEADERS) return false;
  const std::uint32_t most = record.order < SPIDD_RECORD_LIMIT ? SPIDD_SNAP : 0;
  return record.type == SPIDD_RECORD_PAYLOAD && record.order < SPIDD_SIZES_LIMIT && record.payload_length > 0 &&
         record.captured <= most && record.captured <= record.payload_length;
}

bool is_closed(std::uint8_t flow_flags) {
  constexpr std::uint8_t kBothFins = SPIDD_FLOW_FIN_CLIENT | SPIDD_FLOW_FIN_SERVER;
  return (flow_flags & SPIDD_FLOW_RESET) != 0 || (flow_flags & kBothFins) == kBothFins;
}

// Flow entries and end records carry the same fields under the same names.
template <class Counts>
FlowTotals totals_from(const Counts& counts, Duration clock_offset) {
  FlowTotals totals;
  for (unsigned direction = 0; direction < 2; ++direction) {
    totals.counters.packets[direction] = counts.packets[direction];
    totals.counters.bytes[direction] = counts.bytes[direction];
  }
  totals.last = timestamp(counts.last_ns, clock_offset);
  totals.payload_packets = counts.payload_packets;
  totals.closed = is_closed(counts.flags);
  return totals;
}

}  // namespace

std::string_view decode_status_name(DecodeStatus status) {
  switch (status) {
    case DecodeStatus::ok:
      return "ok";
    case DecodeStatus::wrong_size:
      return "wrong size";
    case DecodeStatus::wrong_version:
      return "wrong version";
    case DecodeStatus::invalid:
      return "invalid";
  }
  return "invalid";
}

Timestamp timestamp(std::uint64_t nanoseconds, Duration clock_offset) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const auto own = static_cast<std::int64_t>(std::min(nanoseconds, static_cast<std::uint64_t>(kMax)));
  std::int64_t sum = 0;
  // `own` is not negative: only the upper end can be passed.
  if (__builtin_add_overflow(own, clock_offset.count(), &sum)) sum = kMax;
  return Timestamp{Duration{sum}};
}

FlowKey flow_key(const spidd_flow_key& key) {
  FlowKey out;
  std::memcpy(out.low.bytes.data(), key.lo.bytes, sizeof key.lo);
  std::memcpy(out.high.bytes.data(), key.hi.bytes, sizeof key.hi);
  out.port_low = ntohs(key.port_lo);
  out.port_high = ntohs(key.port_hi);
  out.transport = static_cast<Transport>(key.protocol);
  out.domain = key.domain;
  return out;
}

spidd_flow_key abi_key(const FlowKey& key) {
  spidd_flow_key out{};
  std::memcpy(out.lo.bytes, key.low.bytes.data(), sizeof out.lo);
  std::memcpy(out.hi.bytes, key.high.bytes.data(), sizeof out.hi);
  out.port_lo = htons(key.port_low);
  out.port_hi = htons(key.port_high);
  out.protocol = static_cast<std::uint8_t>(key.transport);
  out.domain = key.domain;
  return out;
}

FlowTotals flow_totals(const spidd_flow& flow, Duration clock_offset) { return totals_from(flow, clock_offset); }

DecodeStatus decode_record(std::span<const std::byte> bytes, Duration clock_offset, PacketRecord& out) {
  if (bytes.size() != sizeof(spidd_record)) return DecodeStatus::wrong_size;
  spidd_record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.abi_version != SPIDD_ABI_VERSION) return DecodeStatus::wrong_version;
  if (!is_valid(record)) return DecodeStatus::invalid;
  translate_record(record, clock_offset, out);
  return DecodeStatus::ok;
}

void translate_record(const spidd_record& record, Duration clock_offset, PacketRecord& out) {
  out.time = timestamp(record.time_ns, clock_offset);
  out.flow_start = timestamp(record.flow_start_ns, clock_offset);
  out.key = flow_key(record.key);
  out.client_is_low = (record.flags & SPIDD_RECORD_CLIENT_IS_LO) != 0;
  out.start_seen = (record.flags & SPIDD_RECORD_START_SEEN) != 0;
  out.answered = (record.flags & SPIDD_RECORD_ANSWERED) != 0;
  out.egress = (record.flags & SPIDD_RECORD_EGRESS) != 0;
  out.tcp_flags = record.tcp_flags;
  out.tcp_seq = record.tcp_seq;
  out.order = record.order;
  if (record.type == SPIDD_RECORD_END) {
    out.type = PacketRecord::Type::end;
    out.packet = {};
    out.totals = totals_from(record.totals, clock_offset);
    return;
  }
  out.type = PacketRecord::Type::payload;
  out.totals = {};
  out.packet.time = out.time;
  out.packet.length = record.payload_length;
  out.packet.offset = record.payload_offset;
  out.packet.direction = static_cast<Direction>(record.direction);
  out.packet.captured = record.captured;
  const auto valid_end = std::copy_n(record.payload, record.captured, out.packet.bytes.begin());
  std::fill(valid_end, out.packet.bytes.end(), std::uint8_t{0});
  out.packet.tls.count = record.tls_count;
  out.packet.tls.types = record.tls_types;
  std::copy(std::begin(record.tls_lengths), std::end(record.tls_lengths), out.packet.tls.lengths.begin());
}

}  // namespace spidd
