// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The divergence register (spade.md 9): where the original's documents and its code differ, which of them each profile
// follows. Everything that a profile decides in the engine is decided here.
//
// Decided alike in both profiles, because what v030125 does is of no use: D3 (dead-dest waits 2 s), D7 (cutoff 0.25),
// D8 (minobs 565 and 1131): settings.cpp. D13 (percentiles): survey. D15 (statefile=0 keeps nothing) and D23 to D25
// (spellings of the seed paper): snort_config, where D14 (icmptype all is any, or not known) goes by the profile. D17
// (odd-dport without minobs crashes), D18 (a score over an empty table is undefined): detector.cpp. D21 (a full table
// ends the process): table. D10 to D12 (arithmetic of adapters): make_adapter(), by the profile.
#pragma once

#include "userspace/spade/settings.h"

namespace spidd {

struct Compatibility {
  // D1: closed-dport gives 0 to a destination that was never seen, instead of what the formula says: 1.
  bool unknown_destination_is_normal = false;
  // D2: dead-dest over TCP sees only responses of classes that some detector needs anyway, and no unreachables.
  bool dead_dest_misses_responses = false;
  // D4: odd-port-dest scores P(dport, dip | sip), instead of P(dip | sip, dport).
  bool odd_port_dest_base_is_source = false;
  // D5: closed-dport's minobs is of the whole table in both; the one of the destination is ours.
  bool minimum_of_destination = true;
  // D6: maxentropy 0 switches the gate off, instead of letting through ports with a single destination.
  bool zero_entropy_is_no_gate = false;
  // D9: probmode 0 with relscore on never reports, instead of scoring raw.
  bool bayes_needs_raw = false;
  // D16: ids need not follow the rule.
  bool any_id = false;
  // D19: an adapter of an unknown id makes a default closed-dport detector of that id, instead of an error.
  bool adapter_makes_detector = false;
  // D20: any unreachable says that the destination lives, also a router's about a host that does not (6.3).
  bool unreachable_is_life = false;
  // D22: the text says "Closed" by the settings alone, instead of by what was waited for.
  bool text_by_settings = false;
  // 3.3: nobody's address is one that ends in 255 only, instead of also groups and the first and last addresses of the
  // home networks.
  bool broadcast_is_last_octet_only = false;
  // 6.3: a host that spoke while its report waited is reported all the same.
  bool no_second_look = false;
  // 12.7.5: closed-dport waits on after a RST, instead of taking it for the answer that it is.
  bool reset_is_no_answer = false;
  // 12.7.8: a datagram to who opened the flow counts as an attempt.
  bool udp_has_no_direction = false;

  static constexpr Compatibility of(SpadeProfile profile) {
    Compatibility c;
    if (profile != SpadeProfile::v030125) return c;
    c.unknown_destination_is_normal = true;
    c.dead_dest_misses_responses = true;
    c.odd_port_dest_base_is_source = true;
    c.minimum_of_destination = false;
    c.zero_entropy_is_no_gate = true;
    c.bayes_needs_raw = true;
    c.any_id = true;
    c.adapter_makes_detector = true;
    c.unreachable_is_life = true;
    c.text_by_settings = true;
    c.broadcast_is_last_octet_only = true;
    c.no_second_look = true;
    c.reset_is_no_answer = true;
    c.udp_has_no_direction = true;
    return c;
  }
};

}  // namespace spidd
