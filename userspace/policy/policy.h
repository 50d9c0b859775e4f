// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A policy: what is allowed, reported and blocked. Plain data, immutable once loaded; a reload builds a new one.
// The file format is described by example in policy/README.md and in spid-policy(5).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/flow/flow.h"
#include "userspace/policy/incident_rule.h"
#include "userspace/spade/settings.h"
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

// What a block on a statistical verdict needs besides the verdict.
enum class Proof : std::uint8_t {
  second,   // a learned site, agreeing flows to the same endpoint, or a flow that lasts (default)
  verdict,  // nothing: the administrator takes the models' word
};
std::string_view proof_name(Proof proof);

// What counts as the second proof where the site was not learned.
struct ProofRules {
  unsigned agreeing_flows = 3;   // to one server endpoint, this one included, and three of four of all flows to it
  double agreeing_margin = 0.1;  // then a flow's own margin needs no more than this if their mean holds
  Duration duration = std::chrono::minutes(10);  // of the flow
};

// Conditions of a rule; an empty list matches everything, all conditions that are given must hold. Only an identified
// flow has a label and a category: labels and categories match no other, and score and margin are tested on no other.
//
// If the flow is a tunnel and the rule names categories or classes, the score and the margin tested are those of the
// best tunnel model and its distance to the best model that is no tunnel: two tunnels that cannot be told apart are a
// tunnel for sure. Else they are the label's, and its distance to the best model of another family.
struct RuleMatch {
  std::vector<std::string> labels;  // label or family
  std::vector<Category> categories;
  std::vector<VerdictClass> classes;
  std::optional<bool> fully_encrypted;   // whatever the label
  std::vector<SecondLook> second_looks;  // what the second look found; such a rule sees no other flows
  std::vector<IdentificationState> states = {IdentificationState::identified};
  std::vector<Transport> transports;
  std::vector<IpPrefix> clients;
  std::vector<IpPrefix> servers;
  std::vector<PortRange> server_ports;  // never match ICMP, which has no ports
  double min_score = 0.0;               // bits per measurement
  double min_margin = 0.1;              // bits per measurement
  unsigned min_payload_packets = 3;

  // Says which flows by what the models made of them, and not only by where they go.
  bool names_verdict() const;
};

struct Rule {
  std::string name;  // unique; appears in events and with blocks
  RuleMatch match;
  Action action = Action::alert;
  BlockScope scope = BlockScope::endpoint;
  Duration block_for = std::chrono::hours(1);
  Proof proof = Proof::second;
  unsigned line = 0;  // in the policy file
};

// Whether flows that are SSH or random get a second look, on how many payload packets.
struct SecondLookRules {
  bool enabled = true;
  unsigned packets = kSizesLimit;
};

// Which protocols belong on a port, at a server or with a client. A model is expected if its label or its family is
// among `labels` (if there are any), and neither is among `not_labels`. A flow that `where` matches is an exception if
// it is identified, its label is not expected, and neither is any rival nearer than where.min_margin: the best model of
// another family, of the tunnels and of all others. An unknown one is if the expectation says so.
struct Expectation {
  std::string name;  // unique among rules and expectations
  RuleMatch where;   // names no verdict; states: which flows are looked at
  std::vector<std::string> labels;
  std::vector<std::string> not_labels;
  Action action = Action::alert;  // on an exception; never pass
  BlockScope scope = BlockScope::endpoint;
  Duration block_for = std::chrono::hours(1);
  Proof proof = Proof::second;
  unsigned line = 0;

  std::string words() const;  // what is expected: "tls, quic", "not ssh", "tls, not doh"
};

struct Policy {
  std::string path;  // where it was loaded from, "" = built-in
  Mode mode = Mode::observe;
  bool fail_open = false;  // dead daemon: false = blocks live until they expire, true = nothing is dropped
  std::vector<IpPrefix> never_block;
  Duration max_block = std::chrono::hours(24 * 7);
  std::uint32_t max_blocks = 10000;
  double label_threshold = 0.0;  // score below which no label is given, bits per measurement
  ProofRules proof;
  SecondLookRules second_look;
  std::vector<Rule> rules;  // first match decides
  std::vector<Expectation> expectations;
  std::vector<IncidentRule> incidents;  // first match decides
  SpadeSettings spade = distributed_settings();

  // Decisions, verdicts and events name rules, expectations and incident rules by one number, in this order. "" = none.
  std::size_t numbered() const { return rules.size() + expectations.size() + incidents.size(); }
  std::string_view name_of(std::uint16_t number) const;
  std::uint16_t number_of(std::string_view name) const;  // kNoRule if there is none
  // Whether flows are to get a second look: it is enabled, and some rule wants to know.
  bool looks_twice() const;
  const Expectation* expectation(std::uint16_t number) const;  // nullptr if the number is a rule's or nobody's
};

// Alerts on every tunnel, blocks nothing: what runs when no policy is given.
Policy builtin_policy();

// Unknown keys, wrong types and values out of range are errors that name file and line; the error has one line for
// each.
Result<Policy> load_policy(const std::string& path);
Result<Policy> parse_policy(std::string_view text, const std::string& path_for_messages);

// Names in rules and expectations that none of the given labels and families has, one "FILE:LINE: ..." each: such a
// rule can never match. Not an error: a policy may be written before the model is trained.
std::vector<std::string> unknown_labels(const Policy& policy, std::span<const std::string_view> known);

}  // namespace spidd
