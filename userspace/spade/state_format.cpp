// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The bytes of a state file; the format is in state_file.h.
#include <cmath>

#include "userspace/base/crc32c.h"
#include "userspace/spade/incident_format.h"
#include "userspace/spade/state_bytes.h"
#include "userspace/spade/state_file.h"

namespace spidd {
namespace {

using state_bytes::PartReader;
using state_bytes::put;
using state_bytes::put_network_order;

constexpr std::string_view kMagic = "SPADEst\n";
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kOldestVersion = 1;
constexpr std::uint32_t kFirstWithScores = 3;  // what a threshold's are
constexpr std::size_t kEntriesAPart = 16384;
constexpr std::size_t kPartOverhead = 3 * sizeof(std::uint32_t);

enum class PartType : std::uint32_t { start = 1, table, entries, threshold, history, end, incidents, incident };

bool is_address(Feature feature) { return feature == Feature::source || feature == Feature::destination; }

class Parts {
 public:
  void add(PartType type, std::string_view payload) {
    const std::size_t from = out_.size();
    put(out_, static_cast<std::uint32_t>(type));
    put(out_, static_cast<std::uint32_t>(payload.size()));
    out_ += payload;
    put(out_, crc32c(std::string_view(out_).substr(from)));
    ++parts_;
  }
  std::string finish() && {
    std::string count;
    put(count, parts_ + 1);
    add(PartType::end, count);
    return std::move(out_);
  }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }

 private:
  std::string out_ = [] {
    std::string head(kMagic);
    put(head, kVersion);
    return head;
  }();
  std::uint32_t parts_ = 0;
};

void add_table(const SpadeState::Table& table, Parts& parts) {
  std::string payload;
  put(payload, std::string_view(table.conditions));
  put(payload, static_cast<std::uint8_t>(table.features.size()));
  for (const Feature feature : table.features) put(payload, static_cast<std::uint8_t>(feature));
  put(payload, table.decay.interval_minutes);
  put(payload, table.decay.factor);
  put(payload, table.decay.cutoff);
  put(payload, table.start_second);
  put(payload, table.last_scaled_second);
  put(payload, table.total);
  parts.add(PartType::table, payload);

  std::vector<std::uint8_t> depths;
  depths.reserve(table.entries.size());
  for (std::size_t from = 0; from < table.entries.size(); from += kEntriesAPart) {
    payload.clear();
    for (std::size_t i = from; i < std::min(from + kEntriesAPart, table.entries.size()); ++i) {
      const ProbabilityTable::Stored& entry = table.entries[i];
      const auto depth = static_cast<std::uint8_t>(entry.parent == 0 ? 0 : depths[entry.parent - 1] + 1);
      depths.push_back(depth);
      put(payload, entry.parent);
      if (is_address(table.features[depth])) {
        put_network_order(payload, entry.value.high);
        put_network_order(payload, entry.value.low);
      } else {
        put(payload, static_cast<std::uint16_t>(entry.value.low));
      }
      put(payload, entry.count);
    }
    parts.add(PartType::entries, payload);
  }
}

bool is_share(double value) { return value >= 0 && value <= 1; }

class Decoder {
 public:
  explicit Decoder(std::uint32_t version) : version_(version) {}

  Result<> part(PartType type, PartReader reader) {
    if (ended_) return fail("byte {}: something after the end", reader.offset());
    if ((parts_++ == 0) != (type == PartType::start)) return fail("byte {}: not in its place", reader.offset());
    const bool is_good = read(type, reader);
    if (!is_good || !reader.complete()) return fail("byte {}: not what belongs there", reader.offset());
    return {};
  }
  bool ended() const { return ended_; }
  SpadeState take() && { return std::move(state_); }

 private:
  bool read(PartType type, PartReader& reader) {
    switch (type) {
      case PartType::start:
        state_.second = reader.signed_number();
        return true;
      case PartType::table:
        return table(reader);
      case PartType::entries:
        return !state_.tables.empty() && entries(state_.tables.back(), reader);
      case PartType::threshold:
        return threshold(reader);
      case PartType::history:
        return history(reader);
      case PartType::incidents:
        state_.incidents.key = reader.number<std::uint64_t>();
        state_.incidents.last_id = reader.number<std::uint64_t>();
        return true;
      case PartType::incident:
        return incident(reader);
      case PartType::end:
        ended_ = true;
        return reader.number<std::uint32_t>() == parts_;
    }
    return false;
  }

  bool table(PartReader& reader) {
    SpadeState::Table& table = state_.tables.emplace_back();
    depths_.clear();
    table.conditions = reader.text();
    const auto features = reader.number<std::uint8_t>();
    if (features == 0 || features > ProbabilityTable::kMaxDepth) return false;
    for (std::uint8_t i = 0; i < features; ++i) {
      const auto feature = reader.number<std::uint8_t>();
      if (feature > static_cast<std::uint8_t>(Feature::icmp_type_code)) return false;
      table.features.push_back(static_cast<Feature>(feature));
    }
    table.decay.interval_minutes = reader.number<std::uint32_t>();
    table.decay.factor = reader.real();
    table.decay.cutoff = reader.real();
    table.start_second = reader.signed_number();
    table.last_scaled_second = reader.signed_number();
    table.total = reader.real();
    return is_share(table.decay.factor) && table.decay.cutoff >= 0 && std::isfinite(table.decay.cutoff) &&
           table.total >= 0 && std::isfinite(table.total);
  }

