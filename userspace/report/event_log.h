// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The event log: JSON lines appended to a file, or to standard output. Whoever writes an event never waits for the
// disk: lines go into a bounded buffer that one thread writes out. What does not fit, or cannot be written, is counted.
// The same for events of other forms (alert_output.h), and as datagrams to a socket of this host.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

// Thread-safe. The destructor writes out what is buffered.
class EventLog {
 public:
  struct Counters {
    std::uint64_t written = 0;      // events
    std::uint64_t lost_full = 0;    // events that met a full buffer: the disk is too slow
    std::uint64_t lost_failed = 0;  // events that could not be written: disk full, file gone
  };
  static constexpr std::size_t kDefaultBuffer = std::size_t{4} << 20U;

  // Opens or creates `path` (mode 0640) for appending; "-" is standard output. `end` stands after every event and
  // nowhere else.
  static Result<std::unique_ptr<EventLog>> open(const std::string& path, std::size_t buffer_bytes = kDefaultBuffer,
                                                std::string_view end = "\n");
  // A datagram an event to the Unix socket `path`, which need not be there yet: it is looked for when there is
  // something to send, and anew when its reader has gone. A reader that is busy for longer than a second loses events.
  static std::unique_ptr<EventLog> to_socket(const std::string& path, std::size_t buffer_bytes = kDefaultBuffer);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Queues one event; its end is added. Returns whether there was room.
  bool write(std::string_view json);

  // Opens the file anew by its name, after logrotate moved it. What is buffered goes to the new file. On failure the
  // old file stays in use.
  Result<void> reopen();

  // Returns when everything that was queued before the call is written or lost.
  void flush();

  Counters counters() const;
  // Why the last write failed, "" if it did not.
  std::string last_error() const;

 private:
  EventLog(std::string path, UniqueFd file, std::size_t buffer_bytes, std::string_view end, bool socket);
  void run();
  // Both return 0 or the errno. Called by the thread only, without the lock.
  int write_out(std::string_view events, std::size_t& bytes_written);
  int send_out(std::string_view events, std::size_t& bytes_written);
  int send_one(std::string_view event);

  const std::string path_;
  const std::size_t buffer_bytes_;
  const std::string end_;
  const bool socket_;

  mutable std::mutex mutex_;
  std::condition_variable work_;  // there is something to write, or the end has come
  std::condition_variable idle_;  // everything is written
  UniqueFd file_;
  UniqueFd next_file_;  // reopen() found it; the thread takes it over between two writes
  std::string queue_;
  std::uint64_t queued_events_ = 0;
  bool writing_ = false;
  bool stop_ = false;
  Counters counters_;
  int last_errno_ = 0;

  bool line_open_ = false;  // thread only: the file ends in the middle of an event
  std::thread thread_;
};

}  // namespace spidd
