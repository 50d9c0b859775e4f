// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/incidents.h"

#include <algorithm>
#include <utility>

#include "userspace/spade/incident_state.h"

namespace spidd {
namespace {

constexpr double kLeastOfAService = 10;
// What is not a scan may be a new habit: after this time it is learned as any other.
constexpr Duration kLongestQuarantine = std::chrono::hours(1);
constexpr std::uint32_t kCasesAnIncident = 4;
constexpr std::uint32_t kContactsAnIncident = 16;

bool is_unreachable(const Observation& packet) {
  return (packet.transport == Transport::icmp && packet.icmp_type == 3) ||
         (packet.transport == Transport::icmp6 && packet.icmp_type == 1);
}

std::uint32_t most_open_of(const SpadeExtensions& extensions) {
  return std::clamp(extensions.max_incidents, 1U, 1U << 20);
}

}  // namespace

Incidents::State::State(const SpadeExtensions& wanted, HomeNetwork home_network, std::uint64_t hash_seed,
                        IncidentSink& receiver)
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
