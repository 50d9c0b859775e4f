// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The attribute meters: the 34 of SPID (SPID 0.4.6) and eleven of our own; specification: userspace/spid/README.md. A
// meter turns the payload packets of one flow into counts in 256 bins. All together make the flow's sparse fingerprint.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "userspace/capture/packet_record.h"
#include "userspace/spid/measured_rows.h"
#include "userspace/spid/simd.h"

namespace spidd {

inline constexpr unsigned kMaxMeasuredPackets = 500;  // what a flow has beyond is not measured

// The default profile leaves out two of the original's meters, lengths modulo 256 (32) and by their divisors (33),
// which tell builds apart rather than protocols. The other profiles need them.
constexpr bool is_scored(unsigned meter) { return meter != 32 && meter != 33; }

// "AccumulatedDirectionBytes", ...: the names of the original, without "Meter". Requires: meter < kMeterCount.
std::string_view meter_name(unsigned meter);

// What was measured of one flow.
struct Fingerprint {
  MeasuredRows rows;
  std::array<std::uint32_t, kMeterCount> measurements{};  // per meter: sum of its counts
  unsigned payload_packets = 0;

  void clear();
};

enum class MeterRules {
  corrected,  // the default: userspace/spid/README.md lists the corrections of the original's quirks
  strict,     // the original bit for bit (32-bit .NET hash constants; meter 12 excepted, which is not portable)
};

// Payload bytes that a packet is measured by when flows come from captures: what records carry, or, strictly, nearly
// all.
constexpr unsigned snap_of(MeterRules rules) {
  return static_cast<unsigned>(rules == MeterRules::strict ? kStrictSnap : kSnapLength);
}

// Measures flows. Holds the scratch memory (about 96 KiB) that makes measuring free of allocation; one per worker, not
// thread-safe.
class AttributeMeters {
 public:
  // Requires: `simd` is one of available_simd().
  explicit AttributeMeters(MeterRules rules = MeterRules::corrected, Simd simd = best_simd());
  ~AttributeMeters();
  AttributeMeters(AttributeMeters&&) noexcept;
  AttributeMeters& operator=(AttributeMeters&&) noexcept;

  // Fingerprint of the given payload packets, in the order in which they were seen. `out` is overwritten and keeps its
  // capacity. `tails`: what the first packets have behind their bytes; corrected rules do not look at it.
  void measure(std::span<const PayloadPacket> packets, Fingerprint& out, std::span<const PayloadTail> tails = {});

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace spidd
