// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of lengths, directions and delays.
#include <cmath>

#include "userspace/spid/meters.h"

namespace spidd {
namespace {

constexpr unsigned kDelayClasses = 32;
constexpr double kLongestDelay = 6e7;  // one minute in the unit meant, microseconds

// Lower edges of the delay classes: class k holds the values whose power of ln 32 / ln 6e7 is k or a little more.
struct DelayClasses {
  DelayClasses() {
    const double exponent = std::log(double{kDelayClasses}) / std::log(kLongestDelay);
    for (unsigned k = 1; k < kDelayClasses; ++k) {
      auto edge = static_cast<std::int64_t>(std::pow(static_cast<double>(k), 1 / exponent));
      while (std::pow(static_cast<double>(edge), exponent) < k) ++edge;
      while (edge > 0 && std::pow(static_cast<double>(edge - 1), exponent) >= k) --edge;
      edges[k] = edge;
    }
  }
  // A binary search that always takes the same five steps.
  unsigned operator()(std::int64_t value) const {
    unsigned found = 0;
    for (unsigned step = kDelayClasses / 2; step > 0; step /= 2) found += value >= edges[found + step] ? step : 0;
    return found;
  }

  std::array<std::int64_t, kDelayClasses> edges{};
};

}  // namespace

// SPID 1.8 #0: payload bytes since the direction last changed, in units of 64 bytes, for the first four runs.
void measure_accumulated_direction_bytes(const MeteredFlow& flow, MeterBins& bins) {
  constexpr unsigned kRuns = 4;
  unsigned run = 0;
  std::uint64_t bytes = 0;
  const PayloadPacket* before = nullptr;
  for (const PayloadPacket& packet : flow.packets) {
    if (before != nullptr && before->direction != packet.direction) {
      if (++run == kRuns) return;
      bytes = 0;
    }
    bytes += packet.length;
    bins.add(64 * run + static_cast<unsigned>(std::min<std::uint64_t>(bytes / 64, 63)));
    before = &packet;
  }
}

// SPID 1.8 #10: length of every packet by direction.
void measure_direction_packet_length(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : flow.packets) {
    bins.add(128 * direction_index(packet) + length_class_128(packet.length));
  }
}

// SPID 1.8 #11: by how much a packet's length differs from the packet before in its direction.
void measure_direction_packet_size_change(const MeteredFlow& flow, MeterBins& bins) {
  std::array<std::uint32_t, 2> before{};
  for (const PayloadPacket& packet : flow.packets) {
    std::uint32_t& last = before[direction_index(packet)];
    const std::uint32_t change = packet.length > last ? packet.length - last : last - packet.length;
    bins.add(128 * direction_index(packet) + change % 128);
    last = packet.length;
  }
}

// SPID 1.8 #21: time since the packet before, of either direction, for the first four packets. The very first counts as
// an endless delay.
template <MeterRules kRules>
void measure_inter_packet_delay(const MeteredFlow& flow, MeterBins& bins) {
  static const DelayClasses classes;
  // The original meant microseconds and counted in tens of nanoseconds.
  constexpr std::int64_t kUnitNanoseconds = kRules == MeterRules::strict ? 10 : 1000;
  constexpr std::int64_t kOffset = 16;
  unsigned order = 0;
  const PayloadPacket* before = nullptr;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    unsigned delay_class = kDelayClasses - 1;
    if (before != nullptr) {
      const std::int64_t delay = (packet.time - before->time).count() / kUnitNanoseconds;
      delay_class = classes(std::max<std::int64_t>(0, delay - kOffset));
    }
    bins.add(128 * direction_index(packet) + 32 * order + delay_class);
    before = &packet;
    ++order;
  }
}

template void measure_inter_packet_delay<MeterRules::corrected>(const MeteredFlow& flow, MeterBins& bins);
template void measure_inter_packet_delay<MeterRules::strict>(const MeteredFlow& flow, MeterBins& bins);

// SPID 1.8 #22: length of each of the first four packets by order and direction.
void measure_first4_packet_size(const MeteredFlow& flow, MeterBins& bins) {
  unsigned order = 0;
  for (const PayloadPacket& packet : first_packets(flow, 4)) {
    bins.add(128 * direction_index(packet) + 32 * order++ + length_class_32(packet.length));
  }
}

// SPID 1.8 #32: length of every packet, modulo 256.
void measure_packet_length(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : flow.packets) bins.add(packet.length % 256);
}

// SPID 1.8 #33: which of 2, 3, 5 and 7 divide the lengths of each packet and of the packet before.
void measure_packet_pair_length_primes(const MeteredFlow& flow, MeterBins& bins) {
  unsigned before = 0;
  for (const PayloadPacket& packet : flow.packets) {
    const std::uint32_t length = packet.length;
    const unsigned divisors = (length % 2 == 0 ? 1U : 0U) | (length % 3 == 0 ? 2U : 0U) | (length % 5 == 0 ? 4U : 0U) |
                              (length % 7 == 0 ? 8U : 0U);
    bins.add(16 * divisors + before);
    before = divisors;
  }
}

}  // namespace spidd
