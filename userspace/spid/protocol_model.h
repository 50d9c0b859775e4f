// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Protocol models: counters per attribute meter, added up over training flows; never probabilities. Merging two models
// is adding their counters, so training is additive. One model per label and transport.
#pragma once

#include <array>
#include <cstdint>
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

// "openvpn": [a-z0-9][a-z0-9_.-]{0,47}
bool is_valid_label(std::string_view label);

struct ProtocolModel {
  std::string label;
  std::string family;  // the name that labels which cannot be told apart share: "tls" for https, dot, imaps
  Category category = Category::plain;
  Transport transport = Transport::tcp;  // icmp6 is trained and matched as icmp
  std::uint32_t flows = 0;
  std::uint32_t captures = 0;  // files (scenario variants, source environments) the flows came from
  std::uint64_t payload_packets = 0;
  float threshold = 0;  // score below which the label is not given, bits; found by calibrate_thresholds()
  std::array<std::uint64_t, kMeterCount> measurements{};                        // per meter: sum of its counters
  std::vector<std::uint32_t> counters = std::vector<std::uint32_t>(kRowCount);  // saturating

  void add(const Fingerprint& flow);
  void subtract(const Fingerprint& flow);  // for leave-one-out; Requires: it was added before
  void merge(const ProtocolModel& other);  // counters, flows, payload packets, captures; the higher threshold
};

inline constexpr std::size_t kMaxModels = 4096;

struct ModelDatabase {
  unsigned snap = kSnapLength;
  MeterRules rules = MeterRules::corrected;  // that the counters were measured with
  std::vector<ProtocolModel> models;         // sorted by (label, transport), each pair once

  // The transport may be icmp6 here: it is taken for icmp.
  const ProtocolModel* find(std::string_view label, Transport transport) const;
  ProtocolModel& find_or_add(std::string_view label, Transport transport, Category category, std::string_view family);
};

// A directory of model files "<label>.<transport>.json" (format: policy/models/README.md). Hostile or damaged files
// give an error with file and position. An empty or missing directory is an error.
Result<ModelDatabase> load_models(const std::string& directory);

// Writes each model's file atomically; makes the directory if it is missing. Leaves other files alone.
Result<void> save_models(const ModelDatabase& database, const std::string& directory);

}  // namespace spidd
