// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The three-packet session that the golden vectors of the SPID specification (1.9) are about, and makers of test flows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "userspace/spid/attribute_meter.h"

namespace spidd {

inline PayloadPacket make_packet(Direction direction, std::chrono::milliseconds time, std::string_view payload,
                                 std::uint16_t offset = 54) {
  PayloadPacket packet;
  packet.time = Timestamp(time);
  packet.length = static_cast<std::uint32_t>(payload.size());
  packet.offset = offset;
  packet.direction = direction;
  packet.captured = static_cast<std::uint8_t>(std::min(payload.size(), kSnapLength));
  std::copy_n(payload.begin(), packet.captured, packet.bytes.begin());
  return packet;
}

inline std::vector<PayloadPacket> golden_session() {
  std::string rising;
  for (char c = 0; c < 32; ++c) rising.push_back(c);
  using std::chrono::milliseconds;
  return {make_packet(Direction::to_server, milliseconds(0), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
          make_packet(Direction::to_client, milliseconds(10), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
          make_packet(Direction::to_server, milliseconds(200), rising)};
}

// What is measured of packets that differ in nothing, of so many bytes each.
inline Fingerprint equal_packets(std::uint16_t length, unsigned packets) {
  std::vector<PayloadPacket> all(packets);
  for (PayloadPacket& packet : all) {
    packet.length = length;
    packet.captured = 20;
  }
  Fingerprint fingerprint;
  AttributeMeters().measure(all, fingerprint);
  return fingerprint;
}

// A flow of random lengths, directions and bytes; bytes below `values`.
inline std::vector<PayloadPacket> random_flow(std::mt19937& random, unsigned packets, unsigned values = 256) {
  std::vector<PayloadPacket> flow;
  std::chrono::milliseconds time(0);
  for (unsigned i = 0; i < packets; ++i) {
    std::string payload(1 + random() % 200, '\0');
    for (char& c : payload) c = static_cast<char>(random() % values);
    flow.push_back(make_packet(random() % 2 == 0 ? Direction::to_server : Direction::to_client, time, payload));
    time += std::chrono::milliseconds(random() % 300);
  }
  return flow;
}

// A flow of a made-up protocol: both sides in turn, each message with the protocol's own beginning and about its own
// length, the rest at random; bytes below `values`.
inline std::vector<PayloadPacket> protocol_flow(std::mt19937& random, unsigned protocol, unsigned packets = 8,
                                                unsigned values = 256) {
  std::vector<PayloadPacket> flow;
  for (unsigned i = 0; i < packets; ++i) {
    std::mt19937 rules(1000 * protocol + i);
    std::string payload(12 + rules() % 150 + random() % 8, '\0');
    for (std::size_t at = 0; at < payload.size(); ++at) {
      payload[at] = static_cast<char>((at < 12 ? rules() : random()) % values);
    }
    flow.push_back(make_packet(i % 2 == 0 ? Direction::to_server : Direction::to_client,
                               std::chrono::milliseconds(20 * i), payload));
  }
  return flow;
}

}  // namespace spidd
