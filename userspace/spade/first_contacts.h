// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Who contacts whom for the first time, and what comes of it: what threshold random walks (trw.h) are made of. Source:
// spade.md 12.7.4.
//
// A contact is (source, destination, port). TCP: a SYN; SYN-ACK answers it, RST refuses it, silence fails it. ICMP: an
// echo request alike. UDP: any packet that is no reply; it fails only if somebody says so, because much of UDP is one
// way, or as one of many (ports of one host, or hosts at one port) of which none answers. Contacts seen before are no
// first contacts and count no more, whatever their outcome.
//
// Not thread-safe. Bounded: the oldest settled contacts are forgotten first, then the oldest that wait; of sources
// those without failures.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "userspace/base/lru_table.h"
#include "userspace/capture/observation.h"
#include "userspace/spade/packet_class.h"
#include "userspace/spade/trw.h"

namespace spidd {

// Majority vote (Boyer and Moore): the value of more than half of what was seen, if there is one.
template <class T>
struct Majority {
  T value{};
  std::int32_t votes = 0;

  void add(const T& seen) {
    if (votes == 0) value = seen;
    votes += seen == value ? 1 : -1;
  }
};

struct ContactKey {
  IpAddress source;
  IpAddress destination;
  std::uint16_t port = 0;  // of the destination
  Transport transport = Transport::tcp;

  bool operator==(const ContactKey&) const = default;
};

// One host, and what else `tag` tells apart.
struct HostKey {
  IpAddress address;
  std::uint32_t tag = 0;

  bool operator==(const HostKey&) const = default;
};

struct ContactSource {
  IpAddress address;
  ThresholdRandomWalk walk;
  std::uint32_t answered = 0;
  std::uint32_t failed = 0;
  Timestamp confirmed;       // when a connection of its own was last known to be made: both ends went on
  float answer_seconds = 0;  // moving average

  // Of what failed.
  Majority<std::uint16_t> port;
  Majority<IpAddress> destination;
  std::array<std::uint32_t, 8> recent_failures{};  // hashes of contacts: a contact that was forgotten fails once
  std::uint8_t next_failure = 0;

  // UDP contacts that nobody answered: to one port or one host, since anybody answered there.
  Majority<std::uint16_t> silent_port;
  Majority<IpAddress> silent_destination;

  // First contacts since the last answer.
  std::uint32_t streak = 0;
  Timestamp streak_start;
  Majority<std::uint16_t> streak_port;
  Majority<IpAddress> streak_destination;
};

}  // namespace spidd

template <>
struct std::hash<spidd::ContactKey> {
  std::size_t operator()(const spidd::ContactKey& key) const noexcept;
};

template <>
struct std::hash<spidd::HostKey> {
  std::size_t operator()(const spidd::HostKey& key) const noexcept;
};

namespace spidd {

bool is_echo_request(const Observation& packet);

class FirstContacts {
 public:
  // No answer for so long is a failure, which a late answer takes back, for sources that are used to quicker answers.
  static constexpr Duration kLate = std::chrono::milliseconds(300);
  static constexpr float kQuickAnswerSeconds = 0.1F;
  static constexpr Duration kTimeout = std::chrono::seconds(3);

  struct Counters {
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::uint64_t contacts_forgotten = 0;  // while they waited for an outcome
    std::uint64_t sources_forgotten = 0;
    std::uint64_t outage = 0;  // failures that were not counted, because nobody outside answered anybody inside
  };

  class Listener {
   public:
    virtual ~Listener() = default;
    // Said once a contact; `first` is its first packet.
    virtual void contacted(const Observation& first, const ContactSource& source) = 0;
    // `counted`: mark_counted() was called for it.
    virtual void failed(const Observation& first, const ContactSource& source, bool counted) = 0;
    // Somebody replied to a contact: SYN-ACK, reset, "unreachable", UDP or echo reply. Said again if a contact that was
    // answered before is answered again.
    virtual void replied(const Observation& first) = 0;
    // An incident of its source is open, and the contact is one of those that it is about: it is no sign of an outage
    // that it fails.
    virtual bool pursues(const Observation& first) const = 0;
    // The source's connection is made. `first`: its contact; nothing: known from elsewhere.
    virtual void confirmed(const ContactSource& source, const Observation* first) = 0;
  };

