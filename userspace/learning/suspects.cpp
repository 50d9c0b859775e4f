// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/suspects.h"

#include <algorithm>

namespace spidd {

namespace {

constexpr unsigned kHostLength = 128;

EndpointTarget server_of(const SettledFlow& flow) {
  const bool has_ports = flow.key.transport == Transport::tcp || flow.key.transport == Transport::udp;
  return {flow.server.address, has_ports ? flow.server.port : std::uint16_t{0}, flow.key.transport};
}

}  // namespace

bool stops(const BlockTarget& target, const SettledFlow& flow) {
  if (const auto* host = std::get_if<HostTarget>(&target))
    return host->prefix.contains(flow.client.address) || host->prefix.contains(flow.server.address);
  if (const auto* endpoint = std::get_if<EndpointTarget>(&target)) return *endpoint == server_of(flow);
  return std::get<FlowTarget>(target).key == flow.key;
}

void Suspects::add(const BlockTarget& target, Timestamp until) {
  if (limit_ == 0) return;
  if (!until_.contains(target) && until_.size() >= limit_) {
    const auto first = std::ranges::min_element(until_, {}, [](const auto& entry) { return entry.second; });
    if (const auto* host = std::get_if<HostTarget>(&first->first)) networks_.erase(host->prefix);
    until_.erase(first);
  }
  Timestamp& end = until_[target];
  end = std::max(end, until);
  const auto* const host = std::get_if<HostTarget>(&target);
  if (host != nullptr && host->prefix.length < kHostLength) networks_[host->prefix] = end;
}

void Suspects::remove(const BlockTarget& target) {
  until_.erase(target);
  if (const auto* const host = std::get_if<HostTarget>(&target)) networks_.erase(host->prefix);
}

bool Suspects::touch(const SettledFlow& flow) const {
  if (until_.empty()) return false;
  const auto is_one = [&](const BlockTarget& target) {
    const auto found = until_.find(target);
    return found != until_.end() && flow.start < found->second;
  };
  return is_one(FlowTarget{flow.key}) || is_one(server_of(flow)) ||
         is_one(HostTarget{IpPrefix::of_host(flow.client.address)}) ||
         is_one(HostTarget{IpPrefix::of_host(flow.server.address)}) ||
         std::ranges::any_of(networks_, [&](const auto& network) {
           return flow.start < network.second && stops(HostTarget{network.first}, flow);
         });
}

}  // namespace spidd
