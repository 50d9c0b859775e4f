// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Cases from their beginning to their end. A case is what may become an incident: it collects evidence, and is opened
// by one of these rules.
//   scan, source    it is a scanner (first_contacts.cpp), or kDistinctTargets different targets were alerted and its
//                   first contacts do not succeed more often than they fail
//   scan, target    alerts of kDistinctSources different sources
//   odd             an alert, and kRepeats uses of that service by that source within the idle time
//   icmp            an alert, and kRepeats messages of that source within that time, of types that were alerted
//   burst, source   it calls one service many times as often as usual (burst.h)
//   burst, target   a service is called many times as often as usual, not by one source for the most part
// A case that is not opened is forgotten after that time, of the family scan after an hour without evidence.
//
// A repetition need not be alerted: an alert says that in days there were no more than a few, so that three in ten
// minutes are no chance, although the table that learns them calls the third one known.
#include <algorithm>
#include <bit>

#include "userspace/spade/incident_state.h"

namespace spidd {
namespace {

constexpr double kDistinctTargets = 5;
constexpr double kDistinctSources = 8;
constexpr std::uint32_t kRepeats = 3;
constexpr std::size_t kGiveUpChoice = 16;
constexpr std::size_t kClosingsASecond = 256;

}  // namespace

IncidentCase* Incidents::State::find(const IpAddress& host, IncidentSide side, IncidentFamily family) {
  const auto slot = cases.find({host, tag_of(side, family)});
  return slot == Cases::kNone ? nullptr : &cases[slot];
}

const IncidentCase* Incidents::State::find(const IpAddress& host, IncidentSide side, IncidentFamily family) const {
  const auto slot = cases.find({host, tag_of(side, family)});
  return slot == Cases::kNone ? nullptr : &cases[slot];
}

Incidents::State::Cases::Slot Incidents::State::case_of(const IpAddress& host, IncidentSide side, IncidentFamily family,
                                                        const Observation& packet) {
  const HostKey key{host, tag_of(side, family)};
  auto slot = cases.find(key);
  if (slot != Cases::kNone) {
    cases.touch(slot, cases[slot].open ? kOpen : kCases);
    if (!cases[slot].is_stale(packet.time, extensions.incident_idle)) return slot;
    cases[slot].begin_anew(packet);
    return slot;
  }
  if (cases.full()) make_room();
  slot = cases.insert(key, kCases);
  Incident& incident = cases[slot].incident;
  incident.side = side;
  incident.family = family;
  incident.host = host;
  cases[slot].begin_anew(packet);
  return slot;
}

void Incidents::State::make_room() {
  if (const auto oldest = cases.oldest(kCases); oldest != Cases::kNone)
    cases.erase(oldest);
  else
    give_one_up();
}

// Of the incidents that had no news for longest, the one that matters least.
void Incidents::State::give_one_up() {
  auto least = cases.oldest(cases.size(kPatient) > 0 ? kPatient : kOpen);
  auto slot = least;
  for (std::size_t i = 0; i < kGiveUpChoice && slot != Cases::kNone; ++i, slot = cases.newer(slot))
    if (cases[slot].incident.count < cases[least].incident.count) least = slot;
  ++counters.given_up;
  close(least);
}

void Incidents::State::evidence(Cases::Slot slot, const Observation& packet, double score) {
  IncidentCase& c = cases[slot];
  c.add_evidence(packet, hash, !is_inside(packet.destination), score);
  if (c.open && std::has_single_bit(c.incident.count)) say(c, IncidentCause::grew);
}

void Incidents::State::refresh(IncidentCase& c) const {
  if (c.incident.side == IncidentSide::source) {
    if (const ContactSource* source = contacts.source(c.incident.host)) {
      c.incident.answered = c.answered_before + source->answered;
      c.incident.failed = c.failed_before + source->failed;
    }
  }
  c.classify(is_inside(c.incident.host));
}

void Incidents::State::say(IncidentCase& c, IncidentCause cause) {
  refresh(c);
  sink->incident(c.incident, cause, std::max(now, c.incident.last));  // `now` is nothing before the first packet
}

// Opens a case if it is one, and keeps the state of an open one. `source`: nothing for the target's side.
void Incidents::State::judge(Cases::Slot slot, const ContactSource* source) {
  IncidentCase& c = cases[slot];
  Incident& incident = c.incident;
  const bool scanner = extensions.scan_promotion && incident.family == IncidentFamily::scan && source != nullptr &&
                       contacts.is_scanner(*source, now);
  if (c.open) {
    if (scanner && !incident.scan) {
      incident.scan = true;
      say(c, IncidentCause::changed);
    }
    return;
  }
  bool opens = false;
  switch (incident.family) {
    case IncidentFamily::scan:
      if (incident.side == IncidentSide::target)
        opens = c.hosts.estimate() >= kDistinctSources;
      else
        opens =
            scanner || (c.alerted.estimate() >= kDistinctTargets && (source == nullptr || source->walk.steps() >= 0));
      break;
    case IncidentFamily::odd:
      opens = c.target.votes >= static_cast<std::int32_t>(kRepeats);
      break;
    case IncidentFamily::icmp:
      opens = incident.count >= std::uint64_t{kRepeats};
      break;
    case IncidentFamily::burst:
      opens = true;
      break;
  }
  if (!opens) return;

  while (cases.size(kOpen) + cases.size(kPatient) >= most_open) give_one_up();
  c.open = true;
  cases.touch(slot, kOpen);
  ++counters.opened;
  incident.id = ++last_id;
  incident.scan = scanner;
  if (incident.side == IncidentSide::source) {
    if (!is_inside(incident.host)) incident.acknowledged = source != nullptr && source->confirmed >= incident.first;
    incident.confirmed = incident.acknowledged || c.replies >= kRepliesThatConfirm;
  }
  say(c, IncidentCause::opened);
}

void Incidents::State::close(Cases::Slot slot) {
  ++counters.closed;
  IncidentCase& c = cases[slot];
  say(c, IncidentCause::closed);
  if (c.incident.family == IncidentFamily::scan && c.incident.side == IncidentSide::source)
    contacts.restart(c.incident.host);
  cases.erase(slot);
}

// In the order of their last evidence; a bounded number a second.
void Incidents::State::close_idle() {
  for (std::size_t i = 0; i < kClosingsASecond && cases.size(kOpen) > 0; ++i) {
    const auto slot = cases.oldest(kOpen);
    const Incident& incident = cases[slot].incident;
    if (incident.last + extensions.incident_idle > now) break;
    if (incident.last + cases[slot].patience(extensions.incident_idle) > now)
      cases.touch(slot, kPatient);
    else
      close(slot);
  }
  for (std::size_t i = std::min<std::size_t>(kClosingsASecond, cases.size(kPatient)); i > 0; --i) {
    const auto slot = cases.oldest(kPatient);
    const Incident& incident = cases[slot].incident;
    if (incident.last + cases[slot].patience(extensions.incident_idle) > now)
      cases.touch(slot, kPatient);
    else
      close(slot);
  }
}

}  // namespace spidd
