// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The TCP and UDP packets of a capture as they were captured: no flows, retransmissions not taken out. For what has
// rules of its own for sessions (userspace/flow/strict_sessions.h); everything else reads PcapSource.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "userspace/capture/packet_record.h"

namespace spidd {

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpAck = 0x10;

struct CapturedPacket {
  FlowKey key;
  bool source_is_low = true;           // the sender is the key's lower endpoint
  std::uint8_t tcp_flags = 0;          // as on the wire; 0 unless TCP
  std::uint32_t bytes = 0;             // IP bytes on the wire
  PayloadPacket payload;               // with the time; its direction is not set, its length may be 0
  std::span<const std::uint8_t> tail;  // captured payload behind that of `payload`; valid during the call only

  Timestamp time() const { return payload.time; }
};

// Hands every packet on, in the order of the file; those that are not IP are added to `not_ip`. What stands before a
// damage is handed on; the damage is the error.
Result<> read_packets(const std::string& path, const std::string& filter,
                      const std::function<void(const CapturedPacket&)>& handle, std::uint64_t& not_ip);

}  // namespace spidd
