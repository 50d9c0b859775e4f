// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A case is what may become an incident: it collects evidence, and is opened by one of these rules.
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
#include "userspace/spade/incidents.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "userspace/base/lru_table.h"
#include "userspace/spade/burst.h"
#include "userspace/spade/first_contacts.h"
#include "userspace/spade/incident_case.h"

namespace spidd {
namespace {

constexpr double kDistinctTargets = 5;
constexpr double kDistinctSources = 8;
constexpr std::uint32_t kRepeats = 3;
constexpr std::uint32_t kRepliesThatConfirm = 2;
constexpr double kLeastOfAService = 10;
constexpr std::array kFamilies = {IncidentFamily::scan, IncidentFamily::odd, IncidentFamily::icmp,
                                  IncidentFamily::burst};
// What is not a scan may be a new habit: after this time it is learned as any other.
constexpr Duration kLongestQuarantine = std::chrono::hours(1);
constexpr std::uint32_t kCasesAnIncident = 4;
constexpr std::uint32_t kContactsAnIncident = 16;
constexpr std::size_t kGiveUpChoice = 16;
constexpr std::size_t kClosingsASecond = 256;

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

std::uint32_t tag_of(IncidentSide side, IncidentFamily family) {
  return 1 + static_cast<std::uint32_t>(side) * 4 + static_cast<std::uint32_t>(family);
}

bool is_icmp_reply(const Observation& packet) {
  if (packet.transport == Transport::icmp6) return packet.icmp_type == 129;
  constexpr std::array kReplies = {0, 14, 16, 18};  // echo, timestamp, information, address mask
  return std::ranges::find(kReplies, packet.icmp_type) != kReplies.end();
}

bool is_redirect(const Observation& packet) { return packet.transport == Transport::icmp && packet.icmp_type == 5; }

bool is_unreachable(const Observation& packet) {
  return (packet.transport == Transport::icmp && packet.icmp_type == 3) ||
         (packet.transport == Transport::icmp6 && packet.icmp_type == 1);
}

std::uint32_t most_open_of(const SpadeExtensions& extensions) {
  return std::clamp(extensions.max_incidents, 1U, 1U << 20);
}

}  // namespace

struct Incidents::State : FirstContacts::Listener {
  // Open incidents that stay open longer than others wait in a list of their own, so that they hide nothing that is
  // due.
  enum List : unsigned { kCases, kOpen, kPatient };
  using Cases = LruTable<HostKey, IncidentCase, 3>;

  State(const SpadeExtensions& wanted, HomeNetwork home_network, std::uint64_t hash_seed, IncidentSink& receiver)
      : extensions(wanted),
        home(std::move(home_network)),
        hash(hash_seed),
        sink(&receiver),
        most_open(most_open_of(wanted)),
        contacts(most_open * kContactsAnIncident, home, *this),
        cases(most_open * kCasesAnIncident) {
    if (!wanted.burst_score) return;
    BurstSettings settings;
    settings.threshold = wanted.burst_threshold;
    settings.least = wanted.burst_least;
    settings.least_of_service = kLeastOfAService * settings.least;
    bursts.emplace(settings, hash_seed);
  }

  void contacted(const Observation& first, const ContactSource& source) override;
  void failed(const Observation& first, const ContactSource& source) override;
  void replied(const Observation& first) override;
  void confirmed(const ContactSource& source, const Observation* first) override;

  bool is_excluded(const Observation& packet) const { return excluded && excluded(packet); }
  bool is_inside(const IpAddress& address) const { return !home.everything() && home.contains(address); }

  IncidentCase* find(const IpAddress& host, IncidentSide side, IncidentFamily family);
  Cases::Slot case_of(const IpAddress& host, IncidentSide side, IncidentFamily family, const Observation& packet);
  void evidence(Cases::Slot slot, const Observation& packet, double score);
  void look_for_bursts(const Observation& packet);
  void burst(IncidentSide side, const Observation& packet, const Burst& burst);
  void judge(Cases::Slot slot, const ContactSource* source);
  // Brings kind, spread and outcomes up to date.
  void refresh(IncidentCase& c) const;
  void say(IncidentCase& c, IncidentCause cause);
  void close(Cases::Slot slot);
  void make_room();
  void give_one_up();
  void close_idle();
  bool is_answer(const Observation& packet, IncidentFamily family) const;
  void repeat(const Observation& packet);
  void alert(const SpadeAlert& alert);
  void settle_error(const Observation* next);
  void advance(Timestamp time);

