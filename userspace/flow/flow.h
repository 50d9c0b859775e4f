// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One flow as the engine follows it, and what it has concluded about it.
#pragma once

#include <cstdint>

#include "userspace/capture/packet_record.h"

namespace spidd {

enum class IdentificationState : std::uint8_t {
  undecided,   // too little seen
  identified,  // a model scored above its threshold
  unknown,     // enough seen, and no model did
};
std::string_view state_name(IdentificationState state);

enum class Action : std::uint8_t { pass, alert, block };
std::string_view action_name(Action action);  // "pass", "alert", "drop"

inline constexpr std::uint16_t kNoRule = 0xffff;

// What can be said of a flow, from most to least.
enum class VerdictClass : std::uint8_t {
  undecided,
  label,            // the protocol has a name
  tunnel,           // a tunnel for sure, but of which tool is not clear
  fully_encrypted,  // no name, but random from its first byte as obfuscated tunnels are (and encrypted FTP data)
  unknown,
};
std::string_view verdict_class_name(VerdictClass verdict_class);  // "undecided", "label", "tunnel", ...

// What a label rests on.
enum class LabelBasis : std::uint8_t {
  scores,       // the flow itself
  ftp_control,  // random bytes between two hosts that speak FTP: its data
  endpoint,     // too short to be named, and sent to a server that several flows have named
};
std::string_view label_basis_name(LabelBasis basis);  // "scores", "ftp_control", "endpoint"

// What the lengths of up to 100 packets say of a flow that is SSH or random (spid/tunnel_sizes.h).
enum class SecondLook : std::uint8_t {
  none,
  under_way,
  nothing,
  ssh_tunnel,        // other connections within SSH
  encrypted_tunnel,  // requests and answers in what is random from its first byte
};
std::string_view second_look_name(SecondLook look);  // "ssh-tunnel", "encrypted-tunnel"; "" for the others

// Conclusion about a flow; small, because it is all that stays of a decided flow beside its key.
struct Verdict {
  std::uint16_t model = 0xffff;         // index into Matcher::models(): the label; 0xffff = none
  std::uint16_t tunnel_model = 0xffff;  // best tunnel model
  std::uint16_t other_model = 0xffff;   // best other model
  std::uint16_t rival = 0xffff;         // the model that margin is over; 0xffff = none, or the label is not by scores
  std::uint16_t rule = kNoRule;         // index of the policy rule that decided
  IdentificationState state = IdentificationState::undecided;
  VerdictClass verdict_class = VerdictClass::undecided;
  Action action = Action::pass;
  std::uint8_t payload_packets = 0;  // on which this is based
  bool final = false;                // no more records are needed
  bool one_way = false;              // only one direction had payload: scored with one-way models
  bool fully_encrypted = false;      // random from its first byte, and starts like nothing known
  LabelBasis basis = LabelBasis::scores;
  SecondLook second_look = SecondLook::none;
  bool has_divergence = false;  // it is worked out for reports only
  float score = 0;              // of the label, bits per measurement
  float margin = 0;             // of the label over the best model of another family
  float tunnel_score = 0;
  float tunnel_margin = 0;  // best tunnel over best other
  float divergence = 0;     // of the original, from the label's model, bits: smaller is nearer
};

inline constexpr std::uint32_t kNoPacketStore = 0xffffffff;

struct Flow {
  FlowKey key;
  Timestamp start;
  Timestamp last;  // last record; the source's totals may know a later packet
  bool client_is_low : 1 = true;
  bool start_seen : 1 = false;
  bool answered : 1 = false;                    // packets of both directions were seen
  bool observed : 1 = false;                    // its verdict is in the memory of its endpoint
  bool awaits_proof : 1 = false;                // its block does: it is looked at again
  std::uint8_t directions_seen = 0;             // bit per Direction in which payload was seen
  std::uint8_t stored_packets = 0;              // in the packet store
  std::uint8_t settled_packets = 0;             // stored ones at the last pause: nothing is new until there are more
  std::uint32_t packet_store = kNoPacketStore;  // slot of PacketStore; none once decided
  Verdict verdict;

  Endpoint client() const;
  Endpoint server() const;
};

}  // namespace spidd
