// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What earlier flows say about a new one: verdicts by server endpoint, and hosts between which FTP is spoken. A verdict
// on one flow may be wrong; the same verdict on several flows to one server is evidence. Bounded: the server and the
// pair of hosts that were quiet for longest go first, and all are forgotten an hour after their last flow.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "userspace/base/lru_table.h"
#include "userspace/flow/flow.h"

namespace spidd {

struct ServerKey {
  IpAddress address;
  std::uint16_t port = 0;  // 0 for ICMP
  Transport transport = Transport::tcp;

  auto operator<=>(const ServerKey&) const = default;
};
ServerKey server_key(const Flow& flow);

// In either order the same.
struct HostPair {
  HostPair() = default;
  HostPair(const IpAddress& a, const IpAddress& b) : low(a < b ? a : b), high(a < b ? b : a) {}
  IpAddress low;
  IpAddress high;

  auto operator<=>(const HostPair&) const = default;
};

}  // namespace spidd

template <>
struct std::hash<spidd::ServerKey> {
  std::size_t operator()(const spidd::ServerKey& key) const noexcept;
};

template <>
struct std::hash<spidd::HostPair> {
  std::size_t operator()(const spidd::HostPair& pair) const noexcept;
};

namespace spidd {

// A name that outlives a change of models; 0 = none. FNV-1a of the text.
std::uint64_t label_id(std::string_view label);

// One flow with a verdict of its own.
struct EndpointObservation {
  ServerKey server;
  IpAddress client;
  Timestamp time;
  std::uint64_t flow = 0;   // hash of its key and start
  std::uint64_t label = 0;  // label_id()s; 0 unless identified
  std::uint64_t family = 0;
  bool tunnel = false;           // of category tunnel, whichever tool
  bool fully_encrypted = false;  // without a name
  float tunnel_margin = 0;
};

struct EndpointRecord {
  Timestamp last;
  std::uint64_t label = 0;   // of the last identified flows ...
  std::uint64_t family = 0;  // ... all of which are of this family
  std::uint32_t flows = 0;
  std::uint32_t tunnels = 0;
  std::uint32_t encrypted = 0;     // without a name, random from the first byte
  std::uint32_t unknown = 0;       // without a name, the encrypted ones included
  std::uint32_t family_flows = 0;  // of `family`, since another was seen
  std::uint32_t label_flows = 0;   // of `label`, the same
  float mean_tunnel_margin = 0;    // over all flows

  void add(const EndpointObservation& flow);
  // How many of the flows agree with this one: tunnels with a tunnel, labels with their family.
  std::uint32_t agreeing(const EndpointObservation& flow) const;
  // The label that at least three flows in a row had, and none another; else 0.
  std::uint64_t confirmed_label() const;
};

struct EndpointLimits {
  std::uint32_t servers = 65536;  // about 100 bytes each
  std::uint32_t ftp_pairs = 4096;
  Duration lifetime = std::chrono::hours(1);
};

// The tables themselves. Not thread-safe.
class EndpointTable {
 public:
  explicit EndpointTable(const EndpointLimits& limits) : limits_(limits), servers_(limits.servers) {}

  EndpointRecord find(const ServerKey& server, Timestamp now) const;  // all zero if nothing is known
  void add(const EndpointObservation& flow);
  std::uint32_t size() const { return servers_.size(); }

 private:
  EndpointLimits limits_;
  LruTable<ServerKey, EndpointRecord> servers_;
};

class HostPairTable {
 public:
  HostPairTable(std::uint32_t limit, Duration lifetime) : lifetime_(lifetime), pairs_(limit) {}

  bool has(const HostPair& pair, Timestamp now) const;
  void add(const HostPair& pair, Timestamp now);
  std::uint32_t size() const { return pairs_.size(); }

 private:
  Duration lifetime_;
  LruTable<HostPair, Timestamp> pairs_;
};

// What an engine asks and tells.
class EndpointMemory {
 public:
  virtual ~EndpointMemory() = default;
  virtual EndpointRecord recall(const ServerKey& server, const IpAddress& client, Timestamp now) = 0;
  virtual void observe(const EndpointObservation& flow) = 0;
  virtual bool speak_ftp(const HostPair& hosts, Timestamp now) = 0;
  virtual void note_ftp(const HostPair& hosts, Timestamp now) = 0;
};

// One memory of all workers of a daemon: what one has seen, the others know at once.
class SharedEndpointMemory final : public EndpointMemory {
 public:
  explicit SharedEndpointMemory(const EndpointLimits& limits = {})
      : servers_(limits), ftp_(limits.ftp_pairs, limits.lifetime) {}

  EndpointRecord recall(const ServerKey& server, const IpAddress& client, Timestamp now) override;
  void observe(const EndpointObservation& flow) override;
  bool speak_ftp(const HostPair& hosts, Timestamp now) override;
  void note_ftp(const HostPair& hosts, Timestamp now) override;

 private:
  std::mutex mutex_;
  EndpointTable servers_;
  HostPairTable ftp_;
};

}  // namespace spidd
