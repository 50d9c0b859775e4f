// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files that a thread that must not wait for the disk wants written: SPADE's log and surveys. One thread of its own
// writes them in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "userspace/base/result.h"

namespace spidd {

// Thread-safe. The destructor writes what is left. A file that cannot be written is a warning in the log, once until it
// can be written again.
class FileWriter {
 public:
  struct Counters {
    std::uint64_t written = 0;
    std::uint64_t lost_full = 0;    // too many waited to be written
    std::uint64_t lost_failed = 0;  // could not be written
  };
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20U;  // that wait

  FileWriter();
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Writes the file anew (mode 0640), whole or not at all.
  void replace(std::string path, std::string text) { enqueue({std::move(path), std::move(text), false}); }
  // Adds to its end, and makes it (mode 0640) if there is none.
  void append(std::string path, std::string text) { enqueue({std::move(path), std::move(text), true}); }

  // Returns when everything that was asked for before the call is written or lost.
  void flush();
  Counters counters() const;

 private:
  struct Job {
    std::string path;
    std::string text;
    bool append = false;
  };
  void enqueue(Job job);
  void run();
  void tell(const Job& job, const Result<>& done);

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Job> jobs_;
  std::size_t bytes_ = 0;  // of jobs_
  bool writing_ = false;
  bool stop_ = false;
  Counters counters_;

  std::set<std::string> troubled_;  // thread only: paths
  std::thread thread_;
};

}  // namespace spidd
