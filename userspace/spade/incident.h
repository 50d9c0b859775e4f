// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What an administrator reads instead of eight hundred alerts: one source that scans, or one target that is sought,
// from its first to its last packet. Made by Incidents (incidents.h). Source: spade.md 12.7.2 to 12.7.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/time.h"
#include "userspace/capture/observation.h"

namespace spidd {

enum class IncidentKind : std::uint8_t {
  vertical_scan,     // many ports of one host
  horizontal_scan,   // one port, or none, of many hosts
  fan_out,           // an inside host to many outside: a worm, or what behaves like one
  odd_service,       // a host that uses a port or a server it never used
  dead_destination,  // a host that is not there, sought by many
  odd_icmp,          // ICMP that is not seen here
  unasked_answers,   // answers to what nobody asked: backscatter of an attack on the source in other people's name
  brute_force,       // one source at one service, many times as often as usual, and it is answered
  flood,             // the same without answers; or a service that is called so by many
};
std::string_view incident_kind_name(IncidentKind kind);  // "vertical scan"

// Which detectors it rests on. One host has at most one open incident a family and side.
enum class IncidentFamily : std::uint8_t { scan, odd, icmp, burst };
std::string_view incident_family_name(IncidentFamily family);

enum class IncidentSide : std::uint8_t { source, target };
std::string_view incident_side_name(IncidentSide side);

struct IncidentExample {
  Timestamp time;
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  Transport transport = Transport::tcp;
  std::uint8_t tcp_flags = 0;
  double score = 0;  // 0: not alerted: known by its outcome, or repeats what was
};

struct Incident {
  static constexpr std::size_t kMostExamples = 16;

  std::uint64_t id = 0;  // counts from 1
  IncidentSide side = IncidentSide::source;
  IncidentFamily family = IncidentFamily::scan;
  IncidentKind kind = IncidentKind::vertical_scan;  // may become another as more is seen
  IpAddress host;                                   // the source or the target
  std::uint16_t domain = 0;                         // observation domain of the first packet
  Timestamp first;                                  // packet times
  Timestamp last;
  std::uint64_t count = 0;  // evidence: alerts; without one, first contacts that failed and what repeats an alert
  double max_score = 0;
  double hosts = 0;            // different destinations of a source, different sources of a target; within 10 %
  double ports = 0;            // different destination ports
  std::uint32_t answered = 0;  // first contacts of the source, by outcome
  std::uint32_t failed = 0;

  // A connection that it made in the course of the incident came about: both ends went on. Who only sends packets in
  // another's name cannot do that.
  bool acknowledged = false;
  // Its packets can be taken for its own: acknowledged, or an inside address that was replied to, about what the
  // incident is about, several times. Anything else may be forged and must never be blocked for it.
  bool confirmed = false;
  // Its first contacts fail so often that it does not know where it is going (trw.h), or it goes to so many places
  // without an answer.
  bool scan = false;

  // Family burst: attempts in about ten seconds at the highest, and how many are usual.
  double burst = 0;
  double usual = 0;

  std::vector<IncidentExample> examples;  // the first ones
};

enum class IncidentCause : std::uint8_t {
  opened,
  grew,     // count reached a power of two
  changed,  // confirmed, acknowledged or scan became true
  closed,   // nothing new for the idle time
};
std::string_view incident_cause_name(IncidentCause cause);

class IncidentSink {
 public:
  virtual ~IncidentSink() = default;
  // `now`: the packet time at which it is said. The incident is valid during the call only.
  virtual void incident(const Incident& incident, IncidentCause cause, Timestamp now) = 0;
};

// "Spade: horizontal scan by 192.0.2.1: 37 in 12s, 36 hosts, 1 port, 36 of 36 first contacts failed, unconfirmed"
std::string incident_message(const Incident& incident);

}  // namespace spidd
