// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/incident_case.h"

#include <algorithm>

#include "userspace/capture/flow_hash.h"

namespace spidd {
namespace {

constexpr Duration kScanStale = std::chrono::hours(1);
// An incident is idle after some of its own mean gaps: one packet an hour is one scan.
constexpr int kIdleGaps = 4;
constexpr Duration kLongestIdle = std::chrono::hours(24);
constexpr double kPortsOfAVerticalScan = 3;  // for every host
constexpr double kPortsOfASoughtHost = 5;

}  // namespace

TargetHash::TargetHash(std::uint64_t seed) : key_(fold_multiply(seed ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)) {}

// HyperLogLog needs every bit of neighbouring ports to differ as if by chance: one multiplication is not enough.
std::uint64_t TargetHash::hash(const IpAddress& address, std::uint64_t rest) const {
  const std::uint8_t* bytes = address.bytes.data();
  return fold_multiply(flow_hash(bytes, bytes, rest ^ key_) ^ key_, 0xa0761d6478bd642f);
}

std::uint64_t TargetHash::target(IncidentFamily family, const Observation& packet) const {
  if (family == IncidentFamily::icmp) return hash({}, std::uint64_t{packet.icmp_type} << 8 | packet.icmp_code);
  return hash(packet.destination,
              kTarget | static_cast<std::uint64_t>(packet.transport) << 16 | packet.destination_port);
}

void IncidentCase::begin_anew(const Observation& packet) {
  IncidentCase fresh;
  fresh.incident.side = incident.side;
  fresh.incident.family = incident.family;
  fresh.incident.host = incident.host;
  fresh.incident.domain = packet.domain;
  fresh.incident.first = fresh.incident.last = packet.time;
  *this = std::move(fresh);
}

bool IncidentCase::spread(const Observation& packet, const TargetHash& hash) {
  const bool of_source = incident.side == IncidentSide::source;
  const bool fresh = targets.add(of_source ? hash.target(incident.family, packet) : hash.visitor(packet));
  hosts.add(hash.host(of_source ? packet.destination : packet.source));
  if (incident.family != IncidentFamily::icmp) ports.add(hash.port(packet.destination_port));
  return fresh;
}

void IncidentCase::add_evidence(const Observation& packet, const TargetHash& hash, bool is_outside, double score) {
  ++incident.count;
  incident.last = std::max(incident.last, packet.time);
  incident.max_score = std::max(incident.max_score, score);
  const std::uint64_t where = hash.target(incident.family, packet);
  if (!is_sent_again(packet, hash)) target.add(where);
  last_target = where;
  last_port = packet.source_port;
  port.add(packet.destination_port);
  destination.add(packet.destination);
  outside += is_outside ? 1 : 0;
  add_example(packet, score);
}

void IncidentCase::add_example(const Observation& packet, double score) {
  const auto known = std::find_if(incident.examples.begin(), incident.examples.end(), [&](const IncidentExample& one) {
    return one.time == packet.time && one.source == packet.source && one.destination == packet.destination &&
           one.destination_port == packet.destination_port && one.transport == packet.transport;
  });
  if (known != incident.examples.end())
    known->score = std::max(known->score, score);
  else if (incident.examples.size() < Incident::kMostExamples)
    incident.examples.push_back({packet.time, packet.source, packet.destination, packet.source_port,
                                 packet.destination_port, packet.transport, packet.tcp_flags, score});
}

void IncidentCase::classify(bool inside) {
  incident.hosts = hosts.estimate();
  incident.ports = ports.estimate();
  if (incident.family == IncidentFamily::burst) {
    incident.kind = answered * 2 > incident.count ? IncidentKind::brute_force : IncidentKind::flood;
  } else if (incident.family == IncidentFamily::odd) {
    incident.kind = IncidentKind::odd_service;
  } else if (incident.family == IncidentFamily::icmp) {
    incident.kind = IncidentKind::odd_icmp;
  } else if (incident.side == IncidentSide::target) {
    incident.kind = incident.ports >= kPortsOfASoughtHost ? IncidentKind::vertical_scan
                    : dead * 2 > incident.count           ? IncidentKind::dead_destination
                                                          : IncidentKind::odd_service;
  } else if (answers * 2 > incident.count) {
    incident.kind = IncidentKind::unasked_answers;
  } else if (incident.ports >= kPortsOfAVerticalScan * std::max(incident.hosts, 1.0)) {
    incident.kind = IncidentKind::vertical_scan;
  } else {
    const bool worm = inside && outside * 2 > incident.count;
    incident.kind = worm ? IncidentKind::fan_out : IncidentKind::horizontal_scan;
  }
}

// Odd things now and then are a habit that is being learned; a few in a row are not.
bool IncidentCase::is_stale(Timestamp now, Duration idle) const {
  if (open) return false;
  return incident.family == IncidentFamily::scan ? now - incident.last > kScanStale : now - incident.first > idle;
}

Duration IncidentCase::patience(Duration idle) const {
  if (incident.count < 2 || incident.family != IncidentFamily::scan) return idle;
  const Duration gap = (incident.last - incident.first) / static_cast<Duration::rep>(incident.count - 1);
  return std::clamp(gap * kIdleGaps, std::min(idle, kLongestIdle), kLongestIdle);
}

bool IncidentCase::was_alerted(const Observation& packet, const TargetHash& hash) const {
  return alerted.exact() && alerted.contains(hash.target(incident.family, packet));
}

bool IncidentCase::is_sent_again(const Observation& packet, const TargetHash& hash) const {
  return packet.transport == Transport::tcp && last_port == packet.source_port &&
         last_target == hash.target(incident.family, packet);
}

bool IncidentCase::is_about(const Observation& packet, const TargetHash& hash, bool inside) const {
  if (incident.family != IncidentFamily::scan) return targets.contains(hash.target(incident.family, packet));
  if (!inside) return true;
  // An inside host does its work meanwhile.
  return (port.votes > 0 && port.value == packet.destination_port) ||
         (destination.votes > 0 && destination.value == packet.destination);
}

std::size_t IncidentCase::bytes() const {
  std::size_t bytes = incident.examples.capacity() * sizeof(IncidentExample);
  for (const FanOut* fan_out : {&targets, &hosts, &ports, &alerted}) bytes += fan_out->bytes() - sizeof(FanOut);
  return bytes;
}

}  // namespace spidd
