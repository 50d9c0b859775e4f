// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A source of packet records: the kernel (BpfSource, one per ring) or a capture file (PcapSource).
#pragma once

#include <optional>

#include "userspace/capture/packet_record.h"

namespace spidd {

// Not thread-safe: a source belongs to one worker.
class PacketSource {
 public:
  virtual ~PacketSource() = default;

  // What the source itself has counted for this flow so far, beyond the packets that became records. Nothing if it no
  // longer knows the flow (ended, evicted, or the five-tuple now names another flow).
  virtual std::optional<FlowTotals> totals(const FlowKey& key, Timestamp flow_start) const = 0;

  // Tells the source that the engine needs no more records of this flow. A hint: records already under way still come.
  virtual void decided(const FlowKey& key, Timestamp flow_start) = 0;

  // Asks for sizes: records of this flow go on beyond kRecordLimit payload packets, up to kSizesLimit, without payload
  // bytes (length, direction, time and order are set). decided() ends it. Packets that come before the source has heard
  // of it leave a hole in `order`: ask at a checkpoint before kRecordLimit to have them all. A hint, as decided().
  virtual void sizes_wanted(const FlowKey& key, Timestamp flow_start) = 0;

  // Tells the source that the engine has reported the end of this flow and forgotten it: the source may forget it too,
  // and must not send an end record for it later.
  virtual void ended(const FlowKey& key, Timestamp flow_start) = 0;
};

}  // namespace spidd
