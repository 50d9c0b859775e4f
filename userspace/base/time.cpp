// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Text forms of time. The calendar is std::chrono's, not the C library's: no locale, no time zone, no shared buffer.
#include "userspace/base/time.h"

#include <array>
#include <charconv>

namespace spidd {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Longest first: a sum is written in this order.
constexpr std::array<Unit, 5> kUnits{{{"d", 86'400'000'000'000},
                                      {"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000}}};
constexpr std::size_t kWholeUnits = 4;  // of these, those that format_duration writes

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string format_timestamp(Timestamp time) {
  // Microseconds first: the beginning of the first day may lie before the earliest nanosecond.
  const auto rounded = std::chrono::floor<std::chrono::microseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(rounded);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{rounded - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+0000", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return fail("a duration is missing, such as 90s, 10m or 1h30m");
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  for (std::string_view rest = text; !rest.empty();) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (error == std::errc::result_out_of_range) return fail("duration \"{}\" is too long", text);
    if (error != std::errc{} || count < 0) return fail("\"{}\" is not a duration such as 90s, 10m or 1h30m", text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));

    std::size_t name_length = 0;
    while (name_length < rest.size() && !is_digit(rest[name_length])) ++name_length;
    const std::string_view name = rest.substr(0, name_length);
    if (name.empty()) return fail("duration \"{}\" needs a unit: ms, s, m, h or d", text);
    while (next_unit < kUnits.size() && kUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kUnits.size()) {
      return fail("duration \"{}\": \"{}\" is not one of the units d, h, m, s, ms, or not in this order", text, name);
    }
    std::int64_t part = 0;
    if (__builtin_mul_overflow(count, kUnits[next_unit].nanoseconds, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return fail("duration \"{}\" is too long", text);
    }
    ++next_unit;
    rest.remove_prefix(name_length);
  }
  return Duration{total};
}

std::string format_duration(Duration duration) {
  const bool negative = duration < Duration::zero();
  // Seconds first: the most negative count of nanoseconds has no positive counterpart.
  std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (negative) seconds = -seconds;
  if (seconds == 0) return "0s";
  std::string text = negative ? "-" : "";
  for (std::size_t i = 0; i < kWholeUnits; ++i) {
    const std::int64_t unit_seconds = kUnits[i].nanoseconds / 1'000'000'000;
    if (seconds >= unit_seconds) text += fmt::format("{}{}", seconds / unit_seconds, kUnits[i].name);
    seconds %= unit_seconds;
  }
  return text;
}

Timestamp wall_clock_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace spidd
