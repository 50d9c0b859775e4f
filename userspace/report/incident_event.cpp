// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A scan by the outcome of its attempts is severity 2, anything else 3; what was blocked is 1.
#include "userspace/report/incident_event.h"

#include <cmath>

#include "userspace/report/events.h"
#include "userspace/report/json_writer.h"

namespace spidd {
namespace {

constexpr unsigned kScoreDecimals = 4;
constexpr unsigned kBurstDecimals = 1;

bool is_icmp(Transport transport) { return transport == Transport::icmp || transport == Transport::icmp6; }

void write_example(JsonWriter& json, const IncidentExample& example) {
  json.object();
  json.time("timestamp", example.time);
  json.address("src_ip", example.source);
  json.address("dest_ip", example.destination);
  if (!is_icmp(example.transport)) {
    json.integer("src_port", example.source_port);
    json.integer("dest_port", example.destination_port);
  }
  json.text("proto", eve_protocol_name(example.transport));
  if (example.transport == Transport::tcp) json.integer("tcp_flags", example.tcp_flags);
  json.real("score", example.score, kScoreDecimals);
  json.close();
}

}  // namespace

void append_json(std::string& out, const IncidentEvent& event) {
  const Incident& incident = *event.incident;
  JsonWriter json(out);
  json.object();
  json.time("timestamp", event.time);
  json.text("event_type", "incident");
  if (!event.interface.empty()) json.text("in_iface", event.interface);
  json.address(incident.side == IncidentSide::source ? "src_ip" : "dest_ip", incident.host);
  json.object("incident");
  json.integer("id", incident.id);
  json.text("change", incident_cause_name(event.cause));
  json.text("kind", incident_kind_name(incident.kind));
  json.text("family", incident_family_name(incident.family));
  json.text("side", incident_side_name(incident.side));
  json.time("first", incident.first);
  json.time("last", incident.last);
  json.integer("count", incident.count);
  json.real("max_score", incident.max_score, kScoreDecimals);
  json.integer("hosts", static_cast<std::uint64_t>(std::llround(incident.hosts)));
  json.integer("ports", static_cast<std::uint64_t>(std::llround(incident.ports)));
  if (incident.family == IncidentFamily::burst) {
    json.real("burst", incident.burst, kBurstDecimals);
    json.real("usual", incident.usual, kBurstDecimals);
  }
  json.integer("answered", incident.answered);
  json.integer("failed", incident.failed);
  json.boolean("confirmed", incident.confirmed);
  json.boolean("acknowledged", incident.acknowledged);
  json.boolean("scan", incident.scan);
  json.array("examples");
  // Once is enough: they do not change later.
  if (event.cause == IncidentCause::opened || event.cause == IncidentCause::closed)
    for (const IncidentExample& example : incident.examples) write_example(json, example);
  json.close_array();
  json.close();
  json.object("alert");
  json.text("action", event.blocked ? "blocked" : "allowed");
  json.integer("severity", event.blocked ? 1U : incident.scan ? 2U : 3U);
  json.text("signature", incident_message(incident));
  if (!event.rule.empty()) json.text("rule", event.rule);
  if (event.would_block) {
    json.boolean("would_block", true);
    json.text("reason", event.reason);
  }
  json.close();
  json.close();
}

}  // namespace spidd
