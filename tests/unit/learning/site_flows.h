// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Settled flows for tests of learning the site: made up, and different from one another where it matters.
#pragma once

#include "userspace/learning/settled_flow.h"

namespace spidd {

inline Timestamp site_time(int seconds) { return Timestamp(std::chrono::seconds(1'800'000'000 + seconds)); }

// A flow of client 10.0.0.`client` to 192.0.2.`server`:443 whose fingerprint says `kind` (a bin) and a little of
// `grain`.
inline SettledFlow site_flow(std::uint8_t server, std::uint8_t client, std::string label, int second,
                             std::uint16_t kind = 1, std::uint16_t grain = 0) {
  SettledFlow flow;
  flow.client = {IpAddress::from_ipv4(0x0a000000U + client), 40000};
  flow.server = {IpAddress::from_ipv4(0xc0000200U + server), 443};
  flow.key.transport = Transport::tcp;
  flow.start = flow.time = site_time(second);
  flow.label = flow.family = std::move(label);
  flow.category = Category::encrypted;
  flow.verdict.state = flow.label.empty() ? IdentificationState::unknown : IdentificationState::identified;
  flow.verdict.payload_packets = 8;
  flow.verdict.score = 1.5F;
  flow.verdict.tunnel_score = -0.5F;
  flow.verdict.tunnel_margin = -1.0F;
  flow.fingerprint.payload_packets = 8;
  flow.fingerprint.rows = {{kind, 8}, {static_cast<std::uint16_t>(100 + grain), 2}};
  flow.fingerprint.measurements[0] = 10;
  return flow;
}

inline SettledFlow touched_flow(SettledFlow flow) {
  flow.verdict.action = Action::alert;
  return flow;
}

inline SettledFlow tunnel_flow(SettledFlow flow) {
  flow.category = Category::tunnel;
  flow.verdict.tunnel_score = 1.5F;
  flow.verdict.tunnel_margin = 0.4F;
  return flow;
}

}  // namespace spidd
