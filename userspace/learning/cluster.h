// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Flows that resemble one another and no model: what was measured of them, where they were seen, and what they have
// become. Bounded: about 90 KiB (userspace/learning/README.md).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/learning/settled_flow.h"
#include "userspace/learning/sketches.h"
#include "userspace/spid/log_ratio.h"

namespace spidd {

enum class ClusterState : std::uint8_t {
  anonymous,    // too little was seen of it
  provisional,  // promoted: has a name and is recognised, but never blocks
  confirmed,    // an operator named it: learns no more by itself
};
std::string_view cluster_state_name(ClusterState state);

// A flow for people to look at.
struct SampleFlow {
  struct Packet {
    Direction direction = Direction::to_server;
    std::uint32_t length = 0;
    std::vector<std::uint8_t> bytes;  // the first ones, at most kSnapLength
  };
  std::uint64_t flow_id = 0;  // as in events
  Endpoint client;
  Endpoint server;
  std::vector<Packet> packets;  // at most kSamplePackets
};

struct Cluster {
  static constexpr std::size_t kSampleFlows = 3;
  static constexpr std::size_t kMembers = 8;

  std::uint32_t id = 0;  // never used twice in one state directory
  ClusterState state = ClusterState::anonymous;
  std::string name;  // of a promoted one; once given it stays until the operator gives another
  std::string family;
  Category category = Category::plain;
  Transport transport = Transport::tcp;
  SparseCounters counters;
  std::uint32_t flows = 0;
  std::uint64_t payload_packets = 0;
  Timestamp first_seen;
  Timestamp last_seen;
  std::uint32_t occasions = 0;  // see LearnerSettings::occasion_gap
  Timestamp occasion_began;
  float consistency = 0;              // median of the scores of members left out; 0 = not known yet
  float threshold = 0;                // of its model
  std::uint32_t published_flows = 0;  // when its model was last given out
  SpaceSaving<Endpoint, 8> servers;
  SpaceSaving<std::uint16_t, 8> ports;
  Shares<IpAddress, 64> clients;
  Shares<IpAddress, 64> server_hosts;
  Shares<std::uint64_t, 128> pairs;  // hash of client address and server endpoint
  std::vector<SampleFlow> samples;
  std::deque<Fingerprint> members;  // the newest ones, to find its consistency; none of a confirmed one

  void add(const SettledFlow& flow, Duration occasion_gap, std::size_t most_bins);

  // Takes over everything but id, state, name, family and category.
  void merge(const Cluster& other, Duration occasion_gap, std::size_t most_bins);

  // Worth keeping: flows * 2^(-age / half_life).
  double weight(Timestamp now, Duration half_life) const;

  // Sets consistency and threshold from the members, each left out of the counters.
  void measure_consistency(const LogRatioScorer& scorer);

  // From what is most frequent in its counters: the same for the same counters, hardly ever for others.
  std::uint64_t content_hash() const;

  ProtocolModel to_model() const;
};

std::uint64_t pair_hash(const SettledFlow& flow);

}  // namespace spidd
