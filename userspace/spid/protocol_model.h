// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Protocol models: counters per attribute meter, added up over training flows; never probabilities. Merging two models
// is adding their counters, so training is additive. One model per label and transport.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spid/attribute_meter.h"

namespace spidd {

// What kind of traffic a label is; the words are those of the policy and of the event log.
enum class Category : std::uint8_t { plain, encrypted, tunnel, p2p };
std::string_view category_name(Category category);
Result<Category> parse_category(std::string_view name);

// Models of one transport are compared with its flows; ICMPv6 echo shares the models of ICMP.
constexpr Transport model_transport(Transport transport) {
  return transport == Transport::icmp6 ? Transport::icmp : transport;
}

// Which packets of its flows a model was measured on. Where only one direction crosses the sensor (asymmetric routes,
// mirror ports), a flow is compared with models of that direction: half of an exchange resembles no model of both.
enum class View : std::uint8_t { both, to_server, to_client };
std::string_view view_name(View view);  // "both", "to-server", "to-client"
Result<View> parse_view(std::string_view name);

// Where a model came from. Not part of its file: whoever loads it knows.
enum class Origin : std::uint8_t { shipped, site, learned, own };
std::string_view origin_name(Origin origin);  // "shipped", "site", "learned", "own": of the administrator's directory

// The least a model must have learned before a verdict on it may block (userspace/spid/README.md, "Evidence").
inline constexpr std::uint32_t kEvidenceFlows = 10;
inline constexpr std::uint64_t kEvidencePackets = 100;
inline constexpr std::uint32_t kEvidenceCaptures = 2;
inline constexpr std::size_t kMaxCaptureHashes = 16;  // far more than evidence asks for

// "openvpn": [a-z0-9][a-z0-9_.-]{0,47}
bool is_valid_label(std::string_view label);

struct ProtocolModel {
  std::string label;
  std::string family;  // the name that labels which cannot be told apart share: "tls" for https, dot, imaps
  Category category = Category::plain;
  Transport transport = Transport::tcp;  // icmp6 is trained and matched as icmp
  View view = View::both;
  Origin origin = Origin::shipped;
  bool provisional = false;  // learned from the stream and not confirmed by anybody: never blocks, no background
  std::uint32_t flows = 0;
  std::uint32_t captures = 0;  // files (scenario variants, source environments) the flows came from
  // capture_hash() of such files, each once and rising: the same file again is no new evidence. At most
  // kMaxCaptureHashes; models of older versions have none. Never more than `captures`.
  std::vector<std::uint64_t> capture_hashes;
  std::uint64_t payload_packets = 0;
  float threshold = 0;  // score below which the label is not given, bits; found by calibrate_thresholds()
  std::array<std::uint64_t, kMeterCount> measurements{};                        // per meter: sum of its counters
  std::vector<std::uint32_t> counters = std::vector<std::uint32_t>(kRowCount);  // saturating

  void add(const Fingerprint& flow);
  void subtract(const Fingerprint& flow);  // for leave-one-out; Requires: it was added before
  // Counters, flows, payload packets, captures (those whose hashes both have count once); the higher threshold.
  void merge(const ProtocolModel& other);
  void remember_capture(std::uint64_t hash);  // into capture_hashes while there is room; `captures` is the caller's

  bool operator==(const ProtocolModel&) const = default;

  bool has_evidence() const {
    return flows >= kEvidenceFlows && payload_packets >= kEvidencePackets && captures >= kEvidenceCaptures;
  }
};

inline constexpr std::size_t kMaxModels = 4096;
inline constexpr std::uint64_t kMaxPackets = std::uint64_t{1} << 53;  // of a model: exact in every JSON reader

struct ModelDatabase {
  unsigned snap = kSnapLength;
  MeterRules rules = MeterRules::corrected;     // that the counters were measured with
  std::optional<std::uint64_t> thresholds_for;  // background_hash() of the models that thresholds were found among
  std::string creator;                          // program and version that wrote it
  std::vector<ProtocolModel> models;            // sorted by (label, transport, view, origin); each combination once

  // The first such model. The transport may be icmp6 here: it is taken for icmp.
  const ProtocolModel* find(std::string_view label, Transport transport, View view = View::both) const;
  ProtocolModel& find_or_add(std::string_view label, Transport transport, Category category, std::string_view family,
                             View view = View::both);

  // Adds the models of another database beside these. Refuses one that was measured otherwise (snap, rules), and a
  // model that is there already.
  Result<void> append(ModelDatabase other);
};

// A directory of model files "<label>.<transport>.json", "<label>.<transport>.<view>.json" and database.json (format:
// policy/models/README.md). Hostile or damaged files give an error with file and position. An empty or missing
// directory is an error. All models get `origin`.
Result<ModelDatabase> load_models(const std::string& directory, Origin origin = Origin::shipped);

// Writes each model's file and database.json, all or none; makes the directory if it is missing. Leaves other files
// alone.
Result<void> save_models(const ModelDatabase& database, const std::string& directory);

// The same for what differs: models of `after` that are not so in `before` are written, files of models that are no
// longer there are removed. `before` is what load_models() gave.
Result<void> save_changes(const ModelDatabase& before, const ModelDatabase& after, const std::string& directory);

}  // namespace spidd
