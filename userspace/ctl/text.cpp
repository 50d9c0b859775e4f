// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/text.h"

#include <fmt/format.h>

#include <array>

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

// nullptr if there is nothing at that path.
const json* find(const json& object, const char* pointer) {
  const json::json_pointer path(pointer);
  return object.contains(path) ? &object.at(path) : nullptr;
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t place = text.size(); place > 3; place -= 3) text.insert(place - 3, ",");
  return text;
}

std::string byte_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::uint64_t number_at(const json& object, const char* pointer) {
  const json* const value = find(object, pointer);
  return value != nullptr && value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
}

double real_at(const json& object, const char* pointer) {
  const json* const value = find(object, pointer);
  return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

std::string text_at(const json& object, const char* pointer) {
  const json* const value = find(object, pointer);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "-";
}

json array_at(const json& object, const char* pointer) {
  const json* const value = find(object, pointer);
  return value != nullptr && value->is_array() ? *value : json::array();
}

std::string endpoint_text(const json& event, const std::string& prefix) {
  const std::string address = text_at(event, ("/" + prefix + "_ip").c_str());
  const json* const port = find(event, ("/" + prefix + "_port").c_str());
  if (port == nullptr || !port->is_number_unsigned()) return address;
  const bool ipv6 = address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", address, ipv6 ? "]" : "", port->get<std::uint64_t>());
}

std::string time_of_day(const std::string& timestamp) {
  return timestamp.size() >= 19 && timestamp[10] == 'T' ? timestamp.substr(11, 8) : timestamp;
}

void print_json(const json& value) { fmt::print("{}\n", value.dump(-1, ' ', false, json::error_handler_t::replace)); }

void print_json_lines(const json& array) {
  for (const json& value : array) print_json(value);
}

}  // namespace spidd
