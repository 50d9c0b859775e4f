// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How the commands write what the daemon sent as JSON. An answer of another daemon version may lack anything: what is
// missing is shown as "-" or 0, never an exception.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace spidd {

// "1,234,567"
std::string grouped(std::uint64_t number);
// "1.2 GB", "512 B"
std::string byte_text(std::uint64_t bytes);

// Members by path: number_at(status, "/packets/seen").
std::uint64_t number_at(const nlohmann::ordered_json& object, const char* pointer);
double real_at(const nlohmann::ordered_json& object, const char* pointer);
std::string text_at(const nlohmann::ordered_json& object, const char* pointer);
// The array there, empty if there is none.
nlohmann::ordered_json array_at(const nlohmann::ordered_json& object, const char* pointer);

// "192.0.2.1:443", "[2001:db8::1]:443" of the members PREFIX_ip and PREFIX_port; without the port if there is none.
std::string endpoint_text(const nlohmann::ordered_json& event, const std::string& prefix);
// "19:04:35" of an EVE timestamp.
std::string time_of_day(const std::string& timestamp);

// One line, as it came.
void print_json(const nlohmann::ordered_json& value);
void print_json_lines(const nlohmann::ordered_json& array);

}  // namespace spidd
