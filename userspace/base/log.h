// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Messages of the main programs to the administrator, on standard error; with "<3>"-style priorities when the journal
// listens. Library code is silent: it returns errors. What each level means is written in CONTRIBUTING.md. Detections
// are not logs: they go to the event log (report/).
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace spidd {

enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };

void set_log_level(LogLevel level);
LogLevel log_level();

// One line an event. Thread-safe: a line is written with one call.
void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_level() >= LogLevel::debug) log_message(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace spidd
