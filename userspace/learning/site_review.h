// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What an operator should look at before accepting services: each with the reasons to doubt that it is what it was
// named. Pure.
#pragma once

#include <map>
#include <vector>

#include "userspace/learning/site_file.h"

namespace spidd {

// From what weighs most.
enum class SiteDoubt : std::uint8_t {
  tunnel,       // flows of it were named tunnels
  touched,      // flows of it were alerted or blocked
  mixed,        // other flows to the same port were named tunnels, alerted or blocked
  near_tunnel,  // a tunnel model came near
  unnamed,      // nothing is known of it
  few_flows,    // too few to say
};
std::string_view site_doubt_name(SiteDoubt doubt);  // "tunnel", "touched", ...

struct SiteReviewRow {
  const SiteService* service = nullptr;
  SiteState state = SiteState::recorded;  // accepted: flows since then
  std::vector<SiteDoubt> doubts;          // the heaviest first; empty: nothing speaks against it

  bool is_clear() const { return doubts.empty(); }
  // What only an operator who names the service may accept.
  bool looks_like_tunnel() const { return !doubts.empty() && doubts.front() <= SiteDoubt::near_tunnel; }
};

// The reason for the administrator: "12 of 40 flows were alerted or blocked: they are not learned".
std::string reason_of(SiteDoubt doubt, const SiteService& service);

// Doubtful ones first, then those with the most flows. `decided`: what was said of services before. Rows point into
// `services`.
std::vector<SiteReviewRow> review_services(const std::map<SiteKey, SiteService>& services,
                                           const std::map<SiteKey, SiteRecord>& decided, std::uint64_t few_flows);

}  // namespace spidd
