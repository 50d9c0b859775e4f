// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A client's attempts to reach a service: what the kernel can count instead of sending every packet (bpf/README.md).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>

#include "userspace/capture/observation.h"

namespace spidd {

struct ConnectionAttempt {
  IpAddress client;
  IpAddress server;
  std::uint16_t port = 0;  // of the server, host order
  Transport transport = Transport::tcp;
  std::uint16_t domain = 0;  // of the observation; tells no attempts apart, because what is forwarded has two

  bool operator==(const ConnectionAttempt& other) const { return parts() == other.parts(); }
  auto operator<=>(const ConnectionAttempt& other) const { return parts() <=> other.parts(); }

  // The attempt that an observation belongs to, whichever side sent it. Requires: TCP SYN or SYN-ACK, or UDP from a
  // source that knows flows.
  static ConnectionAttempt of(const Observation& observation);

 private:
  std::tuple<const IpAddress&, const IpAddress&, std::uint16_t, Transport> parts() const {
    return {client, server, port, transport};
  }
};

}  // namespace spidd

template <>
struct std::hash<spidd::ConnectionAttempt> {
  // Well mixed; not keyed: who keeps attempts bounds their number.
  std::size_t operator()(const spidd::ConnectionAttempt& attempt) const noexcept;
};
