// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Adding up counters, and finding models.
#include "userspace/spid/protocol_model.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

namespace spidd {
namespace {

constexpr std::array<std::string_view, 4> kCategoryNames = {"plain", "encrypted", "tunnel", "p2p"};
constexpr std::array<std::string_view, 3> kViewNames = {"both", "to-server", "to-client"};
constexpr std::array<std::string_view, 4> kOriginNames = {"shipped", "site", "learned", "own"};
constexpr std::size_t kLongestLabel = 48;

// Returns what really was added: less than `count` where the counter is full.
std::uint32_t add_saturating(std::uint32_t& counter, std::uint32_t count) {
  const std::uint32_t added = std::min(count, std::numeric_limits<std::uint32_t>::max() - counter);
  counter += added;
  return added;
}

auto sort_key(const ProtocolModel& model) {
  return std::tuple(std::string_view(model.label), model.transport, model.view, model.origin);
}

template <class Models>
auto lower_bound(Models& models, std::string_view label, Transport transport, View view) {
  return std::ranges::lower_bound(models, std::tuple(label, transport, view, Origin::shipped), {}, sort_key);
}

bool is_model(const ProtocolModel& model, std::string_view label, Transport transport, View view) {
  return model.label == label && model.transport == transport && model.view == view;
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

std::string_view view_name(View view) { return kViewNames[static_cast<std::size_t>(view)]; }

Result<View> parse_view(std::string_view name) {
  const auto found = std::ranges::find(kViewNames, name);
  if (found == kViewNames.end())
    return fail("unknown view \"{}\": it is both, to-server or to-client", name.substr(0, kLongestLabel));
  return static_cast<View>(found - kViewNames.begin());
}

std::string_view origin_name(Origin origin) { return kOriginNames[static_cast<std::size_t>(origin)]; }

bool is_valid_label(std::string_view label) {
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !label.empty() && label.size() <= kLongestLabel && is_alphanumeric(label.front()) &&
         std::all_of(label.begin(), label.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

void ProtocolModel::add(const Fingerprint& flow) {
  for (const RowCount row : flow.rows) {
    measurements[row.row / kBinsPerMeter] += add_saturating(counters[row.row], row.count);
  }
  add_saturating(flows, 1);
  payload_packets = std::min(kMaxPackets, payload_packets + flow.payload_packets);
}

void ProtocolModel::subtract(const Fingerprint& flow) {
  for (const RowCount row : flow.rows) {
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
  std::vector<std::uint64_t> both;
  std::ranges::set_intersection(capture_hashes, other.capture_hashes, std::back_inserter(both));
  add_saturating(captures, other.captures - std::min(other.captures, static_cast<std::uint32_t>(both.size())));
  for (const std::uint64_t hash : other.capture_hashes) remember_capture(hash);
  payload_packets = std::min(kMaxPackets, payload_packets + other.payload_packets);
  threshold = std::max(threshold, other.threshold);
}

void ProtocolModel::remember_capture(std::uint64_t hash) {
  const auto place = std::ranges::lower_bound(capture_hashes, hash);
  const bool known = place != capture_hashes.end() && *place == hash;
  if (!known && capture_hashes.size() < kMaxCaptureHashes) capture_hashes.insert(place, hash);
}

const ProtocolModel* ModelDatabase::find(std::string_view label, Transport transport, View view) const {
  transport = model_transport(transport);
  const auto found = lower_bound(models, label, transport, view);
  return found != models.end() && is_model(*found, label, transport, view) ? &*found : nullptr;
}

ProtocolModel& ModelDatabase::find_or_add(std::string_view label, Transport transport, Category category,
                                          std::string_view family, View view) {
  transport = model_transport(transport);
  const auto found = lower_bound(models, label, transport, view);
  if (found != models.end() && is_model(*found, label, transport, view)) return *found;
  ProtocolModel model;
  model.label = label;
  model.family = family;
  model.category = category;
  model.transport = transport;
  model.view = view;
  return *models.insert(found, std::move(model));
}

Result<void> ModelDatabase::append(ModelDatabase other) {
  if (other.models.empty()) return {};
  if (models.empty()) {
    *this = std::move(other);
    return {};
  }
  if (other.snap != snap || other.rules != rules)
    return fail("models measured with snap {} cannot stand beside models measured with snap {} or other rules",
                other.snap, snap);
  std::vector<ProtocolModel> all = std::move(models);
  std::ranges::move(other.models, std::back_inserter(all));
  std::ranges::sort(all, {}, sort_key);
  models = std::move(all);
  const auto twice = std::ranges::adjacent_find(models, {}, sort_key);
  if (twice != models.end())
    return fail("there are two {} models of {} on {}", origin_name(twice->origin), twice->label,
                transport_name(twice->transport));
  return {};
}

}  // namespace spidd
