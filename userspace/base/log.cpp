// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Messages to standard error, one write(2) a line. Text may quote hostile input (file names, control requests), so
// control characters are escaped: a message can neither forge a second line nor steer a terminal.
#include "userspace/base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace spidd {
namespace {

std::atomic<LogLevel> current_level{LogLevel::info};

// systemd sets JOURNAL_STREAM to "device:inode" of the socket it connected; a child with its own stderr inherits the
// variable but not the socket (systemd.exec(5)).
bool journal_listens() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

std::string_view prefix(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error: ";
    case LogLevel::warning:
      return "warning: ";
    case LogLevel::info:
      return "";
    case LogLevel::debug:
      return "debug: ";
  }
  return "";
}

}  // namespace

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }

LogLevel log_level() { return current_level.load(std::memory_order_relaxed); }

void log_message(LogLevel level, std::string_view message) {
  if (level > log_level()) return;
  static const bool to_journal = journal_listens();
  std::string line = to_journal ? fmt::format("<{}>", static_cast<int>(level)) : std::string{prefix(level)};
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  line += '\n';
  // Nobody is left to be told when standard error is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace spidd
