// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_review.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

namespace spidd {

namespace {

constexpr std::array<std::string_view, 6> kDoubtNames = {"tunnel",      "touched", "mixed",
                                                         "near_tunnel", "unnamed", "few_flows"};

// Single flows come near some tunnel anywhere; a service does when that is its way.
constexpr std::uint64_t kNearShare = 4;

using Place = std::pair<Endpoint, Transport>;
Place place_of(const SiteKey& key) { return {key.server, key.transport}; }

bool was_suspected(const SiteService& service) { return service.tunnel_alerts > 0 || service.touched > 0; }

std::vector<SiteDoubt> doubts_of(const SiteService& service, const std::map<Place, std::size_t>& suspected,
                                 std::uint64_t few_flows) {
  std::vector<SiteDoubt> doubts;
  const auto here = suspected.find(place_of(service.key));
  const std::size_t others = here == suspected.end() ? 0 : here->second - (was_suspected(service) ? 1 : 0);
  if (service.tunnel_alerts > 0) doubts.push_back(SiteDoubt::tunnel);
  if (service.touched > 0) doubts.push_back(SiteDoubt::touched);
  if (others > 0) doubts.push_back(SiteDoubt::mixed);
  if (service.tunnel_near * kNearShare > service.flows) doubts.push_back(SiteDoubt::near_tunnel);
  if (service.key.label == kUnknownLabel) doubts.push_back(SiteDoubt::unnamed);
  if (service.flows < few_flows) doubts.push_back(SiteDoubt::few_flows);
  return doubts;
}

}  // namespace

std::string_view site_doubt_name(SiteDoubt doubt) { return kDoubtNames[static_cast<std::size_t>(doubt)]; }

std::string reason_of(SiteDoubt doubt, const SiteService& service) {
  switch (doubt) {
    case SiteDoubt::tunnel:
      return fmt::format("{} of {} flows look like a tunnel, by up to {:+.2f} bits", service.tunnel_alerts,
                         service.flows, service.tunnel_margin_max);
    case SiteDoubt::touched:
      return fmt::format("{} of {} flows were alerted or blocked: these are not learned", service.touched,
                         service.flows);
    case SiteDoubt::mixed:
      return "other flows to this port look like a tunnel, or were alerted or blocked";
    case SiteDoubt::near_tunnel:
      return fmt::format("a tunnel is near in {} of {} flows, at best {:+.2f} bits from it", service.tunnel_near,
                         service.flows, service.tunnel_margin_max);
    case SiteDoubt::unnamed:
      return "no model knows it: say what it is with --as";
    case SiteDoubt::few_flows:
      return fmt::format("only {} flows", service.flows);
  }
  return {};
}

std::vector<SiteReviewRow> review_services(const std::map<SiteKey, SiteService>& services,
                                           const std::map<SiteKey, SiteRecord>& decided, std::uint64_t few_flows) {
  std::map<Place, std::size_t> suspected;
  for (const auto& [key, service] : services)
    if (was_suspected(service)) ++suspected[place_of(key)];
  std::vector<SiteReviewRow> rows;
  for (const auto& [key, service] : services) {
    const auto decision = decided.find(key);
    rows.push_back({&service, decision == decided.end() ? SiteState::recorded : decision->second.state,
                    doubts_of(service, suspected, few_flows)});
  }
  constexpr int kNoDoubt = static_cast<int>(kDoubtNames.size());
  std::ranges::stable_sort(rows, {}, [](const SiteReviewRow& row) {
    return std::tuple(row.doubts.empty() ? kNoDoubt : static_cast<int>(row.doubts.front()), ~row.service->tunnel_alerts,
                      ~row.service->touched, ~row.service->flows);
  });
  return rows;
}

}  // namespace spidd
