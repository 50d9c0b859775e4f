// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Order of members: what says which event it is, whose, what SPID says, what was done.
#include "userspace/report/events.h"

#include <algorithm>

#include "userspace/report/json_writer.h"

namespace spidd {
namespace {

constexpr std::string_view kUnknown = "unknown";

void begin(JsonWriter& json, std::string_view type, Timestamp time) {
  json.object();
  json.time("timestamp", time);
  json.text("event_type", type);
}

void write_flow(JsonWriter& json, const EventFlow& flow) {
  json.integer("flow_id", flow.id);
  if (!flow.interface.empty()) json.text("in_iface", flow.interface);
  json.address("src_ip", flow.client.address);
  json.integer("src_port", flow.client.port);
  json.address("dest_ip", flow.server.address);
  json.integer("dest_port", flow.server.port);
  json.text("proto", eve_protocol_name(flow.transport));
}

std::string_view label_of(const EventSpid& spid) {
  return spid.state == IdentificationState::identified ? spid.label : kUnknown;
}

std::string_view category_of(const EventSpid& spid) {
  return spid.state == IdentificationState::identified ? category_name(spid.category) : kUnknown;
}

void write_spid(JsonWriter& json, const EventSpid& spid) {
  json.object("spid");
  json.text("label", label_of(spid));
  if (spid.state == IdentificationState::identified) json.text("family", spid.family);
  json.text("category", category_of(spid));
  json.text("state", state_name(spid.state));
  json.text("class", verdict_class_name(spid.verdict_class));
  json.real("score", spid.score);
  json.real("margin", spid.margin);
  if (spid.tunnel_score) json.real("tunnel_score", *spid.tunnel_score);
  if (spid.tunnel_margin) json.real("tunnel_margin", *spid.tunnel_margin);
  json.real("divergence", spid.divergence);
  if (spid.one_way) json.boolean("one_way", true);
  if (spid.basis != LabelBasis::scores) json.text("basis", label_basis_name(spid.basis));
  if (spid.fully_encrypted) json.boolean("fully_encrypted", true);
  if (!second_look_name(spid.second_look).empty()) json.text("second_look", second_look_name(spid.second_look));
  json.integer("payload_packets", spid.payload_packets);
  json.close();
}

// splitmix64: spreads the bits of what the flow is known by.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

std::string_view eve_protocol_name(Transport transport) {
  switch (transport) {
    case Transport::tcp:
      return "TCP";
    case Transport::udp:
      return "UDP";
    case Transport::icmp:
      return "ICMP";
    case Transport::icmp6:
      return "IPv6-ICMP";
  }
  return kUnknown;
}

std::uint64_t event_flow_id(const FlowKey& key, Timestamp flow_start) {
  const auto start = static_cast<std::uint64_t>(flow_start.time_since_epoch().count());
  return mix(static_cast<std::uint64_t>(std::hash<FlowKey>{}(key)) ^ mix(start)) >> 11;
}

std::string_view block_change_name(BlockChange change) {
  switch (change) {
    case BlockChange::added:
      return "added";
    case BlockChange::extended:
      return "extended";
    case BlockChange::expired:
      return "expired";
    case BlockChange::removed:
      return "removed";
  }
  return kUnknown;
}

void append_json(std::string& out, const FlowEvent& event) {
  JsonWriter json(out);
  begin(json, "flow", event.time);
  write_flow(json, event.flow);
  json.object("flow");
  json.integer("pkts_toserver", event.counters.packets[0]);
  json.integer("pkts_toclient", event.counters.packets[1]);
  json.integer("bytes_toserver", event.counters.bytes[0]);
  json.integer("bytes_toclient", event.counters.bytes[1]);
  json.time("start", event.start);
  json.time("end", event.end);
  json.text("reason", event.reason);
  json.close();
  write_spid(json, event.spid);
  json.text("action", action_name(event.action));
  if (!event.rule.empty()) json.text("rule", event.rule);
  json.close();
}

void append_json(std::string& out, const AlertEvent& event) {
  JsonWriter json(out);
  begin(json, "alert", event.time);
  write_flow(json, event.flow);
  json.object("alert");
  json.text("action", event.blocked ? "blocked" : "allowed");
  json.integer("signature_id", event.rule_number + 1U);
  json.text("signature", fmt::format("{}: {}", event.rule, label_of(event.spid)));
  json.text("category", category_of(event.spid));
  json.integer("severity", event.would_block || event.blocked ? 1 : 2);
  json.text("rule", event.rule);
  json.boolean("would_block", event.would_block);
  if (event.would_block && !event.reason.empty()) json.text("reason", event.reason);
  if (!event.expected.empty()) json.text("expected", event.expected);
  json.close();
  write_spid(json, event.spid);
  json.text("action", action_name(event.blocked ? Action::block : Action::alert));
  json.close();
}

void append_json(std::string& out, const DropEvent& event) {
  const bool began = event.change == BlockChange::added || event.change == BlockChange::extended;
  JsonWriter json(out);
  begin(json, began ? "drop" : "drop_end", event.time);
  if (event.flow) write_flow(json, *event.flow);
  json.object("drop");
  json.text("change", block_change_name(event.change));
  json.text("scope", scope_name(event.scope));
  json.text("target", event.target);
  json.text("rule", event.rule);
  if (!event.label.empty()) json.text("label", event.label);
  json.time("expires", event.expires);
  if (event.dropped) {
    json.integer("packets", event.dropped->packets);
    json.integer("bytes", event.dropped->bytes);
  }
  json.close();
  if (event.spid) write_spid(json, *event.spid);
  if (began) json.text("action", action_name(Action::block));
  json.close();
}

void append_json(std::string& out, const LearnedEvent& event) {
  JsonWriter json(out);
  begin(json, "protocol-learned", event.time);
  json.object("learned");
  json.text("label", event.label);
  json.text("proto", eve_protocol_name(event.transport));
  json.integer("flows", event.flows);
  json.integer("payload_packets", event.payload_packets);
  json.integer("clients", event.clients);
  json.integer("servers", event.servers);
  json.address("dest_ip", event.server.address);
  json.integer("dest_port", event.server.port);
  json.real("consistency", event.consistency);
  json.close();
  json.close();
}

void append_json(std::string& out, const StatsEvent& event) {
  JsonWriter json(out);
  begin(json, "stats", event.time);
  json.object("stats");
  json.integer("uptime", static_cast<std::uint64_t>(std::max<std::int64_t>(
                             0, std::chrono::floor<std::chrono::seconds>(event.uptime).count())));
  for (const StatsSection& section : event.sections) {
    json.object(section.name);
    for (const auto& [name, value] : section.values) json.integer(name, value);
    json.close();
  }
  json.close();
  json.close();
}

}  // namespace spidd
