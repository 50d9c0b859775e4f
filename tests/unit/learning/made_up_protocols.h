// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Protocols that nobody speaks, for tests of learning: each has its own magic bytes, lengths and order of packets, and
// enough chance that no two flows are the same.
#pragma once

#include <random>

#include "userspace/learning/settled_flow.h"
#include "userspace/learning/unknown_learner.h"

namespace spidd {

class MadeUpProtocols {
 public:
  explicit MadeUpProtocols(unsigned seed) : random_(seed) {}

  static unsigned any(std::mt19937& random) { return static_cast<unsigned>(random()); }

  Fingerprint flow(unsigned protocol, unsigned packets = 20) {
    std::mt19937 rules(protocol * 2654435761U + 17);
    const unsigned magic = any(rules) % 256;
    const unsigned version = any(rules) % 16;
    const unsigned request = 24 + any(rules) % 60;
    const unsigned answer = 30 + any(rules) % 200;
    const unsigned answers = 1 + any(rules) % 3;
    const unsigned low = any(rules) % 200;
    const unsigned range = 8 + any(rules) % 48;
    std::vector<PayloadPacket> payload;
    Timestamp time{};
    for (unsigned i = 0; i < packets; ++i) {
      PayloadPacket packet;
      const bool asks = i % (answers + 1) == 0;
      packet.direction = asks ? Direction::to_server : Direction::to_client;
      packet.length = (asks ? request : answer) + any(random_) % 6;
      packet.captured = static_cast<std::uint8_t>(std::min<std::size_t>(packet.length, kSnapLength));
      packet.offset = 54;
      time += std::chrono::milliseconds(asks ? 40 : 1 + any(random_) % 3);
      packet.time = time;
      for (unsigned byte = 0; byte < packet.captured; ++byte)
        packet.bytes[byte] = static_cast<std::uint8_t>(low + any(random_) % range);
      packet.bytes[0] = static_cast<std::uint8_t>(magic);
      packet.bytes[1] = static_cast<std::uint8_t>((version << 4U) | (asks ? 1U : 2U));
      packet.bytes[2] = 0;
      packet.bytes[3] = static_cast<std::uint8_t>(packet.length);
      payload.push_back(packet);
    }
    Fingerprint fingerprint;
    meters_.measure(payload, fingerprint);
    return fingerprint;
  }

  // As the engine settles a flow that no model knows.
  SettledFlow unknown(unsigned protocol, std::uint32_t client, std::chrono::milliseconds time, unsigned packets = 20) {
    SettledFlow settled;
    settled.key.transport = Transport::tcp;
    settled.key.port_high = static_cast<std::uint16_t>(20000 + count_++ % 40000);
    settled.client = {IpAddress::from_ipv4(0x0a000000U + client), settled.key.port_high};
    settled.server = {IpAddress::from_ipv4(0xc6336400U + protocol % 200), static_cast<std::uint16_t>(7000 + protocol)};
    settled.start = settled.time = Timestamp(time);
    settled.verdict.state = IdentificationState::unknown;
    settled.verdict.verdict_class = VerdictClass::unknown;
    settled.fingerprint = flow(protocol, packets);
    settled.samples = 1;
    settled.sample[0].captured = 4;
    settled.sample[0].bytes = {'l', 'e', 'a', 'f'};
    return settled;
  }

  // What the background is made of: models of other protocols.
  ModelDatabase models(unsigned first, unsigned count) {
    ModelDatabase database;
    for (unsigned protocol = first; protocol < first + count; ++protocol) {
      const std::string label = fmt::format("known{:03}", protocol);
      ProtocolModel& model = database.find_or_add(label, Transport::tcp, Category::plain, label);
      for (unsigned i = 0; i < 10; ++i) model.add(flow(protocol));
    }
    return database;
  }

 private:
  std::mt19937 random_;
  AttributeMeters meters_;
  unsigned count_ = 0;
};

}  // namespace spidd
