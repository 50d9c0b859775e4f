// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One thread writes whole batches: under load few system calls, at rest every event at once.
#include "userspace/report/event_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
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

std::uint64_t count_of(std::string_view end, std::string_view events) {
  std::uint64_t count = 0;
  for (std::size_t at = events.find(end); at != std::string_view::npos; at = events.find(end, at + end.size())) ++count;
  return count;
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail_errno(ENAMETOOLONG, "connect to {}", path);
  std::ranges::copy(path, address.sun_path);
  UniqueFd file(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!file) return fail_errno(errno, "connect to {}", path);
  if (::connect(file.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "connect to {}", path);
  return file;
}

constexpr int kPatienceMs = 1000;

}  // namespace

Result<std::unique_ptr<EventLog>> EventLog::open(const std::string& path, std::size_t buffer_bytes,
                                                 std::string_view end) {
  Result<UniqueFd> file = open_file(path);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  return std::unique_ptr<EventLog>(new EventLog(path, std::move(*file), buffer_bytes, end, false));
}

std::unique_ptr<EventLog> EventLog::to_socket(const std::string& path, std::size_t buffer_bytes) {
  return std::unique_ptr<EventLog>(new EventLog(path, {}, buffer_bytes, "\n", true));
}

EventLog::EventLog(std::string path, UniqueFd file, std::size_t buffer_bytes, std::string_view end, bool socket)
    : path_(std::move(path)), buffer_bytes_(buffer_bytes), end_(end), socket_(socket), file_(std::move(file)) {
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
    if (queue_.size() + json.size() + end_.size() > buffer_bytes_) {
      ++counters_.lost_full;
      return false;
    }
    queue_ += json;
    queue_ += end_;
    ++queued_events_;
  }
  work_.notify_one();
  return true;
}

Result<void> EventLog::reopen() {
  if (path_ == kStandardOutput || socket_) return {};
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

int EventLog::write_out(std::string_view events, std::size_t& bytes_written) {
  while (bytes_written < events.size()) {
    const std::string_view rest = events.substr(bytes_written);
    const ssize_t wrote = ::write(file_.get(), rest.data(), rest.size());
    if (wrote >= 0) {
      bytes_written += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {  // standard output may be a pipe that somebody else made non-blocking
      pollfd ready{file_.get(), POLLOUT, 0};
      ::poll(&ready, 1, kPatienceMs);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int EventLog::send_one(std::string_view event) {
  for (bool again = true;; again = false) {
    if (!file_) {
      Result<UniqueFd> file = connect_to(path_);
      if (!file) return file.error().code;
      file_ = std::move(*file);
      again = false;
    }
    if (::send(file_.get(), event.data(), event.size(), MSG_NOSIGNAL) >= 0) return 0;
    const int error = errno;
    if (!again) return error;
    if (error == EAGAIN) {
      pollfd ready{file_.get(), POLLOUT, 0};
      ::poll(&ready, 1, kPatienceMs);
    } else if (error != EINTR) {  // the reader was started anew
      file_.reset();
    }
  }
}

int EventLog::send_out(std::string_view events, std::size_t& bytes_written) {
  while (bytes_written < events.size()) {
    const std::size_t end = events.find(end_, bytes_written);
    if (const int error = send_one(events.substr(bytes_written, end - bytes_written)); error != 0) return error;
    bytes_written = end + end_.size();
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
    // An event that was cut short by a full disk must not swallow the next one.
    const std::size_t mended = line_open_ ? end_.size() : 0;
    if (line_open_) batch += end_;
    batch += queue_;
    queue_.clear();
    writing_ = true;
    const std::uint64_t events = std::exchange(queued_events_, 0);
    lock.unlock();

    std::size_t bytes_written = 0;
    const int error = socket_ ? send_out(batch, bytes_written) : write_out(batch, bytes_written);
    const std::string_view done = std::string_view(batch).substr(0, bytes_written);
    if (!done.empty()) line_open_ = !done.ends_with(end_);
    const std::uint64_t whole = count_of(end_, done.substr(std::min(mended, done.size())));

    lock.lock();
    writing_ = false;
    counters_.written += whole;
    counters_.lost_failed += events - whole;
    last_errno_ = error;
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace spidd
