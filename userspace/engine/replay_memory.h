// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The memory of endpoints for a replay on several threads: what a worker knows must not depend on how far the others
// are. A worker sees the common table as it stood at the last merge, and at once what was seen between the same two
// hosts, all of whose flows are its own. Between batches the caller merges what all workers have seen, in the order of
// records.
#pragma once

#include <unordered_map>
#include <vector>

#include "userspace/engine/endpoint_memory.h"

namespace spidd {

class ReplayMemory final : public EndpointMemory {
 public:
  struct Note {
    std::uint64_t sequence = 0;  // of the record that led to it
    EndpointObservation flow;
  };

  // `common` must outlive this, and change only while no engine uses this.
  ReplayMemory(const EndpointTable& common, const EndpointLimits& limits)
      : common_(common), ftp_(limits.ftp_pairs, limits.lifetime) {}

  // Number of the record that is being worked on.
  void at(std::uint64_t sequence) { sequence_ = sequence; }

  // What was observed since the last call, for the common table.
  std::vector<Note> take();

  EndpointRecord recall(const ServerKey& server, const IpAddress& client, Timestamp now) override;
  void observe(const EndpointObservation& flow) override;
  bool speak_ftp(const HostPair& hosts, Timestamp now) override { return ftp_.has(hosts, now); }
  void note_ftp(const HostPair& hosts, Timestamp now) override { ftp_.add(hosts, now); }

 private:
  struct Visit {
    ServerKey server;
    IpAddress client;
    bool operator==(const Visit&) const = default;
  };
  struct HashVisit {
    std::size_t operator()(const Visit& visit) const noexcept {
      return std::hash<ServerKey>{}(visit.server) * 3 +
             std::hash<HostPair>{}(HostPair(visit.server.address, visit.client));
    }
  };

  const EndpointTable& common_;
  HostPairTable ftp_;
  std::uint64_t sequence_ = 0;
  std::vector<Note> notes_;
  std::unordered_map<Visit, std::vector<std::size_t>, HashVisit> visits_;  // indices into notes_
};

// Adds what the workers have seen to the common table, in the order of a single worker.
void merge(std::vector<ReplayMemory::Note> notes, EndpointTable& common);

}  // namespace spidd
