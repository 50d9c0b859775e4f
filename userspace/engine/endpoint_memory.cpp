// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/endpoint_memory.h"

#include <algorithm>

#include "userspace/base/fnv1a.h"

namespace spidd {

namespace {

constexpr std::uint32_t kConfirmingFlows = 3;
constexpr std::uint32_t kMostFlows = 1U << 20U;  // then the counts stand still: shares of so many do not change

// A capture's clock may jump back: what lies in the future is as fresh as what is now.
bool is_fresh(Timestamp last, Timestamp now, Duration lifetime) { return now - last < lifetime; }

std::size_t hash_of(const IpAddress& low, const IpAddress& high, std::uint16_t port, Transport transport) {
  FlowKey key;
  key.low = low;
  key.high = high;
  key.port_high = port;
  key.transport = transport;
  return std::hash<FlowKey>{}(key);
}

}  // namespace

ServerKey server_key(const Flow& flow) {
  const Endpoint server = flow.server();
  const bool has_ports = flow.key.transport == Transport::tcp || flow.key.transport == Transport::udp;
  return {server.address, has_ports ? server.port : std::uint16_t{0}, flow.key.transport};
}

std::uint64_t label_id(std::string_view label) {
  if (label.empty()) return 0;
  const std::uint64_t hash = fnv1a64(label);
  return hash == 0 ? 1 : hash;
}

void EndpointRecord::add(const EndpointObservation& flow) {
  last = std::max(last, flow.time);
  if (flows >= kMostFlows) return;
  ++flows;
  mean_tunnel_margin += (flow.tunnel_margin - mean_tunnel_margin) / static_cast<float>(flows);
  if (flow.tunnel) ++tunnels;
  if (flow.label == 0) {
    ++unknown;
    if (flow.fully_encrypted) ++encrypted;
    label_flows = 0;
    return;
  }
  if (flow.family != family) family_flows = 0;
  if (flow.label != label) label_flows = 0;
  family = flow.family;
  label = flow.label;
  ++family_flows;
  ++label_flows;
}

std::uint32_t EndpointRecord::agreeing(const EndpointObservation& flow) const {
  if (flow.tunnel) return tunnels;
  if (flow.label == 0) return flow.fully_encrypted ? encrypted : unknown;
  return flow.family == family ? family_flows : 0;
}

std::uint64_t EndpointRecord::confirmed_label() const { return label_flows >= kConfirmingFlows ? label : 0; }

EndpointRecord EndpointTable::find(const ServerKey& server, Timestamp now) const {
  const auto slot = servers_.find(server);
  if (slot == LruTable<ServerKey, EndpointRecord>::kNone || !is_fresh(servers_[slot].last, now, limits_.lifetime))
    return {};
  return servers_[slot];
}

void EndpointTable::add(const EndpointObservation& flow) {
  auto slot = servers_.find(flow.server);
  if (slot == LruTable<ServerKey, EndpointRecord>::kNone) {
    if (servers_.full()) servers_.erase(servers_.oldest());
    slot = servers_.insert(flow.server);
  } else if (!is_fresh(servers_[slot].last, flow.time, limits_.lifetime)) {
    servers_[slot] = {};
  }
  servers_.touch(slot);
  servers_[slot].add(flow);
}

bool HostPairTable::has(const HostPair& pair, Timestamp now) const {
  const auto slot = pairs_.find(pair);
  return slot != LruTable<HostPair, Timestamp>::kNone && is_fresh(pairs_[slot], now, lifetime_);
}

void HostPairTable::add(const HostPair& pair, Timestamp now) {
  auto slot = pairs_.find(pair);
  if (slot == LruTable<HostPair, Timestamp>::kNone) {
    if (pairs_.full()) pairs_.erase(pairs_.oldest());
    slot = pairs_.insert(pair);
  }
  pairs_.touch(slot);
  pairs_[slot] = now;
}

EndpointRecord SharedEndpointMemory::recall(const ServerKey& server, const IpAddress&, Timestamp now) {
  const std::lock_guard lock(mutex_);
  return servers_.find(server, now);
}

void SharedEndpointMemory::observe(const EndpointObservation& flow) {
  const std::lock_guard lock(mutex_);
  servers_.add(flow);
}

bool SharedEndpointMemory::speak_ftp(const HostPair& hosts, Timestamp now) {
  const std::lock_guard lock(mutex_);
  return ftp_.has(hosts, now);
}

void SharedEndpointMemory::note_ftp(const HostPair& hosts, Timestamp now) {
  const std::lock_guard lock(mutex_);
  ftp_.add(hosts, now);
}

}  // namespace spidd

std::size_t std::hash<spidd::ServerKey>::operator()(const spidd::ServerKey& key) const noexcept {
  return spidd::hash_of(key.address, {}, key.port, key.transport);
}

std::size_t std::hash<spidd::HostPair>::operator()(const spidd::HostPair& pair) const noexcept {
  return spidd::hash_of(pair.low, pair.high, 0, spidd::Transport::tcp);
}