  // `most`: contacts that are remembered, and of sources a quarter of that.
  FirstContacts(std::uint32_t most, HomeNetwork home, Listener& listener);

  // Contacts of which this is true are remembered, for the sake of their answers, but say nothing of their source.
  // None: all do.
  using Exclusion = std::function<bool(const Observation&)>;
  void set_exclusion(Exclusion exclusion) { exclusion_ = std::move(exclusion); }

  void observe(const Observation& observation);
  void advance(Timestamp now);

  // A packet that fails without being a contact: odd flags, a destination that is not there. Counted once a contact.
  void fail(const Observation& packet);
  // The contact that the packet is of has been evidence of something else before its outcome is known.
  void mark_counted(const Observation& packet);
  // It has made a connection elsewhere, begun at `since`.
  void confirm(const IpAddress& source, Timestamp since);

  // What the source did so far has been reported: its walk begins anew.
  void restart(const IpAddress& source);

  // Its source went there, and that is remembered.
  bool is_known(const Observation& packet) const;
  // UDP: goes to who contacted its sender.
  bool is_reply(const Observation& packet) const;
  // Somebody answered when it went there, this time or before.
  bool is_answered(const Observation& packet) const;

  // Nothing is known of a source that made no contacts.
  const ContactSource* source(const IpAddress& address) const;
  // Goes to so many places without an answer, or fails so often, that it is a scanner (rules in the .cpp).
  bool is_scanner(const ContactSource& source, Timestamp now) const;

  // The first packets of its contacts that wait for an answer; of very many that wait, only the oldest are looked at.
  void for_each_waiting(const IpAddress& source, const std::function<void(const Observation&)>& visit) const;

  const Counters& counters() const { return counters_; }
  std::size_t bytes() const;
  // What bytes() can never exceed. `most`: as in the constructor.
  static std::size_t most_bytes(std::uint32_t most);

 private:
  enum class State : std::uint8_t { waiting, late, answered, failed };
  // Of a TCP contact that was answered: has its source gone on, has the other end gone on after that? Anybody can send
  // an acknowledgement blindly in another's name, but then nothing except a reset comes back.
  enum class Handshake : std::uint8_t { none, acknowledged, made };
  struct Contact {
    Observation first;
    State state = State::waiting;
    Handshake handshake = Handshake::none;
    bool counted = false;
  };
  enum List : unsigned { kWaiting, kOverdue, kSettled };
  using Contacts = LruTable<ContactKey, Contact, 3>;
  enum SourceList : unsigned { kUnsuspicious, kSuspicious };

  void begin(const Observation& packet);
  void forget_oldest();
  void answer(const ContactKey& key, Timestamp now);
  void credit(const Contact& contact, Timestamp now);
  void forgive(const ContactKey& key);
  void go_on(const Observation& packet);
  void acknowledge(const Observation& packet);
  void accept(const Observation& packet);
  Contact* unfinished(const ContactKey& key);
  void refuse(const ContactKey& key, const Observation& packet);
  bool fail(ContactSource& source, const Observation& first, bool counted = false);
  void ignore(const Observation& first);
  bool is_outage(const ContactSource& source, const Observation& first);
  void hear_from(const ContactKey& contact);
  bool is_inside(const IpAddress& address) const { return !home_.everything() && home_.contains(address); }
  bool is_excluded(const Observation& first) const { return exclusion_ && exclusion_(first); }
  ContactSource& source_of(const IpAddress& address);
  void settle(Contacts::Slot slot, State state);

  HomeNetwork home_;
  Listener* listener_;
  Exclusion exclusion_;
  Contacts contacts_;
  using Sources = LruTable<HostKey, ContactSource, 2>;
  Sources sources_;
  // How many contacts of a hash are answered but not made: most packets are of none, and looked up nowhere.
  std::vector<std::uint32_t> unfinished_;
  Counters counters_;
  Timestamp now_;

  // Inside sources that failed outside since anybody there answered or refused anybody here.
  static constexpr std::size_t kOutageSources = 3;
  static constexpr Duration kOutageSilence = std::chrono::seconds(2);
  Timestamp outside_answered_;
  std::array<IpAddress, kOutageSources> unanswered_;
  std::size_t unanswered_count_ = 0;
};

}  // namespace spidd
