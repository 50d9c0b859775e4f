// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The flows of a capture with the packets that are measured, for training and for measuring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/packet_record.h"
#include "userspace/flow/strict_sessions.h"

namespace spidd {

// What is a flow, and which of its packets are measured.
struct FlowRules {
  // As the engine and the kernel have them: reassembled, the first kRecordLimit packets with payload.
  static const FlowRules engine;
  // The sessions of SPID 0.4.6 (userspace/flow/strict_sessions.h), with its limits.
  static const FlowRules original;

  bool sessions = false;  // of SPID 0.4.6
  StrictSessions::Limits limits{};
};
inline constexpr FlowRules FlowRules::engine{};
inline constexpr FlowRules FlowRules::original{true};

struct CapturedFlow {
  FlowKey key;
  bool client_is_low = true;
  Timestamp start;
  bool start_seen = false;
  bool answered = false;               // packets of both directions were seen, with payload or without
  std::vector<PayloadPacket> packets;  // at least one, at most kRecordLimit (of sessions: their limit)
  std::vector<PayloadTail> tails;      // of the first packets of an original session, else none
};

// The flows of one capture, in the order in which they began (of sessions: in that of their verdicts). Packets that do
// not match `filter` (pcap-filter(7), "" = all) are left out. The file is read as far as it can be read: what stopped
// it is in `damage`, else "". An error if nothing of it can be read.
Result<std::vector<CapturedFlow>> read_flows(const std::string& path, FlowRules rules, const std::string& filter,
                                             std::string& damage);

// 64-bit FNV-1a over the size of a file and its first 16 MiB: the same capture under another name has the same. 0 if it
// cannot be read. Against training twice by mistake, not against malice.
std::uint64_t capture_hash(const std::string& path);

}  // namespace spidd
