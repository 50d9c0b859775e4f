// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Adding up counters, and finding models.
#include "userspace/spid/protocol_model.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace spidd {
namespace {

constexpr std::array<std::string_view, 4> kCategoryNames = {"plain", "encrypted", "tunnel", "p2p"};
constexpr std::size_t kLongestLabel = 48;

// Returns what really was added: less than `count` where the counter is full.
std::uint32_t add_saturating(std::uint32_t& counter, std::uint32_t count) {
  const std::uint32_t added = std::min(count, std::numeric_limits<std::uint32_t>::max() - counter);
  counter += added;
  return added;
}

auto sort_key(const ProtocolModel& model) { return std::pair(std::string_view(model.label), model.transport); }

template <class Models>
auto lower_bound(Models& models, std::string_view label, Transport transport) {
  return std::lower_bound(models.begin(), models.end(), std::pair(label, transport),
                          [](const ProtocolModel& model, const auto& key) { return sort_key(model) < key; });
}

}  // namespace

std::string_view category_name(Category category) { return kCategoryNames[static_cast<std::size_t>(category)]; }

Result<Category> parse_category(std::string_view name) {
  const auto found = std::find(kCategoryNames.begin(), kCategoryNames.end(), name);
  if (found == kCategoryNames.end()) {
    return fail("unknown category \"{}\": it is plain, encrypted, tunnel or p2p", name.substr(0, kLongestLabel));
  }
  return static_cast<Category>(found - kCategoryNames.begin());
}

bool is_valid_label(std::string_view label) {
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !label.empty() && label.size() <= kLongestLabel && is_alphanumeric(label.front()) &&
         std::all_of(label.begin(), label.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

void ProtocolModel::add(const Fingerprint& flow) {
  for (const RowCount& row : flow.rows) {
    measurements[row.row / kBinsPerMeter] += add_saturating(counters[row.row], row.count);
  }
  add_saturating(flows, 1);
  payload_packets += flow.payload_packets;
}

void ProtocolModel::subtract(const Fingerprint& flow) {
  for (const RowCount& row : flow.rows) {
    counters[row.row] -= row.count;
    measurements[row.row / kBinsPerMeter] -= row.count;
  }
  --flows;
  payload_packets -= flow.payload_packets;
}

void ProtocolModel::merge(const ProtocolModel& other) {
  for (unsigned row = 0; row < kRowCount; ++row) {
    measurements[row / kBinsPerMeter] += add_saturating(counters[row], other.counters[row]);
  }
  add_saturating(flows, other.flows);
  add_saturating(captures, other.captures);
  payload_packets += other.payload_packets;
  threshold = std::max(threshold, other.threshold);
}

const ProtocolModel* ModelDatabase::find(std::string_view label, Transport transport) const {
  transport = model_transport(transport);
  const auto found = lower_bound(models, label, transport);
  return found != models.end() && found->label == label && found->transport == transport ? &*found : nullptr;
}

ProtocolModel& ModelDatabase::find_or_add(std::string_view label, Transport transport, Category category,
                                          std::string_view family) {
  transport = model_transport(transport);
  const auto found = lower_bound(models, label, transport);
  if (found != models.end() && found->label == label && found->transport == transport) return *found;
  ProtocolModel model;
  model.label = label;
  model.family = family;
  model.category = category;
  model.transport = transport;
  return *models.insert(found, std::move(model));
}

}  // namespace spidd