  bool entries(SpadeState::Table& table, PartReader& reader) {
    while (!reader.at_end()) {
      ProbabilityTable::Stored entry;
      entry.id = static_cast<std::uint32_t>(table.entries.size() + 1);
      entry.parent = reader.number<std::uint32_t>();
      if (entry.parent >= entry.id) return false;
      const std::size_t depth = entry.parent == 0 ? 0 : depths_[entry.parent - 1] + 1U;
      if (depth >= table.features.size()) return false;
      if (is_address(table.features[depth])) {
        entry.value.high = reader.network_word();
        entry.value.low = reader.network_word();
      } else {
        entry.value.low = reader.number<std::uint16_t>();
      }
      entry.count = reader.real();
      const double most = entry.parent == 0 ? table.total : table.entries[entry.parent - 1].count;
      if (!reader.good() || !(entry.count > 0 && entry.count <= most)) return false;
      table.entries.push_back(entry);
      depths_.push_back(static_cast<std::uint8_t>(depth));
    }
    return true;
  }

  bool threshold(PartReader& reader) {
    SpadeState::Threshold& threshold = state_.thresholds.emplace_back();
    threshold.detector = reader.text();
    threshold.value.score = reader.real();
    threshold.value.raw_bits = reader.real();
    if (version_ >= kFirstWithScores) threshold.scores = reader.text();
    return std::isfinite(threshold.value.score) && std::isfinite(threshold.value.raw_bits);
  }

  bool history(PartReader& reader) {
    SpadeState::History& history = state_.histories.emplace_back();
    history.name = reader.text();
    while (!reader.at_end()) {
      history.values.push_back(reader.real());
      if (!std::isfinite(history.values.back())) return false;
    }
    return true;
  }

  bool incident(PartReader& reader) {
    auto taken = take_incident(reader);
    if (!taken || taken->incident.id > state_.incidents.last_id) return false;
    state_.incidents.cases.push_back(*std::move(taken));
    return true;
  }

  std::uint32_t version_;
  SpadeState state_;
  std::vector<std::uint8_t> depths_;  // of the last table's entries, from 0
  std::uint32_t parts_ = 0;
  bool ended_ = false;
};

}  // namespace

std::string encode_state(const SpadeState& state) {
  Parts parts;
  std::size_t entries = 0;
  for (const SpadeState::Table& table : state.tables) entries += table.entries.size();
  parts.reserve(4096 + 28 * entries);
  std::string payload;
  put(payload, state.second);
  parts.add(PartType::start, payload);
  for (const SpadeState::Table& table : state.tables) add_table(table, parts);
  for (const SpadeState::Threshold& threshold : state.thresholds) {
    payload.clear();
    put(payload, std::string_view(threshold.detector));
    put(payload, threshold.value.score);
    put(payload, threshold.value.raw_bits);
    put(payload, std::string_view(threshold.scores));
    parts.add(PartType::threshold, payload);
  }
  for (const SpadeState::History& history : state.histories) {
    payload.clear();
    put(payload, std::string_view(history.name));
    for (const double value : history.values) put(payload, value);
    parts.add(PartType::history, payload);
  }
  payload.clear();
  put(payload, state.incidents.key);
  put(payload, state.incidents.last_id);
  parts.add(PartType::incidents, payload);
  for (const IncidentCase& one : state.incidents.cases) {
    payload.clear();
    put_incident(payload, one);
    parts.add(PartType::incident, payload);
  }
  return std::move(parts).finish();
}

Result<SpadeState> decode_state(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return fail("byte 0: not a SPADE state file");
  const std::uint32_t version = PartReader(bytes.substr(kMagic.size()), 0).number<std::uint32_t>();
  if (version < kOldestVersion || version > kVersion)
    return fail("byte {}: version {}, which this program does not know", kMagic.size(), version);
  Decoder decoder(version);
  for (std::size_t at = kMagic.size() + sizeof(version); at < bytes.size();) {
    PartReader head(bytes.substr(at), at);
    const auto type = head.number<std::uint32_t>();
    const auto length = head.number<std::uint32_t>();
    if (!head.good() || length > bytes.size() - at || kPartOverhead > bytes.size() - at - length)
      return fail("byte {}: cut short", at);
    const std::string_view checked = bytes.substr(at, kPartOverhead - sizeof(std::uint32_t) + length);
    const std::size_t checksum = at + checked.size();
    if (PartReader(bytes.substr(checksum), checksum).number<std::uint32_t>() != crc32c(checked))
      return fail("byte {}: damaged in the {} bytes from here", at, kPartOverhead + length);
    if (Result<> read = decoder.part(static_cast<PartType>(type), PartReader(checked.substr(8), at + 8)); !read)
      return tl::unexpected<Error>(std::move(read).error());
    at = checksum + sizeof(std::uint32_t);
  }
  if (!decoder.ended()) return fail("byte {}: cut short", bytes.size());
  return std::move(decoder).take();
}

}  // namespace spidd
