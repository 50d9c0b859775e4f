// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What may become an incident: the evidence against one source or target, and where it went. Which case becomes an
// incident is decided by Incidents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "userspace/spade/fan_out.h"
#include "userspace/spade/first_contacts.h"
#include "userspace/spade/incident.h"

namespace spidd {

// Keyed hashes for FanOut, the same for the same seed.
class TargetHash {
 public:
  explicit TargetHash(std::uint64_t seed);
  // For state files: what was hashed before goes on to mean the same.
  std::uint64_t key() const { return key_; }
  void set_key(std::uint64_t key) { key_ = key; }

  std::uint64_t host(const IpAddress& address) const { return hash(address, 0); }
  std::uint64_t port(std::uint16_t port) const { return hash({}, kPort | port); }
  // Where a packet goes: host and port, or the type and code of odd ICMP.
  std::uint64_t target(IncidentFamily family, const Observation& packet) const;
  std::uint64_t visitor(const Observation& packet) const {
    return hash(packet.source, kVisitor | packet.destination_port);
  }

 private:
  static constexpr std::uint64_t kTarget = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kPort = std::uint64_t{2} << 32;
  static constexpr std::uint64_t kVisitor = std::uint64_t{3} << 32;

  std::uint64_t hash(const IpAddress& address, std::uint64_t rest) const;

  std::uint64_t key_;
};

struct IncidentCase {
  Incident incident;
  bool open = false;  // it is an incident
  FanOut targets;
  FanOut hosts;
  FanOut ports;
  FanOut alerted;  // targets of alerts
  Majority<std::uint64_t> target;
  std::uint64_t last_target = 0;
  std::uint16_t last_port = 0;  // of the source
  Majority<std::uint16_t> port;
  Majority<IpAddress> destination;
  std::uint64_t answers = 0;   // alerts of unasked answers
  std::uint64_t dead = 0;      // alerts of destinations that are not there
  std::uint64_t outside = 0;   // evidence whose destination is outside
  std::uint64_t answered = 0;  // family burst: evidence of contacts that had been answered
  std::uint32_t replies = 0;   // of anybody, to what its source sent
  // First contacts of the source before a restart.
  std::uint32_t answered_before = 0;
  std::uint32_t failed_before = 0;

  // As if nothing had been seen before `packet`.
  void begin_anew(const Observation& packet);
  // The packet is of it. True if it has not been there before.
  bool spread(const Observation& packet, const TargetHash& hash);
  // The packet speaks against it. `outside`: its destination is.
  void add_evidence(const Observation& packet, const TargetHash& hash, bool outside, double score);
  // A packet may be evidence by its outcome and by an alert: it is one example, with the score.
  void add_example(const Observation& packet, double score);

  // Brings kind, hosts and ports of the incident up to date. `inside`: its host is.
  void classify(bool inside);
  // Not open, and what it saw is too old to be counted together with what comes. `idle`: as configured.
  bool is_stale(Timestamp now, Duration idle) const;
  // How long nothing must be seen of an open one for it to end.
  Duration patience(Duration idle) const;
  // `packet`, of its source, goes where an alert was about. False once there were alerts about too many targets to
  // tell.
  bool was_alerted(const Observation& packet, const TargetHash& hash) const;
  // `packet`, of its source, is the last evidence once more: a repeated attempt is the same one.
  bool is_sent_again(const Observation& packet, const TargetHash& hash) const;
  // `packet`, of its source, is one of those that it is about.
  bool is_about(const Observation& packet, const TargetHash& hash, bool inside) const;

  std::size_t bytes() const;  // beyond its own size
  static constexpr std::size_t kMostBytes = 4 * FanOut::kMostBytes + Incident::kMostExamples * sizeof(IncidentExample);
};

// What is kept over a restart: an attack that goes on is neither reported twice nor learned meanwhile.
struct OpenIncidents {
  std::uint64_t key = 0;            // of TargetHash
  std::uint64_t last_id = 0;        // of any incident so far
  std::vector<IncidentCase> cases;  // those that had no news for longest first
};

}  // namespace spidd
