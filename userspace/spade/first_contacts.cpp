// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// When is a source a scanner? When its walk is at the upper end; or at once, when it goes to many places and nobody has
// answered since it began: kStreakAtOnce places, or kStreakAfterAWhile of them for kAWhile. An inside host opens many
// connections at once when it shows a page, and peers of many protocols are gone when they are called: it is called a
// scanner only if most of what failed has one port or one host in common, and for the web's ports by its walk alone.
// UDP that nobody answers says little: only after kSilentPorts ports of one host, or one port of kSilentHosts hosts,
// and no answer from there, does more of it fail. Traceroute does the one; browsers do the other where QUIC is not let
// out.
#include "userspace/spade/first_contacts.h"

#include <algorithm>

#include "userspace/capture/flow_hash.h"
#include "userspace/spade/wait_queue.h"

namespace spidd {
namespace {

constexpr std::uint32_t kStreakAtOnce = 16;
constexpr std::uint32_t kStreakAfterAWhile = 8;
constexpr Duration kAWhile = std::chrono::milliseconds(500);
constexpr std::int32_t kCommonVotes = 3;
constexpr std::int32_t kSilentPorts = 10;
constexpr std::int32_t kSilentHosts = 24;
constexpr std::uint32_t kSuspiciousFailures = 2;
constexpr float kAnswerWeight = 0.2F;

constexpr std::uint32_t kLeastContacts = 64;
constexpr std::size_t kHandshakeCells = 16384;
constexpr std::size_t kMostVisited = 4096;

constexpr std::uint8_t kEchoRequest4 = 8;
constexpr std::uint8_t kEchoReply4 = 0;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::uint8_t kEchoReply6 = 129;
constexpr std::uint8_t kTcpAckAndFlags = 0x17;  // ACK RST SYN FIN
constexpr std::uint8_t kTcpRst = 0x04;

bool is_echo(const Observation& o, std::uint8_t type4, std::uint8_t type6) {
  return o.icmp_type == (o.transport == Transport::icmp6 ? type6 : type4);
}

bool is_web(std::uint16_t port) { return port == 80 || port == 443; }

bool is_traceroute(std::uint16_t port) { return port >= 33434 && port < 33434 + 256; }

ContactKey key_of(const Observation& o) { return {o.source, o.destination, o.destination_port, o.transport}; }

// Spreads well enough to save work; who makes it collide has the work done that is saved otherwise.
std::size_t cell_of(const ContactKey& key) {
  const std::uint64_t low = load64(key.source.bytes.data() + 8);
  const std::uint64_t high = load64(key.destination.bytes.data() + 8);
  return fold_multiply(low ^ key.port, high ^ 0x9e3779b97f4a7c15) % kHandshakeCells;
}

// Of the contact that `o` may be an answer to.
ContactKey answered_by(const Observation& o) { return {o.destination, o.source, o.source_port, o.transport}; }

std::uint32_t short_hash(const ContactKey& key) {
  return static_cast<std::uint32_t>(std::hash<ContactKey>{}(key)) | 1;  // never 0: no entry
}

void forget_streak(ContactSource& source) {
  source.streak = 0;
  source.streak_port = {};
  source.streak_destination = {};
}

}  // namespace

bool is_echo_request(const Observation& packet) { return is_echo(packet, kEchoRequest4, kEchoRequest6); }

FirstContacts::FirstContacts(std::uint32_t most, HomeNetwork home, Listener& listener)
    : home_(std::move(home)),
      listener_(&listener),
      contacts_(std::max(most, kLeastContacts)),
      sources_(std::max(most, kLeastContacts) / 4),
      unfinished_(kHandshakeCells) {}

void FirstContacts::observe(const Observation& o) {
  advance(o.time);
  if (o.kind == Observation::Kind::unreachable) return refuse(key_of(o), o);
  if (is_group_address(o.destination)) return;
  switch (o.transport) {
    case Transport::tcp:
      switch (flag_group(o.tcp_flags)) {
        case FlagGroup::synonly:
          return begin(o);
        case FlagGroup::synack:
          return answer(answered_by(o), o.time);
        case FlagGroup::teardown:
          if (is_normal_reset(o.tcp_flags)) return refuse(answered_by(o), o);
          return go_on(o);
        case FlagGroup::established:
          return go_on(o);
        case FlagGroup::weird:
          return;
      }
      return;
    case Transport::udp:
      if (const ContactKey reverse = answered_by(o); contacts_.find(reverse) != Contacts::kNone)
        return answer(reverse, o.time);
      return begin(o);
    case Transport::icmp:
    case Transport::icmp6:
      if (is_echo_request(o)) return begin(o);
      if (is_echo(o, kEchoReply4, kEchoReply6)) return answer(answered_by(o), o.time);
      return;
  }
}

void FirstContacts::advance(Timestamp now) {
  if (now <= now_) return;
  now_ = now;
  for (auto slot = contacts_.oldest(kWaiting); slot != Contacts::kNone; slot = contacts_.oldest(kWaiting)) {
    Contact& contact = contacts_[slot];
    if (contact.first.time + kLate > now) break;
    contacts_.touch(slot, kOverdue);
    if (contact.first.transport == Transport::udp) continue;
    ContactSource& source = source_of(contact.first.source);
    if (source.answer_seconds < kQuickAnswerSeconds && fail(source, contact.first, contact.counted))
      contact.state = State::late;
  }
  for (auto slot = contacts_.oldest(kOverdue); slot != Contacts::kNone; slot = contacts_.oldest(kOverdue)) {
    Contact& contact = contacts_[slot];
    if (contact.first.time + kTimeout > now) break;
    if (contact.state == State::waiting) {
      if (contact.first.transport == Transport::udp)
        ignore(contact.first);
      else
        fail(source_of(contact.first.source), contact.first, contact.counted);
    }
    settle(slot, State::failed);
  }
}

void FirstContacts::settle(Contacts::Slot slot, State state) {
  contacts_[slot].state = state;
  contacts_.touch(slot, kSettled);
}

void FirstContacts::begin(const Observation& packet) {
  const ContactKey key = key_of(packet);
  if (const auto slot = contacts_.find(key); slot != Contacts::kNone) {
    if (contacts_.list(slot) == kSettled) contacts_.touch(slot, kSettled);
    return;
  }
  if (contacts_.full()) forget_oldest();
  contacts_[contacts_.insert(key, kWaiting)] = {.first = packet};
  if (packet.transport == Transport::udp || is_excluded(packet)) return;

  ContactSource& source = source_of(packet.source);
  if (source.streak++ == 0) source.streak_start = packet.time;
  source.streak_port.add(packet.destination_port);
  source.streak_destination.add(packet.destination);
  listener_->contacted(packet, source);
}

void FirstContacts::forget_oldest() {
  auto slot = contacts_.oldest(kSettled);
  if (slot == Contacts::kNone) {
    ++counters_.contacts_forgotten;
    slot = contacts_.oldest(contacts_.size(kOverdue) > 0 ? kOverdue : kWaiting);
  }
  const Contact& contact = contacts_[slot];
  if (contact.state == State::answered && contact.handshake != Handshake::made &&
      contact.first.transport == Transport::tcp)
    --unfinished_[cell_of(contacts_.key(slot))];
  contacts_.erase(slot);
}

void FirstContacts::answer(const ContactKey& key, Timestamp now) {
  const auto slot = contacts_.find(key);
  if (slot == Contacts::kNone) return;
  Contact& contact = contacts_[slot];
  // Names and clocks are often had from near by, every day: they say nothing of the line.
  if (contact.state != State::answered || key.transport == Transport::tcp) hear_from(key);
  if (contact.state == State::answered) {
    if (contact.handshake == Handshake::made) {
      contact.handshake = Handshake::none;
      ++unfinished_[cell_of(key)];
    }
    forgive(key);
    return listener_->replied(contact.first);
  }
  if (!is_excluded(contact.first)) credit(contact, now);
  settle(slot, State::answered);
  if (key.transport == Transport::tcp) ++unfinished_[cell_of(key)];
  listener_->replied(contact.first);
}

void FirstContacts::credit(const Contact& contact, Timestamp now) {
  const Observation& first = contact.first;
  ContactSource& source = source_of(first.source);
  forget_streak(source);
  if (first.transport == Transport::udp) {
    if (source.silent_port.value == first.destination_port) source.silent_port = {};
    if (source.silent_destination.value == first.destination) source.silent_destination = {};
  }
  if (contact.state == State::failed) return;
  ++counters_.answered;
  ++source.answered;
  if (contact.state == State::late) {
    source.walk.answered_late();
    --source.failed;
    --counters_.failed;
  } else {
    source.walk.success();
  }
  const float seconds = std::chrono::duration<float>(now - first.time).count();
  source.answer_seconds += kAnswerWeight * (seconds - source.answer_seconds);
}

// Where a host goes every day is no first contact, and so a host that has been everywhere would only ever fail. What is
// answered at the port where contacts fail takes failures back, but earns nothing in advance.
void FirstContacts::forgive(const ContactKey& key) {
  const auto slot = sources_.find({key.source});
  if (slot == sources_.kNone) return;
  ContactSource& source = sources_[slot];
  if (source.walk.steps() > 0 && source.port.value == key.port) source.walk.success();
}

// A packet of a connection that is not refused: of who made it, or of who accepted it.
void FirstContacts::go_on(const Observation& packet) {
  acknowledge(packet);
  accept(packet);
}

FirstContacts::Contact* FirstContacts::unfinished(const ContactKey& key) {
  if (unfinished_[cell_of(key)] == 0) return nullptr;
  const auto slot = contacts_.find(key);
  if (slot == Contacts::kNone || contacts_[slot].state != State::answered) return nullptr;
  return &contacts_[slot];
}

void FirstContacts::acknowledge(const Observation& packet) {
  Contact* contact = unfinished(key_of(packet));
  if (contact != nullptr && contact->handshake == Handshake::none) contact->handshake = Handshake::acknowledged;
}

// The source has received the answer, or its acknowledgement would have been reset: it is not somebody else's address.
void FirstContacts::accept(const Observation& packet) {
  const ContactKey key = answered_by(packet);
  Contact* contact = unfinished(key);
  if (contact == nullptr || contact->handshake != Handshake::acknowledged) return;
  contact->handshake = Handshake::made;
  --unfinished_[cell_of(key)];
  ContactSource& source = source_of(key.source);
  source.confirmed = now_;
  listener_->confirmed(source, &contact->first);
}

void FirstContacts::confirm(const IpAddress& address, Timestamp since) {
  ContactSource& source = source_of(address);
  source.confirmed = std::max(source.confirmed, since);
  listener_->confirmed(source, nullptr);
}

void FirstContacts::refuse(const ContactKey& key, const Observation& packet) {
  const auto slot = contacts_.find(key);
  if (slot != Contacts::kNone) {
    // Routers speak, too, when a line is down.
    if (packet.kind == Observation::Kind::packet || packet.reporter == key.destination) hear_from(key);
    Contact& contact = contacts_[slot];
    const bool news = contact.state == State::waiting || contact.state == State::late;
    if (contact.state == State::waiting) fail(source_of(key.source), contact.first, contact.counted);
    if (contact.state != State::answered) settle(slot, State::failed);
    if (news) listener_->replied(contact.first);
    return;
  }
  // A reset without the ACK flag refuses something that was no SYN: an ACK scan. Clients that end a connection so send
  // from the higher port.
  if (packet.kind != Observation::Kind::packet || (packet.tcp_flags & kTcpAckAndFlags) != kTcpRst ||
      packet.source_port >= packet.destination_port || contacts_.find(key_of(packet)) != Contacts::kNone) {
    return;
  }
  Observation probe;
  probe.time = packet.time;
  probe.source = packet.destination;
  probe.destination = packet.source;
  probe.source_port = packet.destination_port;
  probe.destination_port = packet.source_port;
  probe.domain = packet.domain;
  fail(probe);
  listener_->replied(probe);
}

void FirstContacts::fail(const Observation& packet) {
  advance(packet.time);
  const auto slot = contacts_.find(key_of(packet));
  if (slot != Contacts::kNone && packet.transport != Transport::udp) {
    // Odd flags at a port that a connection was made to are odd all the same; a SYN's outcome is known otherwise.
    const bool is_syn = packet.transport == Transport::tcp && flag_group(packet.tcp_flags) == FlagGroup::synonly;
    if (is_syn || contacts_[slot].state == State::late || contacts_[slot].state == State::failed) return;
  }
  fail(source_of(packet.source), packet);
}

void FirstContacts::mark_counted(const Observation& packet) {
  if (const auto slot = contacts_.find(key_of(packet)); slot != Contacts::kNone) contacts_[slot].counted = true;
}

bool FirstContacts::fail(ContactSource& source, const Observation& first, bool counted) {
  if (is_excluded(first)) return false;
  const std::uint32_t hash = short_hash(key_of(first));
  if (std::find(source.recent_failures.begin(), source.recent_failures.end(), hash) != source.recent_failures.end())
    return false;
  if (!listener_->pursues(first) && is_outage(source, first)) {
    ++counters_.outage;
    return false;
  }
  source.recent_failures[source.next_failure++ % source.recent_failures.size()] = hash;
  ++counters_.failed;
  ++source.failed;
  source.walk.failure();
  source.port.add(first.destination_port);
  source.destination.add(first.destination);
  if (source.failed == kSuspiciousFailures) sources_.touch(sources_.find({source.address}), kSuspicious);
  listener_->failed(first, source, counted);
  return true;
}

void FirstContacts::ignore(const Observation& first) {
  if (is_traceroute(first.destination_port) || is_excluded(first)) return;
  ContactSource& source = source_of(first.source);
  if (!listener_->pursues(first) && is_outage(source, first)) return;
  if (!is_web(first.destination_port)) source.silent_port.add(first.destination_port);
  source.silent_destination.add(first.destination);
  if (source.silent_destination.votes >= kSilentPorts || source.silent_port.votes >= kSilentHosts) fail(source, first);
}

// The destination of `contact` has sent something.
void FirstContacts::hear_from(const ContactKey& contact) {
  if (!is_inside(contact.source) || is_inside(contact.destination)) return;
  unanswered_count_ = 0;
  outside_answered_ = now_;
}

// If several inside hosts fail outside and nobody there sends anybody anything, the line is down, not the hosts ill.
bool FirstContacts::is_outage(const ContactSource& source, const Observation& first) {
  if (!is_inside(source.address) || is_inside(first.destination)) return false;
  const auto end = unanswered_.begin() + static_cast<std::ptrdiff_t>(unanswered_count_);
  const bool known = std::find(unanswered_.begin(), end, source.address) != end;
  if (!known && unanswered_count_ < kOutageSources) unanswered_[unanswered_count_++] = source.address;
  return unanswered_count_ == kOutageSources && now_ - outside_answered_ >= kOutageSilence;
}

void FirstContacts::restart(const IpAddress& address) {
  const auto slot = sources_.find({address});
  if (slot == sources_.kNone) return;
  ContactSource& source = sources_[slot];
  source.walk = {};
  source.port = {};
  source.destination = {};
  source.silent_port = {};
  source.silent_destination = {};
  forget_streak(source);
}

bool FirstContacts::is_known(const Observation& packet) const {
  return contacts_.find(key_of(packet)) != Contacts::kNone;
}

bool FirstContacts::is_reply(const Observation& packet) const {
  return contacts_.find(answered_by(packet)) != Contacts::kNone;
}

bool FirstContacts::is_answered(const Observation& packet) const {
  const auto slot = contacts_.find(key_of(packet));
  return slot != Contacts::kNone && contacts_[slot].state == State::answered;
}

const ContactSource* FirstContacts::source(const IpAddress& address) const {
  const auto slot = sources_.find({address});
  return slot == sources_.kNone ? nullptr : &sources_[slot];
}

void FirstContacts::for_each_waiting(const IpAddress& source,
                                     const std::function<void(const Observation&)>& visit) const {
  for (const List list : {kOverdue, kWaiting}) {
    auto slot = contacts_.oldest(list);
    for (std::size_t i = 0; i < kMostVisited && slot != Contacts::kNone; ++i, slot = contacts_.newer(slot)) {
      const Observation& first = contacts_[slot].first;
      if (first.source == source && first.transport != Transport::udp) visit(first);
    }
  }
}

ContactSource& FirstContacts::source_of(const IpAddress& address) {
  auto slot = sources_.find({address});
  if (slot != sources_.kNone) {
    sources_.touch(slot, sources_.list(slot));
    return sources_[slot];
  }
  if (sources_.full()) {
    const auto unsuspicious = sources_.oldest(kUnsuspicious);
    sources_.erase(unsuspicious != sources_.kNone ? unsuspicious : sources_.oldest(kSuspicious));
    ++counters_.sources_forgotten;
  }
  slot = sources_.insert({address});
  sources_[slot].address = address;
  return sources_[slot];
}

bool FirstContacts::is_scanner(const ContactSource& source, Timestamp now) const {
  // Without a home network everybody may be an inside host.
  const bool inside = home_.contains(source.address);
  if (source.walk.scanner() &&
      (!inside || source.port.votes >= kCommonVotes || source.destination.votes >= kCommonVotes))
    return true;

  const std::int32_t common = std::max(source.streak_port.votes, source.streak_destination.votes);
  const bool web_page = source.streak_port.votes >= source.streak_destination.votes && is_web(source.streak_port.value);
  if (inside && web_page) return false;
  const bool a_while = now - source.streak_start >= kAWhile;
  return (common >= static_cast<std::int32_t>(kStreakAfterAWhile) && a_while) ||
         (common >= static_cast<std::int32_t>(kStreakAtOnce));
}

std::size_t FirstContacts::bytes() const {
  return contacts_.size() * Contacts::bytes_per_entry() + sources_.size() * Sources::bytes_per_entry() +
         unfinished_.size() * sizeof(unfinished_[0]);
}

std::size_t FirstContacts::most_bytes(std::uint32_t most) {
  most = std::max(most, kLeastContacts);
  return most * Contacts::bytes_per_entry() + most / 4 * Sources::bytes_per_entry() +
         kHandshakeCells * sizeof(std::uint32_t);
}

}  // namespace spidd

std::size_t std::hash<spidd::ContactKey>::operator()(const spidd::ContactKey& key) const noexcept {
  return std::hash<spidd::WaitingKey>{}(
      {key.source, key.destination, static_cast<std::uint16_t>(key.transport), key.port, 0});
}

std::size_t std::hash<spidd::HostKey>::operator()(const spidd::HostKey& key) const noexcept {
  return std::hash<spidd::WaitingKey>{}({key.address, {}, 0, 0, key.tag});
}
