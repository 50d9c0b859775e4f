// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A policy: what is allowed, reported and blocked. Plain data, immutable once loaded; a reload builds a new one.
// The file format is described by example in policy/README.md and in spid-policy(5).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/flow/flow.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

enum class Mode : std::uint8_t { observe, enforce };
std::string_view mode_name(Mode mode);

// What a block covers.
enum class BlockScope : std::uint8_t {
  flow,      // this five-tuple
  endpoint,  // the server's address, port and transport: stays blocked on reconnect (default)
  host,      // the server's address
};
std::string_view scope_name(BlockScope scope);

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  auto operator<=>(const PortRange&) const = default;
};

// Conditions of a rule; an empty list matches everything, all conditions that are given must hold. Only an identified
// flow has a label and a category: labels and categories match no other, and score and margin are tested on no other.
//
// If the flow is a tunnel and the rule names categories, the score and the margin tested are those of the best tunnel
// model and its distance to the best model that is no tunnel: two tunnels that cannot be told apart are a tunnel for
// sure. Else they are the label's, and its distance to the best model of another family.
struct RuleMatch {
  std::vector<std::string> labels;  // label or family
  std::vector<Category> categories;
  std::vector<IdentificationState> states = {IdentificationState::identified};
  std::vector<Transport> transports;
  std::vector<IpPrefix> clients;
  std::vector<IpPrefix> servers;
  std::vector<PortRange> server_ports;  // never match ICMP, which has no ports
  double min_score = 0.0;               // bits per measurement
  double min_margin = 0.1;              // bits per measurement
  unsigned min_payload_packets = 3;
};

struct Rule {
  std::string name;  // unique; appears in events and with blocks
  RuleMatch match;
  Action action = Action::alert;
  BlockScope scope = BlockScope::endpoint;
  Duration block_for = std::chrono::hours(1);
  unsigned line = 0;  // in the policy file
};

struct Policy {
  std::string path;  // where it was loaded from, "" = built-in
  Mode mode = Mode::observe;
  bool fail_open = false;  // dead daemon: false = blocks live until they expire, true = nothing is dropped
  std::vector<IpPrefix> never_block;
  Duration max_block = std::chrono::hours(24 * 7);
  std::uint32_t max_blocks = 10000;
  double label_threshold = 0.0;  // score below which no label is given, bits per measurement
  std::vector<Rule> rules;       // first match decides
};

// Alerts on every tunnel, blocks nothing: what runs when no policy is given.
Policy builtin_policy();

// Unknown keys, wrong types and values out of range are errors that name file and line; the error has one line for
// each.
Result<Policy> load_policy(const std::string& path);
Result<Policy> parse_policy(std::string_view text, const std::string& path_for_messages);

// Names in rules that none of the given labels and families has, one "FILE:LINE: ..." each: such a rule can never
// match. Not an error: a policy may be written before the model is trained.
std::vector<std::string> unknown_labels(const Policy& policy, std::span<const std::string_view> known);

}  // namespace spidd
