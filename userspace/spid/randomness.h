// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Whether a flow is random from its first byte and starts like nothing known, as obfuscated tunnels are, so that nobody
// can name them by their bytes: the rule of "How the Great Firewall of China Detects and Blocks Fully Encrypted
// Traffic" (Wu et al., USENIX Security 2023), held against several packets of both directions instead of one. It is no
// proof of a tunnel: BitTorrent's encryption and compressed or encrypted files look the same.
#pragma once

#include <span>

#include "userspace/capture/packet_record.h"

namespace spidd {

inline constexpr unsigned kRandomnessPackets = 6;      // looked at
inline constexpr std::size_t kRandomnessBytes = 64;    // needed of all of them
inline constexpr std::size_t kRandomPacketBytes = 16;  // needed of the first packet of each direction

// `packets`: the first payload packets of a flow, from its beginning; two are needed. Random bytes pass with more than
// 98 of 100 flows, because every single test leaves room for chance.
bool is_fully_encrypted(std::span<const PayloadPacket> packets);

// Whether the bytes say that the flow is none of those, though its sizes may look like one's: it begins with text other
// than the HTTP header without a body that some of them wear, or more of its packets have structure than are random.
// One packet is enough.
bool has_structure(std::span<const PayloadPacket> packets);

}  // namespace spidd
