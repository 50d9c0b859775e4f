// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is known of one service of the site: how often it was seen and by how many clients, what was measured of its
// flows, added up, and a few of the flows themselves. Services can be added up, so that learning goes on where it
// ended.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/learning/settled_flow.h"
#include "userspace/spid/sparse_counters.h"

namespace spidd {

inline constexpr std::string_view kUnknownLabel = "unknown";

// Flows to one server port that the engine has given the same name. Where the name is wrong or wavers, one real service
// has several keys.
struct SiteKey {
  Endpoint server;  // port 0 for ICMP, which has none
  Transport transport = Transport::tcp;
  std::string label;  // kUnknownLabel if the flows have no name

  auto operator<=>(const SiteKey&) const = default;
};

std::string to_string(const SiteKey& key);  // "192.0.2.10:443/tcp/https"
SiteKey key_of(const SettledFlow& flow);

// What somebody writes to name services: "ADDRESS:PORT" means all of that port, "/TRANSPORT" and "/LABEL" say more.
struct SiteSelector {
  Endpoint server;
  std::string transport;  // "" = any
  std::string label;      // "" = any

  bool selects(const SiteKey& key) const;
};
Result<SiteSelector> parse_site_selector(std::string_view text);

// A fingerprint in a fifth of its memory: rows as distances, 7 bits a byte.
class PackedFingerprint {
 public:
  PackedFingerprint() = default;
  explicit PackedFingerprint(const Fingerprint& flow);

  // False if the bytes are no fingerprint: bytes from a file may be hostile.
  static bool from_bytes(std::string bytes, PackedFingerprint& packed);

  void unpack(Fingerprint& flow) const;  // Requires: not empty
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// One flow, to be judged again.
struct SiteSample {
  IpAddress client;
  Timestamp time;
  View view = View::both;
  bool touched = false;  // an alert or a block touched it: it takes no part in the counters
  std::uint8_t payload_packets = 0;
  float tunnel_score = 0;
  float tunnel_margin = 0;
  PackedFingerprint fingerprint;
};

struct SiteService {
  static constexpr std::size_t kMostClients = 16;

  SiteKey key;
  std::string family;                   // of the label; "" if unknown
  Category category = Category::plain;  // of the label
  Timestamp first;
  Timestamp last;
  std::uint64_t flows = 0;          // settled, the touched ones included
  std::uint64_t touched = 0;        // by an alert or a block: counted, never learned
  std::uint64_t tunnel_alerts = 0;  // the alert rule calls it a tunnel
  std::uint64_t tunnel_near = 0;    // a tunnel model came within reach of the alert rule
  double score_sum = 0;             // of the label, or of the best model
  float score_min = 0;
  double tunnel_margin_sum = 0;
  float tunnel_margin_max = 0;
  std::vector<IpAddress> clients;  // the first ones, rising
  bool more_clients = false;       // there are others

  // What may be learned, by View.
  struct Learned {
    std::uint32_t flows = 0;
    std::uint64_t payload_packets = 0;
    SparseCounters counters;
  };
  std::array<Learned, 3> learned;
  std::vector<SiteSample> samples;  // drawn evenly from all flows

  std::uint64_t learned_flows() const;
  double mean_score() const { return flows == 0 ? 0 : score_sum / static_cast<double>(flows); }
  double mean_tunnel_margin() const { return flows == 0 ? 0 : tunnel_margin_sum / static_cast<double>(flows); }
  std::size_t bytes() const;  // of memory, about

  // `samples`: most that are kept; `draw`: anything evenly spread.
  void add(const SettledFlow& flow, std::size_t most_samples, std::uint64_t draw);
  // A flow that was added untouched turns out to be touched: counted as such, and not learned any more. False if it
  // cannot have been added.
  bool take_back(const SettledFlow& flow);
  // The other one's flows as well. Of the samples of both an even share is kept.
  void merge(const SiteService& other, std::size_t most_samples);

  void note_client(const IpAddress& client);
};

}  // namespace spidd
