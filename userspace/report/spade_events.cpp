// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A single packet is a hint: severity 3, where rules of the policy have 2 and 1.
#include "userspace/report/spade_events.h"

#include "userspace/report/events.h"
#include "userspace/report/json_writer.h"

namespace spidd {
namespace {

constexpr unsigned kScoreDecimals = 4;  // as in the message
constexpr unsigned kAlertSeverity = 3;

bool is_icmp(Transport transport) { return transport == Transport::icmp || transport == Transport::icmp6; }

void begin(JsonWriter& json, Timestamp time) {
  json.object();
  json.time("timestamp", time);
  json.text("event_type", "alert");
}

void write_packet(JsonWriter& json, const Observation& packet, std::string_view interface) {
  if (!interface.empty()) json.text("in_iface", interface);
  json.address("src_ip", packet.source);
  if (!is_icmp(packet.transport)) json.integer("src_port", packet.source_port);
  json.address("dest_ip", packet.destination);
  if (!is_icmp(packet.transport)) json.integer("dest_port", packet.destination_port);
  json.text("proto", eve_protocol_name(packet.transport));
  if (is_icmp(packet.transport)) {
    json.integer("icmp_type", packet.icmp_type);
    json.integer("icmp_code", packet.icmp_code);
  }
}

void write_signature(JsonWriter& json, unsigned sid, std::string_view message) {
  json.object("alert");
  json.text("action", "allowed");
  json.integer("gid", kSpadeGenerator);
  json.integer("signature_id", sid);
  json.integer("rev", 1);
  json.text("signature", message);
  json.text("category", "");
  json.integer("severity", kAlertSeverity);
  json.close();
}

}  // namespace

void append_json(std::string& out, const SpadeAlert& alert, std::string_view interface) {
  JsonWriter json(out);
  begin(json, alert.packet.time);
  write_packet(json, alert.packet, interface);
  write_signature(json, alert.sid, alert.message());
  json.object("spade");
  json.text("detector", alert.detector);
  json.text("type", detector_type_name(alert.type));
  json.real("score", alert.score, kScoreDecimals);
  json.real("raw_bits", alert.raw_bits, kScoreDecimals);
  json.real("threshold", alert.threshold, kScoreDecimals);
  json.text("status", port_status_name(alert.status));
  json.real("base", alert.base);
  json.integer("count", alert.packet.count);
  json.text("activity", alert.activity);
  json.text("scope", alert.scope);
  if (alert.reported != alert.packet.time) json.time("reported", alert.reported);
  json.close();
  json.close();
}

void append_json(std::string& out, const ThresholdAdjusted& adjustment) {
  JsonWriter json(out);
  begin(json, adjustment.time);
  write_signature(json, kAdjustmentSid, adjustment.message());
  json.object("spade");
  json.text("detector", adjustment.detector);
  json.real("threshold", adjustment.threshold, kScoreDecimals);
  json.integer("reported", adjustment.reported);
  json.integer("scored", adjustment.scored);
  if (adjustment.held) json.boolean("held", true);
  json.close();
  json.close();
}

}  // namespace spidd
