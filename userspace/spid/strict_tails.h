// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the original's meters count of payload behind the first kSnapLength bytes. Private to spid/.
#pragma once

#include <span>

#include "userspace/spid/meter_bins.h"

namespace spidd {

// Adds the tails of the first packets (tails[i] is of packets[i]) to the bins of meters 3, 4, 9 and 23, which
// spid.md 1.8 lists with the bytes they look at. Requires: no more tails than packets, no packet of more than
// kStrictSnap bytes.
void add_tails(std::span<const PayloadPacket> packets, std::span<const PayloadTail> tails, AllBins& bins);

}  // namespace spidd
