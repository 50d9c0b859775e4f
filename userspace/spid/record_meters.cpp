// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of TLS records (RFC 8446 5.1), beyond the original's 34. Records are followed within the captured
// bytes of a packet that begins with one; what spans packets is not put together. Bins: README.md, "Meters of our own".
#include "userspace/spid/meters.h"

namespace spidd {
namespace {

constexpr std::uint8_t kApplicationData = 23;
constexpr std::size_t kHeaderSize = 5;
constexpr unsigned kFirstRecords = 8;

// Calls use(direction, length) for the header of every application record that is found.
template <class Use>
void for_each_application_record(const MeteredFlow& flow, Use use) {
  for (const PayloadPacket& packet : flow.packets) {
    const Payload payload = payload_of(packet);
    std::size_t at = 0;
    while (at + kHeaderSize <= payload.size() && starts_tls_record(payload.subspan(at))) {
      const std::uint32_t length = payload[at + 3] * 256U + payload[at + 4];
      if (payload[at] == kApplicationData) use(direction_index(packet), length);
      at += kHeaderSize + length;
    }
  }
}

}  // namespace

// Length of each application record by its index in its direction.
void measure_tls_record_sizes(const MeteredFlow& flow, MeterBins& bins) {
  std::array<unsigned, 2> index{};
  for_each_application_record(flow, [&](unsigned direction, std::uint32_t length) {
    bins.add(128 * direction + 16 * std::min(kFirstRecords - 1, index[direction]) + length_class_16(length));
    ++index[direction];
  });
}

// Length of the first application records of each direction, finer.
void measure_tls_first_record_sizes(const MeteredFlow& flow, MeterBins& bins) {
  std::array<unsigned, 2> index{};
  for_each_application_record(flow, [&](unsigned direction, std::uint32_t length) {
    if (index[direction]++ < kFirstRecords) bins.add(128 * direction + std::min(127U, length / 4));
  });
}

// Direction and length class of each application record after those of the one before.
void measure_tls_record_size_pairs(const MeteredFlow& flow, MeterBins& bins) {
  bool first = true;
  unsigned last = 0;
  for_each_application_record(flow, [&](unsigned direction, std::uint32_t length) {
    const unsigned current = 8 * direction + length_class_8(length);
    if (!first) bins.add(16 * last + current);
    last = current;
    first = false;
  });
}

}  // namespace spidd
