// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A network in which incidents are made, packet by packet.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "userspace/spade/incidents.h"

namespace spidd {

inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kSynAck = 0x12;
inline constexpr std::uint8_t kAck = 0x10;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kRstAck = 0x14;

inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
inline IpAddress numbered(std::uint32_t base, std::uint32_t number) { return IpAddress::from_ipv4(base + number); }

inline constexpr std::uint32_t kInside = 0x0a010000;   // 10.1.0.0
inline constexpr std::uint32_t kOutside = 0xc6120000;  // 198.18.0.0

struct Said {
  IncidentCause cause;
  Incident incident;
  double second;
};

class Network : public IncidentSink {
 public:
  explicit Network(SpadeExtensions extensions = {}, bool home = true)
      : incidents(extensions, home ? HomeNetwork({*IpPrefix::parse("10.1.0.0/16")}) : HomeNetwork(), 7, *this) {}

  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override {
    said.push_back({cause, incident, std::chrono::duration<double>(now - kStart).count()});
  }

  static Timestamp at(double second) {
    return kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(second));
  }

  Observation tcp(double second, const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                  std::uint16_t to_port, std::uint8_t flags) {
    Observation o;
    o.time = at(second);
    o.source = from;
    o.source_port = from_port;
    o.destination = to;
    o.destination_port = to_port;
    o.tcp_flags = flags;
    incidents.observe(o);
    return o;
  }

  Observation udp(double second, const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                  std::uint16_t to_port) {
    Observation o;
    o.time = at(second);
    o.transport = Transport::udp;
    o.source = from;
    o.source_port = from_port;
    o.destination = to;
    o.destination_port = to_port;
    incidents.observe(o);
    return o;
  }

  Observation icmp(double second, const IpAddress& from, const IpAddress& to, std::uint8_t type,
                   std::uint8_t code = 0) {
    Observation o;
    o.time = at(second);
    o.transport = Transport::icmp;
    o.icmp_type = type;
    o.icmp_code = code;
    o.source = from;
    o.destination = to;
    incidents.observe(o);
    return o;
  }

  // `reporter` says that what `sender` sent there by UDP did not arrive, and that is alerted.
  void bounced(double second, const IpAddress& reporter, const IpAddress& sender, std::uint16_t from_port,
               std::uint16_t to_port) {
    Observation error;
    error.time = at(second);
    error.transport = Transport::icmp;
    error.icmp_type = error.icmp_code = 3;
    error.source = reporter;
    error.destination = sender;
    incidents.observe(error);
    incidents.alert(alert_of(error, DetectorType::odd_typecode));
    Observation inner = error;
    inner.kind = Observation::Kind::unreachable;
    inner.transport = Transport::udp;
    inner.reporter = reporter;
    inner.source = sender;
    inner.source_port = from_port;
    inner.destination = reporter;
    inner.destination_port = to_port;
    incidents.observe(inner);
  }

  Observation probe(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port) {
    return tcp(second, from, 40000, to, port, kSyn);
  }
  void refused(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port) {
    probe(second, from, to, port);
    tcp(second + 0.01, to, port, from, 40000, kRstAck);
  }
  void connect(double second, const IpAddress& from, const IpAddress& to, std::uint16_t port, double after = 0.02) {
    probe(second, from, to, port);
    tcp(second + after, to, port, from, 40000, kSynAck);
    tcp(second + after + 0.001, from, 40000, to, port, kAck);
    tcp(second + after + 0.002, to, port, from, 40000, kAck);
  }
  void wait(double second) { incidents.advance(at(second)); }

  SpadeAlert alert_of(const Observation& packet, DetectorType type, double score = 1) {
    SpadeAlert alert;
    alert.packet = packet;
    alert.reported = packet.time;
    alert.type = type;
    alert.score = score;
    return alert;
  }

  std::size_t opened() const {
    return static_cast<std::size_t>(
        std::count_if(said.begin(), said.end(), [](const Said& s) { return s.cause == IncidentCause::opened; }));
  }

  static constexpr Timestamp kStart{std::chrono::seconds(1'700'000'000)};
  std::vector<Said> said;
  Incidents incidents;
};

}  // namespace spidd
