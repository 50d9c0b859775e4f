// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One thread writes whole batches: under load few system calls, at rest every event at once.
#include "userspace/report/event_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

namespace spidd {
namespace {

constexpr std::string_view kStandardOutput = "-";

Result<UniqueFd> open_file(const std::string& path) {
  const int file = path == kStandardOutput
                       ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                       : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (file < 0) return fail_errno(errno, "open event log {}", path);
  return UniqueFd(file);
}

std::uint64_t count_lines(std::string_view lines) {
  return static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
}

}  // namespace

Result<std::unique_ptr<EventLog>> EventLog::open(const std::string& path, std::size_t buffer_bytes) {
  Result<UniqueFd> file = open_file(path);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return std::unique_ptr<EventLog>(new EventLog(path, std::move(*file), buffer_bytes));
}

EventLog::EventLog(std::string path, UniqueFd file, std::size_t buffer_bytes)
    : path_(std::move(path)), buffer_bytes_(buffer_bytes), file_(std::move(file)) {
  queue_.reserve(buffer_bytes_);
  // The thread has no business with the program's signals; a reader that went away is an error, not a signal.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

EventLog::~EventLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
}

bool EventLog::write(std::string_view json) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() + json.size() + 1 > buffer_bytes_) {
      ++counters_.lost_full;
      return false;
    }
    queue_ += json;
    queue_ += '\n';
    ++queued_events_;
  }
  work_.notify_one();
  return true;
}

Result<void> EventLog::reopen() {
  if (path_ == kStandardOutput) return {};
  Result<UniqueFd> file = open_file(path_);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  const std::lock_guard lock(mutex_);
  next_file_ = std::move(*file);
  return {};
}

void EventLog::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !writing_; });
}

EventLog::Counters EventLog::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::string EventLog::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_errno_ == 0 ? std::string{} : fmt::format("write event log {}: {}", path_, std::strerror(last_errno_));
}

int EventLog::write_out(int file, std::string_view lines, std::size_t& bytes_written) {
  bytes_written = 0;
  while (bytes_written < lines.size()) {
    const std::string_view rest = lines.substr(bytes_written);
    const ssize_t wrote = ::write(file, rest.data(), rest.size());
    if (wrote >= 0) {
      bytes_written += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {  // standard output may be a pipe that somebody else made non-blocking
      pollfd ready{file, POLLOUT, 0};
      ::poll(&ready, 1, 1000);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

void EventLog::run() {
  std::string batch;
  batch.reserve(buffer_bytes_);
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    if (next_file_) {
      file_ = std::move(next_file_);
      line_open_ = false;
    }
    batch.clear();
    // A line that was cut short by a full disk must not swallow the next event.
    const std::size_t mended = line_open_ ? 1 : 0;
    if (line_open_) batch += '\n';
    batch += queue_;
    queue_.clear();
    writing_ = true;
    const std::uint64_t events = std::exchange(queued_events_, 0);
    lock.unlock();

    std::size_t bytes_written = 0;
    const int error = write_out(file_.get(), batch, bytes_written);
    const std::string_view done = std::string_view(batch).substr(0, bytes_written);
    if (!done.empty()) line_open_ = done.back() != '\n';
    const std::uint64_t lines = count_lines(done.substr(std::min(mended, done.size())));

    lock.lock();
    writing_ = false;
    counters_.written += lines;
    counters_.lost_failed += events - lines;
    last_errno_ = error;
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace spidd
