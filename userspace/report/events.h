// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Events as JSON objects, one a line in the event log, in the control socket's answers and in `spidctl analyze --json`.
// Names follow Suricata's EVE where it has one; userspace/report/README.md shows every event. Plain data in, text out:
// string views need to live for the call only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/time.h"
#include "userspace/flow/flow.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

// "TCP", "UDP", "ICMP", "IPv6-ICMP".
std::string_view eve_protocol_name(Transport transport);

// The same for the same flow in every run; at most 53 bits, so that every JSON reader keeps it exact.
std::uint64_t event_flow_id(const FlowKey& key, Timestamp flow_start);

// Whose event it is. ICMP: both ports are the echo identifier.
struct EventFlow {
  std::uint64_t id = 0;
  std::string_view interface;  // "" = not known
  Endpoint client;
  Endpoint server;
  Transport transport = Transport::tcp;
};

// What SPID says. Unless identified, label and category are written "unknown", whatever is here.
struct EventSpid {
  IdentificationState state = IdentificationState::undecided;
  std::string_view label;
  std::string_view family;
  Category category = Category::plain;
  VerdictClass verdict_class = VerdictClass::undecided;
  double score = 0;  // bits per measurement, like the others; under a classic profile classic_score()
  double margin = 0;
  std::optional<double> tunnel_score;  // written with alerts and drops
  std::optional<double> tunnel_margin;
  double divergence = 0;                      // of the original, from the label's model
  bool one_way = false;                       // written only if it is so
  LabelBasis basis = LabelBasis::scores;      // written if the label does not rest on the flow's own scores
  bool fully_encrypted = false;               // the same
  SecondLook second_look = SecondLook::none;  // written if it found something
  unsigned payload_packets = 0;
};

// A flow that ended.
struct FlowEvent {
  Timestamp time;
  EventFlow flow;
  FlowCounters counters;
  Timestamp start;
  Timestamp end;
  std::string_view reason;  // why it ended
  EventSpid spid;
  Action action = Action::pass;
  std::string_view rule;  // that decided; "" = none
};

// A rule that alerts, would have blocked, or has blocked (then a DropEvent says what).
struct AlertEvent {
  Timestamp time;
  EventFlow flow;
  EventSpid spid;
  std::string_view rule;
  std::uint16_t rule_number = 0;  // index in the policy
  bool would_block = false;
  bool blocked = false;
  std::string_view reason;  // why it was not blocked: obstacle_name()
  std::string expected;     // of an exception to an expectation: Expectation::words()
};

enum class BlockChange : std::uint8_t { added, extended, expired, removed };
std::string_view block_change_name(BlockChange change);

struct DroppedTraffic {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// A block that began or was extended (event type "drop"), or that ended ("drop_end").
struct DropEvent {
  Timestamp time;
  BlockChange change = BlockChange::added;
  std::optional<EventFlow> flow;  // that caused it; none for blocks by hand and for ends
  std::optional<EventSpid> spid;
  BlockScope scope = BlockScope::endpoint;
  std::string_view target;  // to_string(BlockTarget)
  std::string_view rule;    // "manual" = by hand
  std::string_view label;   // for events without `spid`; "" = none
  Timestamp expires;
  std::optional<DroppedTraffic> dropped;  // with an end: what the block dropped in all
};

// A protocol that no model knew was seen often enough to get a name and a provisional model.
struct LearnedEvent {
  Timestamp time;
  std::string_view label;
  Transport transport = Transport::tcp;
  std::uint64_t flows = 0;
  std::uint64_t payload_packets = 0;
  std::uint64_t clients = 0;
  std::uint64_t servers = 0;
  Endpoint server;         // of most flows
  double consistency = 0;  // median score of its flows against the others of it, bits per measurement
};

// Counters, in named sections.
struct StatsSection {
  std::string name;
  std::vector<std::pair<std::string, std::uint64_t>> values;
};
struct StatsEvent {
  Timestamp time;
  Duration uptime{};  // of the capture, for a capture file
  std::vector<StatsSection> sections;
};

// Each appends one JSON object, without a line end.
void append_json(std::string& out, const FlowEvent& event);
void append_json(std::string& out, const AlertEvent& event);
void append_json(std::string& out, const DropEvent& event);
void append_json(std::string& out, const LearnedEvent& event);
void append_json(std::string& out, const StatsEvent& event);

}  // namespace spidd
