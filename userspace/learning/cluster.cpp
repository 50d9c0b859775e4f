// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/cluster.h"

#include <algorithm>
#include <cmath>

#include "userspace/base/fnv1a.h"
#include "userspace/report/events.h"

namespace spidd {

namespace {

constexpr float kThresholdShare = 0.3F;  // of the median score of members
constexpr float kLeastThreshold = 0.1F;
constexpr float kMostThreshold = 0.4F;

SampleFlow sample_of(const SettledFlow& flow) {
  SampleFlow sample;
  sample.flow_id = event_flow_id(flow.key, flow.start);
  sample.client = flow.client;
  sample.server = flow.server;
  for (unsigned i = 0; i < flow.samples; ++i) {
    const PayloadPacket& packet = flow.sample[i];
    sample.packets.push_back(
        {packet.direction, packet.length, {packet.bytes.begin(), packet.bytes.begin() + packet.captured}});
  }
  return sample;
}

}  // namespace

std::string_view cluster_state_name(ClusterState state) {
  switch (state) {
    case ClusterState::anonymous:
      return "anonymous";
    case ClusterState::provisional:
      return "provisional";
    case ClusterState::confirmed:
      return "confirmed";
  }
  return "anonymous";
}

void Cluster::add(const SettledFlow& flow, Duration occasion_gap, std::size_t most_bins) {
  if (flows == 0) {
    transport = model_transport(flow.key.transport);
    first_seen = last_seen = flow.time;
  }
  if (occasions == 0 || flow.time - occasion_began > occasion_gap) {
    ++occasions;
    occasion_began = flow.time;
    clients.begin_anew();
    pairs.begin_anew();
  }
  counters.add(flow.fingerprint, most_bins);
  ++flows;
  payload_packets += flow.fingerprint.payload_packets;
  last_seen = std::max(last_seen, flow.time);
  servers.add(flow.server);
  ports.add(flow.server.port);
  clients.add(flow.client.address);
  server_hosts.add(flow.server.address);
  pairs.add(pair_hash(flow));
  if (samples.size() < kSampleFlows) samples.push_back(sample_of(flow));
  members.push_back(flow.fingerprint);
  if (members.size() > kMembers) members.pop_front();
}

void Cluster::merge(const Cluster& other, Duration occasion_gap, std::size_t most_bins) {
  const bool apart = other.first_seen - last_seen > occasion_gap || first_seen - other.last_seen > occasion_gap;
  occasions = apart ? occasions + other.occasions : std::max(occasions, other.occasions);
  occasion_began = std::max(occasion_began, other.occasion_began);
  counters.merge(other.counters, most_bins);
  flows += other.flows;
  payload_packets += other.payload_packets;
  first_seen = std::min(first_seen, other.first_seen);
  last_seen = std::max(last_seen, other.last_seen);
  servers.merge(other.servers);
  ports.merge(other.ports);
  clients.merge(other.clients);
  server_hosts.merge(other.server_hosts);
  pairs.merge(other.pairs);
  for (const SampleFlow& sample : other.samples)
    if (samples.size() < kSampleFlows) samples.push_back(sample);
  if (state == ClusterState::confirmed) return;
  // The newest of both, so that neither half speaks for the whole.
  for (std::size_t i = 0; i < other.members.size() && members.size() > kMembers / 2; ++i) members.pop_front();
  for (auto member = other.members.rbegin(); member != other.members.rend() && members.size() < kMembers; ++member)
    members.push_back(*member);
}

double Cluster::weight(Timestamp now, Duration half_life) const {
  const double age = std::max(0.0, std::chrono::duration<double>(now - last_seen).count());
  return flows * std::exp2(-age / std::chrono::duration<double>(half_life).count());
}

void Cluster::measure_consistency(const LogRatioScorer& scorer) {
  if (members.empty()) return;
  std::vector<float> scores;
  for (const Fingerprint& member : members) scores.push_back(scorer.score_left_out(member, counters));
  const auto middle = scores.begin() + static_cast<std::ptrdiff_t>(scores.size() / 2);
  std::ranges::nth_element(scores, middle);
  consistency = *middle;
  threshold = std::clamp(kThresholdShare * consistency, kLeastThreshold, kMostThreshold);
}

std::uint64_t Cluster::content_hash() const {
  std::array<const SparseCounters::Row*, kMeterCount> mode{};
  for (const SparseCounters::Row& row : counters.rows()) {
    const SparseCounters::Row*& most = mode[row.row / kBinsPerMeter];
    if (most == nullptr || row.count > most->count) most = &row;
  }
  Fnv1a64 hash;
  hash.add(static_cast<std::uint8_t>(transport));
  for (const SparseCounters::Row* row : mode)
    if (row != nullptr) hash.add(row->row);
  return hash.value();
}

ProtocolModel Cluster::to_model() const {
  ProtocolModel model;
  model.label = name;
  model.family = family;
  model.category = category;
  model.transport = transport;
  model.origin = Origin::learned;
  model.provisional = state != ClusterState::confirmed;
  model.flows = flows;
  model.captures = std::max(occasions, static_cast<std::uint32_t>(clients.size()));
  model.payload_packets = payload_packets;
  model.threshold = threshold;
  counters.add_to(model);
  return model;
}

std::uint64_t pair_hash(const SettledFlow& flow) {
  Fnv1a64 hash;
  hash.add(flow.client.address.bytes);
  hash.add(flow.server.address.bytes);
  hash.add(flow.server.port);
  return hash.value();
}

}  // namespace spidd
