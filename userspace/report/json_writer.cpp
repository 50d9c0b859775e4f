// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Formatting by hand where the general way would cost more than the rest of the event: times, decimals, IPv4.
#include "userspace/report/json_writer.h"

#include <array>
#include <cmath>

namespace spidd {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_number(std::string& out, std::uint64_t value) {
  const fmt::format_int digits(value);
  out.append(digits.data(), digits.size());
}

void append_digits(std::string& out, unsigned value, unsigned width) {
  std::array<char, 10> text{};
  for (unsigned i = width; i > 0; --i, value /= 10) text[i - 1] = static_cast<char>('0' + value % 10);
  out.append(text.data(), width);
}

// Bytes of the UTF-8 sequence that `text` begins with, 0 if it is none (RFC 3629: shortest form, no surrogates).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

bool needs_care(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\';
}

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && !needs_care(text[plain])) ++plain;
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;

    const char c = text.front();
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    } else if (const std::size_t length = utf8_length(text); length != 0) {
      out.append(text.substr(0, length));
      text.remove_prefix(length - 1);
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(1);
  }
}

}  // namespace

void JsonWriter::object() {
  if ((filled_ >> depth_ & 1U) != 0) out_ += ',';
  filled_ |= 1U << depth_;
  ++depth_;
  filled_ &= ~(1U << depth_);
  out_ += '{';
}

void JsonWriter::object(std::string_view name) {
  key(name);
  ++depth_;
  filled_ &= ~(1U << depth_);
  out_ += '{';
}

void JsonWriter::close() {
  --depth_;
  out_ += '}';
}

void JsonWriter::array(std::string_view name) {
  key(name);
  ++depth_;
  filled_ &= ~(1U << depth_);
  out_ += '[';
}

void JsonWriter::close_array() {
  --depth_;
  out_ += ']';
}

void JsonWriter::key(std::string_view name) {
  if ((filled_ >> depth_ & 1U) != 0) out_ += ',';
  filled_ |= 1U << depth_;
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void JsonWriter::text(std::string_view name, std::string_view value) {
  key(name);
  out_ += '"';
  append_escaped(out_, value);
  out_ += '"';
}

void JsonWriter::integer(std::string_view name, std::uint64_t value) {
  key(name);
  append_number(out_, value);
}

void JsonWriter::real(std::string_view name, double value, unsigned decimals) {
  key(name);
  if (!(std::abs(value) < 1e12)) {
    out_ += "null";
    return;
  }
  constexpr std::array<unsigned, 7> kParts = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000};
  const unsigned parts = kParts.at(decimals);
  const auto scaled = static_cast<std::uint64_t>(std::llround(std::abs(value) * parts));
  if (value < 0 && scaled != 0) out_ += '-';
  append_number(out_, scaled / parts);
  out_ += '.';
  append_digits(out_, static_cast<unsigned>(scaled % parts), decimals);
}

void JsonWriter::boolean(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
}

void JsonWriter::time(std::string_view name, Timestamp value) {
  key(name);
  // Microseconds first: the beginning of the first day may lie before the earliest nanosecond.
  const auto rounded = std::chrono::floor<std::chrono::microseconds>(value);
  const auto day = std::chrono::floor<std::chrono::days>(rounded);
  const std::chrono::year_month_day date{day};
  const auto micros = static_cast<std::uint64_t>((rounded - day).count());
  const auto seconds = static_cast<unsigned>(micros / 1'000'000);
  const int year = static_cast<int>(date.year());  // 1677..2262: what 64 bits of nanoseconds can say
  out_ += '"';
  append_digits(out_, static_cast<unsigned>(year), 4);
  out_ += '-';
  append_digits(out_, static_cast<unsigned>(date.month()), 2);
  out_ += '-';
  append_digits(out_, static_cast<unsigned>(date.day()), 2);
  out_ += 'T';
  append_digits(out_, seconds / 3600, 2);
  out_ += ':';
  append_digits(out_, seconds / 60 % 60, 2);
  out_ += ':';
  append_digits(out_, seconds % 60, 2);
  out_ += '.';
  append_digits(out_, static_cast<unsigned>(micros % 1'000'000), 6);
  out_ += "+0000\"";
}

void JsonWriter::address(std::string_view name, const IpAddress& value) {
  key(name);
  out_ += '"';
  if (value.is_ipv4()) {
    for (std::size_t i = 12; i < 16; ++i) {
      if (i != 12) out_ += '.';
      append_number(out_, value.bytes[i]);
    }
  } else {
    out_ += value.to_string();
  }
  out_ += '"';
}

}  // namespace spidd