  SpadeExtensions extensions;
  HomeNetwork home;
  TargetHash hash;
  IncidentSink* sink;
  Exclusion excluded;
  std::uint32_t most_open;
  FirstContacts contacts;
  Cases cases;
  std::optional<BurstScore> bursts;
  Counters counters;
  std::uint64_t last_id = 0;
  Timestamp now;
  std::optional<SpadeAlert> error;      // ICMP "unreachable", until it is seen what it is about
  const SpadeAlert* alerted = nullptr;  // by which the contact that fails now is known to fail
};

IncidentCase* Incidents::State::find(const IpAddress& host, IncidentSide side, IncidentFamily family) {
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
  sink->incident(c.incident, cause, now);
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

void Incidents::State::failed(const Observation& first, const ContactSource& source) {
  const auto slot = case_of(first.source, IncidentSide::source, IncidentFamily::scan, first);
  cases[slot].spread(first, hash);
  evidence(slot, first, alerted == nullptr ? 0 : alerted->score);
  judge(slot, &source);
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
  if (c.spread(packet, hash) || (family != IncidentFamily::scan && !counted))
    evidence(slot, packet, alert.score);
  else
    c.add_example(packet, alert.score);
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

void Incidents::State::advance(Timestamp time) {
  if (time <= now) return;
  const bool new_second =
      std::chrono::floor<std::chrono::seconds>(time) > std::chrono::floor<std::chrono::seconds>(now);
  now = time;
  contacts.advance(now);
  if (new_second) close_idle();
}

Incidents::Incidents(const SpadeExtensions& extensions, HomeNetwork home, std::uint64_t seed, IncidentSink& sink)
    : state_(std::make_unique<State>(extensions, std::move(home), seed, sink)) {}
Incidents::~Incidents() = default;
Incidents::Incidents(Incidents&&) noexcept = default;
Incidents& Incidents::operator=(Incidents&&) noexcept = default;

void Incidents::set_sink(IncidentSink& sink) { state_->sink = &sink; }

void Incidents::set_exclusion(Exclusion exclusion) {
  state_->contacts.set_exclusion(exclusion);
  state_->excluded = std::move(exclusion);
}

void Incidents::observe(const Observation& observation) {
  state_->settle_error(&observation);
  state_->advance(observation.time);
  state_->contacts.observe(observation);
  state_->repeat(observation);
  if (state_->bursts) state_->look_for_bursts(observation);
}

void Incidents::alert(const SpadeAlert& alert) {
  state_->advance(std::max(alert.reported, alert.packet.time));
  state_->settle_error(nullptr);
  if (family_of(alert.type) == IncidentFamily::icmp && is_unreachable(alert.packet))
    state_->error = alert;
  else
    state_->alert(alert);
}

void Incidents::confirm(const IpAddress& source, Timestamp since) {
  if (!state_->is_inside(source)) state_->contacts.confirm(source, since);
}

void Incidents::advance(Timestamp now) { state_->advance(now); }

void Incidents::close_all() {
  state_->settle_error(nullptr);
  for (const unsigned list : {unsigned{State::kOpen}, unsigned{State::kPatient}})
    while (state_->cases.size(list) > 0) state_->close(state_->cases.oldest(list));
}

OpenIncidents Incidents::save() const {
  const State& s = *state_;
  OpenIncidents saved{s.hash.key(), s.last_id, {}};
  saved.cases.reserve(s.cases.size(State::kOpen) + s.cases.size(State::kPatient));
  for (const unsigned list : {unsigned{State::kPatient}, unsigned{State::kOpen}})
    for (auto slot = s.cases.oldest(list); slot != State::Cases::kNone; slot = s.cases.newer(slot))
      saved.cases.push_back(s.cases[slot]);
  return saved;
}

void Incidents::restore(OpenIncidents saved) {
  State& s = *state_;
  s.hash.set_key(saved.key);
  s.last_id = std::max(s.last_id, saved.last_id);
  const std::size_t skipped = saved.cases.size() - std::min<std::size_t>(saved.cases.size(), s.most_open);
  for (std::size_t i = skipped; i < saved.cases.size(); ++i) {
    IncidentCase& one = saved.cases[i];
    const HostKey key{one.incident.host, tag_of(one.incident.side, one.incident.family)};
    if (s.cases.find(key) != State::Cases::kNone) continue;
    one.answered_before = one.incident.answered;
    one.failed_before = one.incident.failed;
    const auto slot = s.cases.insert(key, State::kOpen);
    s.cases[slot] = std::move(one);
    s.cases[slot].classify(s.is_inside(key.address));
    ++s.counters.resumed;
  }
}

void Incidents::take_over(const Incidents& before) {
  restore(before.save());
  state_->counters = before.counters();
}

bool Incidents::in_quarantine(const Observation& observation) {
  State& s = *state_;
  if (!s.extensions.quarantine || s.cases.size() == 0) return false;
  const bool icmp = observation.transport == Transport::icmp || observation.transport == Transport::icmp6;
  for (const IncidentFamily family : {IncidentFamily::scan, icmp ? IncidentFamily::icmp : IncidentFamily::odd}) {
    const IncidentCase* c = s.find(observation.source, IncidentSide::source, family);
    if (c == nullptr) continue;
    if (!c->open) continue;
    if (!c->incident.scan && s.now - c->incident.first > kLongestQuarantine) continue;
    if (!c->is_about(observation, s.hash, s.is_inside(observation.source))) continue;
    s.counters.quarantined += observation.count;
    return true;
  }
  return false;
}

std::vector<const Incident*> Incidents::open() const {
  std::vector<const Incident*> incidents;
  for (const unsigned list : {unsigned{State::kOpen}, unsigned{State::kPatient}})
    for (auto slot = state_->cases.oldest(list); slot != State::Cases::kNone; slot = state_->cases.newer(slot)) {
      state_->refresh(state_->cases[slot]);
      incidents.push_back(&state_->cases[slot].incident);
    }
  std::sort(incidents.begin(), incidents.end(), [](const Incident* a, const Incident* b) { return a->id < b->id; });
  return incidents;
}

Incidents::Counters Incidents::counters() const {
  Counters counters = state_->counters;
  const FirstContacts::Counters& contacts = state_->contacts.counters();
  counters.attempts_forgotten += contacts.contacts_forgotten;
  counters.sources_forgotten += contacts.sources_forgotten;
  counters.contacts_failed += contacts.failed;
  counters.contacts_answered += contacts.answered;
  counters.outage += contacts.outage;
  return counters;
}

std::size_t Incidents::bytes() const {
  const State& s = *state_;
  std::size_t bytes = s.contacts.bytes() + s.cases.size() * State::Cases::bytes_per_entry();
  if (s.bursts) bytes += s.bursts->bytes();
  for (const unsigned list : {unsigned{State::kCases}, unsigned{State::kOpen}, unsigned{State::kPatient}})
    for (auto slot = s.cases.oldest(list); slot != State::Cases::kNone; slot = s.cases.newer(slot)) {
      bytes += s.cases[slot].bytes();
    }
  return bytes;
}

std::size_t Incidents::most_bytes(const SpadeExtensions& extensions) {
  const std::uint32_t open = most_open_of(extensions);
  return FirstContacts::most_bytes(open * kContactsAnIncident) +
         std::size_t{open} * kCasesAnIncident * (State::Cases::bytes_per_entry() + IncidentCase::kMostBytes) +
         (extensions.burst_score ? BurstScore::bytes_of({}) : 0);
}

}  // namespace spidd
