// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/database_header.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "userspace/spid/model_file.h"
#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

using nlohmann::json;

constexpr unsigned kHeaderVersion = 1;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

Result<void> read_header(const json& header, ModelDatabase& database) {
  if (!header.is_object()) return fail("not an object");
  const auto version = header.find("spidd_models");
  if (version == header.end() || !version->is_number_unsigned()) return fail("key \"spidd_models\" is missing");
  if (*version != kHeaderVersion)
    return fail("format version {} is not {}: it was written by another version of spidd", version->dump(),
                kHeaderVersion);
  for (const auto& [key, value] : header.items()) {
    if (key == "spidd_models") continue;
    if (key == "meter_set") {
      if (value != kMeterSet) return fail("meter set {} is not \"{}\"", value.dump().substr(0, 64), kMeterSet);
    } else if (key == "rules") {
      const auto rules =
          value.is_string() ? parse_rules(value.get<std::string>()) : Result<MeterRules>(fail("no text"));
      if (!rules) return fail("rules are neither corrected nor strict");
      database.rules = *rules;
    } else if (key == "snap") {
      if (!value.is_number_unsigned() || value < 1U || value > kStrictSnap)
        return fail("snap is not 1 to {}", kStrictSnap);
      database.snap = value.get<unsigned>();
    } else if (key == "smoothing") {
      if (!value.is_number()) return fail("smoothing is not a number");
    } else if (key == "thresholds_for") {
      const std::string text = value.is_string() ? value.get<std::string>() : "";
      database.thresholds_for = parse_hash(text);
      if (!database.thresholds_for) return fail("thresholds_for is not 16 hexadecimal digits");
    } else if (key == "creator") {
      if (!value.is_string() || value.get_ref<const std::string&>().size() > 128)
        return fail("creator is not a short text");
      database.creator = value.get<std::string>();
    } else {
      return fail("key {} is unknown", json(key).dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 64));
    }
  }
  for (const char* key : {"meter_set", "rules", "snap"})
    if (!header.contains(key)) return fail("key \"{}\" is missing", key);
  return {};
}

}  // namespace

std::uint64_t background_hash(const ModelDatabase& database) {
  // A sum does not depend on the order, which names decide.
  std::uint64_t sum = mix(static_cast<std::uint64_t>(std::lround(kSmoothing)), database.models.size());
  for (const ProtocolModel& model : database.models) {
    if (model.provisional) continue;
    std::uint64_t hash = static_cast<std::uint64_t>(model.view) + 1;
    for (unsigned row = 0; row < kRowCount; ++row)
      if (model.counters[row] != 0) hash = mix(hash, (std::uint64_t{row} << 32) | model.counters[row]);
    sum += hash;
  }
  return sum;
}

bool thresholds_fit(const ModelDatabase& database) {
  if (std::ranges::none_of(database.models, [](const ProtocolModel& model) { return model.threshold > 0; }))
    return true;
  return database.thresholds_for && *database.thresholds_for == background_hash(database);
}

Result<void> parse_header(std::string_view text, const std::string& name, ModelDatabase& database) {
  try {
    Result<void> read = read_header(json::parse(text), database);
    return read ? read : std::move(read).error().within(name);
  } catch (const json::parse_error& error) {
    const std::size_t byte = std::min(error.byte, text.size());
    return fail("{}:{}: not JSON (byte {})", name, 1 + std::ranges::count(text.substr(0, byte), '\n'), byte);
  } catch (const json::exception&) {
    return fail("{}: not what belongs into this file", name);
  }
}

std::string format_header(const ModelDatabase& database) {
  std::string text = fmt::format(
      "{{\n\"spidd_models\": {},\n\"meter_set\": \"{}\",\n\"rules\": \"{}\",\n\"snap\": {},\n\"smoothing\": {},\n",
      kHeaderVersion, kMeterSet, rules_name(database.rules), database.snap, kSmoothing);
  if (database.thresholds_for)
    fmt::format_to(std::back_inserter(text), "\"thresholds_for\": \"{:016x}\",\n", *database.thresholds_for);
  fmt::format_to(std::back_inserter(text), "\"creator\": {}\n}}\n",
                 json(database.creator).dump(-1, ' ', true, json::error_handler_t::replace));
  return text;
}

}  // namespace spidd
