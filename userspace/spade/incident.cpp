// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/incident.h"

#include <fmt/format.h>

#include <cmath>

namespace spidd {
namespace {

std::string about(double count, std::string_view one, std::string_view many) {
  const auto whole = static_cast<std::uint64_t>(std::llround(count));
  return fmt::format("{} {}", whole, whole == 1 ? one : many);
}

}  // namespace

std::string_view incident_kind_name(IncidentKind kind) {
  switch (kind) {
    case IncidentKind::vertical_scan:
      return "vertical scan";
    case IncidentKind::horizontal_scan:
      return "horizontal scan";
    case IncidentKind::fan_out:
      return "fan-out";
    case IncidentKind::odd_service:
      return "odd service";
    case IncidentKind::dead_destination:
      return "dead destination";
    case IncidentKind::odd_icmp:
      return "odd ICMP";
    case IncidentKind::unasked_answers:
      return "unasked answers";
    case IncidentKind::brute_force:
      return "brute force";
    case IncidentKind::flood:
      return "flood";
  }
  return "?";
}

std::string_view incident_family_name(IncidentFamily family) {
  switch (family) {
    case IncidentFamily::scan:
      return "scan";
    case IncidentFamily::odd:
      return "odd";
    case IncidentFamily::icmp:
      return "icmp";
    case IncidentFamily::burst:
      return "burst";
  }
  return "?";
}

std::string_view incident_side_name(IncidentSide side) { return side == IncidentSide::source ? "source" : "target"; }

std::string_view incident_cause_name(IncidentCause cause) {
  switch (cause) {
    case IncidentCause::opened:
      return "opened";
    case IncidentCause::grew:
      return "grew";
    case IncidentCause::changed:
      return "changed";
    case IncidentCause::closed:
      return "closed";
  }
  return "?";
}

std::string incident_message(const Incident& incident) {
  const bool source = incident.side == IncidentSide::source;
  const auto lasted = std::chrono::floor<std::chrono::seconds>(incident.last - incident.first);
  std::string text =
      fmt::format("Spade: {} {} {}: {} in {}, {}, {}", incident_kind_name(incident.kind), source ? "by" : "at",
                  incident.host.to_string(), incident.count, format_duration(lasted),
                  source ? about(incident.hosts, "host", "hosts") : about(incident.hosts, "source", "sources"),
                  about(incident.ports, "port", "ports"));
  if (incident.family == IncidentFamily::burst)
    text += fmt::format(", up to {:.0f} in 10s where {:.1f} are usual", incident.burst, incident.usual);
  if (!source) return text;
  const std::uint32_t contacts = incident.answered + incident.failed;
  if (contacts > 0) text += fmt::format(", {} of {} first contacts failed", incident.failed, contacts);
  return text + (incident.confirmed ? ", confirmed" : ", unconfirmed");
}

}  // namespace spidd
