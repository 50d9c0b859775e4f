// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The inside of Incidents. A packet's way is in incidents.cpp, what speaks against a host in incident_evidence.cpp,
// cases from their beginning to their end in incident_life.cpp, restarts in incident_save.cpp.
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/base/lru_table.h"
#include "userspace/spade/burst.h"
#include "userspace/spade/first_contacts.h"
#include "userspace/spade/incident_case.h"
#include "userspace/spade/incidents.h"

namespace spidd {

IncidentFamily family_of(DetectorType type);  // that its alerts are evidence of

// Of the case of a host (HostKey).
inline std::uint32_t tag_of(IncidentSide side, IncidentFamily family) {
  return 1 + static_cast<std::uint32_t>(side) * 4 + static_cast<std::uint32_t>(family);
}

struct Incidents::State : FirstContacts::Listener {
  // Open incidents that stay open longer than others wait in a list of their own, so that they hide nothing that is
  // due.
  enum List : unsigned { kCases, kOpen, kPatient };
  using Cases = LruTable<HostKey, IncidentCase, 3>;
  static constexpr std::uint32_t kRepliesThatConfirm = 2;

  State(const SpadeExtensions& wanted, HomeNetwork home_network, std::uint64_t hash_seed, IncidentSink& receiver);

  void contacted(const Observation& first, const ContactSource& source) override;
  void failed(const Observation& first, const ContactSource& source, bool counted) override;
  void replied(const Observation& first) override;
  bool pursues(const Observation& first) const override;
  void confirmed(const ContactSource& source, const Observation* first) override;

  bool is_excluded(const Observation& packet) const { return excluded && excluded(packet); }
  bool is_inside(const IpAddress& address) const { return !home.everything() && home.contains(address); }

  IncidentCase* find(const IpAddress& host, IncidentSide side, IncidentFamily family);
  const IncidentCase* find(const IpAddress& host, IncidentSide side, IncidentFamily family) const;
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

}  // namespace spidd
