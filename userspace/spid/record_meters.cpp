// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of TLS records (RFC 8446 5.1), beyond the original's 34. The source of a packet has walked from
// header to header (TlsRecords in capture/packet_record.h). Bins: README.md, "Meters of our own".
#include <algorithm>
#include <array>
#include <span>

#include "userspace/spid/meters.h"

namespace spidd {
namespace {

constexpr unsigned kFirstRecords = 8;

// Lower edges of the classes from 1 on, bytes.
constexpr std::array<std::uint32_t, 7> kAskedEdges = {64, 110, 180, 280, 420, 560, 800};
constexpr std::array<std::uint32_t, 7> kAnsweredEdges = {64, 200, 600, 1200, 2500, 5000, 10000};
constexpr std::array<std::uint32_t, 3> kNextEdges = {64, 115, 300};

unsigned class_in(std::span<const std::uint32_t> edges, std::uint32_t bytes) {
  return static_cast<unsigned>(std::ranges::upper_bound(edges, bytes) - edges.begin());
}

// Calls use(direction, length) for every application record after the client's first. In TLS 1.3 what comes before is
// the handshake in disguise: the sizes of a server's certificates, which say where it is and not what it speaks.
template <class Use>
void for_each_application_record(const MeteredFlow& flow, Use use) {
  bool begun = false;
  for (const PayloadPacket& packet : flow.packets) {
    const std::size_t count = std::min<std::size_t>(packet.tls.count, TlsRecords::kMost);
    for (std::size_t i = 0; i < count; ++i) {
      if (packet.tls.type(i) != TlsRecords::kApplicationData) continue;
      if (begun) use(direction_index(packet), std::uint32_t{packet.tls.lengths[i]});
      begun = begun || !from_server(packet);
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

// Bytes of a burst of the client, of the server's answer, and the first record of what the client says next. A TLS
// handshake inside TLS shows as a hello, certificates and a short end (Xue et al., USENIX Security 2024).
void measure_tls_burst_triples(const MeteredFlow& flow, MeterBins& bins) {
  std::uint32_t asked = 0;
  std::uint32_t answered = 0;
  for_each_application_record(flow, [&](unsigned direction, std::uint32_t length) {
    if (direction == 1) {
      answered += length;
      return;
    }
    if (answered > 0 && asked > 0)
      bins.add(32 * class_in(kAskedEdges, asked) + 4 * class_in(kAnsweredEdges, answered) +
               class_in(kNextEdges, length));
    if (answered > 0) asked = answered = 0;
    asked += length;
  });
}

}  // namespace spidd
