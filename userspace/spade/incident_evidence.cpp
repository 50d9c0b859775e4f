// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What speaks against a host, and what for it: outcomes of first contacts, alerts, repetitions of what was alerted, and
// bursts.
#include <algorithm>
#include <array>
#include <utility>

#include "userspace/spade/incident_state.h"

namespace spidd {
namespace {

constexpr std::array kFamilies = {IncidentFamily::scan, IncidentFamily::odd, IncidentFamily::icmp,
                                  IncidentFamily::burst};

bool is_icmp_reply(const Observation& packet) {
  if (packet.transport == Transport::icmp6) return packet.icmp_type == 129;
  constexpr std::array kReplies = {0, 14, 16, 18};  // echo, timestamp, information, address mask
  return std::ranges::find(kReplies, packet.icmp_type) != kReplies.end();
}

// Solicitations and advertisements of hosts. Who is asked for may be gone, and nobody outside can send them: receivers
// take them from their own link alone.
bool is_neighbour_discovery(const Observation& packet) {
  return packet.transport == Transport::icmp6 &&
         (packet.icmp_type == 133 || packet.icmp_type == 135 || packet.icmp_type == 136);
}

bool is_redirect(const Observation& packet) { return packet.transport == Transport::icmp && packet.icmp_type == 5; }

}  // namespace

IncidentFamily family_of(DetectorType type) {
  switch (type) {
    case DetectorType::odd_dport:
    case DetectorType::odd_port_dest:
      return IncidentFamily::odd;
    case DetectorType::odd_typecode:
      return IncidentFamily::icmp;
    case DetectorType::closed_dport:
    case DetectorType::dead_dest:
      break;
  }
  return IncidentFamily::scan;
}

void Incidents::State::contacted(const Observation& first, const ContactSource& source) {
  IncidentCase* known = find(first.source, IncidentSide::source, IncidentFamily::scan);
  if (known != nullptr && known->open) {
    if (known->is_about(first, hash, is_inside(first.source))) known->spread(first, hash);
    return;
  }
  if (!extensions.scan_promotion || !contacts.is_scanner(source, now)) return;
  const auto slot = case_of(first.source, IncidentSide::source, IncidentFamily::scan, first);
  contacts.for_each_waiting(first.source,
                            [this, slot](const Observation& waiting) { cases[slot].spread(waiting, hash); });
  evidence(slot, first, 0);
  judge(slot, &source);
}

void Incidents::State::failed(const Observation& first, const ContactSource& source, bool counted) {
  const auto slot = case_of(first.source, IncidentSide::source, IncidentFamily::scan, first);
  cases[slot].spread(first, hash);
  // A contact is evidence once, whether its alert waits for the outcome or not.
  if (!counted) evidence(slot, first, alerted == nullptr ? 0 : alerted->score);
  judge(slot, &source);
}

bool Incidents::State::pursues(const Observation& first) const {
  const IncidentCase* c = find(first.source, IncidentSide::source, IncidentFamily::scan);
  return c != nullptr && c->open && c->is_about(first, hash, is_inside(first.source));
}

// Replies go to who has the address, not to who forged it; but an inside host whose packets nobody answers is not even
// seen to use it.
void Incidents::State::replied(const Observation& first) {
  if (!is_inside(first.source)) return;
  for (const IncidentFamily family : kFamilies) {
    IncidentCase* c = find(first.source, IncidentSide::source, family);
    if (c == nullptr || c->replies >= kRepliesThatConfirm || !c->is_about(first, hash, true)) continue;
    if (++c->replies < kRepliesThatConfirm || !c->open || c->incident.confirmed) continue;
    c->incident.confirmed = true;
    say(*c, IncidentCause::changed);
  }
}

void Incidents::State::confirmed(const ContactSource& source, const Observation* first) {
  const bool inside = is_inside(source.address);
  if (inside && first == nullptr) return;
  for (const IncidentFamily family : kFamilies) {
    IncidentCase* c = find(source.address, IncidentSide::source, family);
    if (c == nullptr || c->incident.acknowledged) continue;
    if (inside ? !c->is_about(*first, hash, true) : !c->open || source.confirmed < c->incident.first) continue;
    c->incident.acknowledged = true;
    if (!c->open) continue;
    c->incident.confirmed = true;
    say(*c, IncidentCause::changed);
  }
}

// Of the family scan an answer was asked for by nobody, or it would not go to who is not there.
bool Incidents::State::is_answer(const Observation& packet, IncidentFamily family) const {
  switch (packet.transport) {
    case Transport::tcp:
      return flag_group(packet.tcp_flags) == FlagGroup::synack || is_normal_reset(packet.tcp_flags);
    case Transport::udp:
      return packet.reply || contacts.is_reply(packet);
    case Transport::icmp:
    case Transport::icmp6:
      return is_icmp_reply(packet) ||
             (family == IncidentFamily::scan && is_icmp_error(packet.transport, packet.icmp_type));
  }
  return false;
}

// What was alerted happens again, alerted or not. An error may be about what its receiver sent: not followed.
void Incidents::State::repeat(const Observation& packet) {
  if (packet.kind != Observation::Kind::packet || is_group_address(packet.destination)) return;
  IncidentFamily family = IncidentFamily::odd;
  switch (packet.transport) {
    case Transport::tcp:
      if (flag_group(packet.tcp_flags) != FlagGroup::synonly) return;
      break;
    case Transport::udp:
      break;
    case Transport::icmp:
    case Transport::icmp6:
      if (is_icmp_error(packet.transport, packet.icmp_type) && !is_redirect(packet)) return;
      family = IncidentFamily::icmp;
      break;
  }
  const auto slot = cases.find({packet.source, tag_of(IncidentSide::source, family)});
  if (slot == Cases::kNone) return;
  IncidentCase& c = cases[slot];
  if (!c.was_alerted(packet, hash) || c.is_sent_again(packet, hash) ||
      c.is_stale(packet.time, extensions.incident_idle) || is_answer(packet, family) || is_excluded(packet))
    return;
  cases.touch(slot, c.open ? kOpen : kCases);
  c.spread(packet, hash);
  evidence(slot, packet, 0);
  judge(slot, contacts.source(packet.source));
}

// What an error is about is the next observation, or it is about nothing. An error about what its receiver sent is an
// answer.
void Incidents::State::settle_error(const Observation* next) {
  if (!error) return;
  const SpadeAlert settled = *std::exchange(error, std::nullopt);
  const bool answers = next != nullptr && next->kind == Observation::Kind::unreachable &&
                       next->reporter == settled.packet.source && next->source == settled.packet.destination &&
                       (contacts.is_known(*next) || contacts.is_reply(*next));
  if (!answers) alert(settled);
}

void Incidents::State::alert(const SpadeAlert& alert) {
  const Observation& packet = alert.packet;
  if (is_neighbour_discovery(packet)) return;
  const IncidentFamily family = family_of(alert.type);
  const bool answers = is_answer(packet, family);
  if (answers && (family != IncidentFamily::scan || packet.transport == Transport::udp)) return;
  if (family == IncidentFamily::scan && !answers) {
    const bool odd_flags = packet.transport == Transport::tcp && flag_group(packet.tcp_flags) == FlagGroup::weird;
    if (alert.type == DetectorType::dead_dest || odd_flags) {
      alerted = &alert;
      contacts.fail(packet);
      alerted = nullptr;
    }
  }
  const auto slot = case_of(packet.source, IncidentSide::source, family, packet);
  IncidentCase& c = cases[slot];
  // A report that waited, or that of the packet that repeat() has just seen.
  const bool counted = family != IncidentFamily::scan && c.was_alerted(packet, hash) && packet.time <= c.incident.last;
  c.alerted.add(hash.target(family, packet));
  c.answers += answers ? 1 : 0;
  c.incident.max_score = std::max(c.incident.max_score, alert.score);
  if (c.spread(packet, hash) || (family != IncidentFamily::scan && !counted)) {
    evidence(slot, packet, alert.score);
    if (family == IncidentFamily::scan && !answers) contacts.mark_counted(packet);
  } else {
    c.add_example(packet, alert.score);
  }
  judge(slot, contacts.source(packet.source));

  if (family != IncidentFamily::scan || answers) return;
  const auto target = case_of(packet.destination, IncidentSide::target, family, packet);
  if (!cases[target].spread(packet, hash)) return;
  cases[target].dead += alert.type == DetectorType::dead_dest ? 1 : 0;
  evidence(target, packet, alert.score);
  judge(target, nullptr);
}

// Attempts only: what follows from them is many packets to one host, and normal.
void Incidents::State::look_for_bursts(const Observation& packet) {
  if (packet.kind != Observation::Kind::packet || is_group_address(packet.destination)) return;
  switch (packet.transport) {
    case Transport::tcp:
      if (flag_group(packet.tcp_flags) != FlagGroup::synonly) return;
      break;
    case Transport::udp:
      if (packet.reply || contacts.is_reply(packet)) return;
      break;
    case Transport::icmp:
    case Transport::icmp6:
      if (!is_echo_request(packet)) return;
      break;
  }
  if (is_excluded(packet)) return;
  const BurstScore::Bursts found = bursts->add(packet);
  if (found.edge.burst) burst(IncidentSide::source, packet, found.edge);
  if (found.service.burst && found.edge.current * 2 < found.service.current)
    burst(IncidentSide::target, packet, found.service);
}

void Incidents::State::burst(IncidentSide side, const Observation& packet, const Burst& burst) {
  const auto slot =
      case_of(side == IncidentSide::source ? packet.source : packet.destination, side, IncidentFamily::burst, packet);
  IncidentCase& c = cases[slot];
  c.spread(packet, hash);
  c.answered += side == IncidentSide::source && contacts.is_answered(packet) ? 1 : 0;
  if (burst.current > c.incident.burst) {
    c.incident.burst = burst.current;
    c.incident.usual = burst.usual;
  }
  evidence(slot, packet, 0);
  judge(slot, contacts.source(packet.source));
}

}  // namespace spidd
