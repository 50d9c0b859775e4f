// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/file_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>

#include "userspace/base/log.h"
#include "userspace/base/staged_files.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

namespace {

constexpr unsigned kMode = 0640;  // what tells of hosts is not for all

Result<> append_to_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kMode));
  if (!file) return fail_errno(errno, "open {}", path);
  while (!text.empty()) {
    const ssize_t wrote = ::write(file.get(), text.data(), text.size());
    if (wrote >= 0)
      text.remove_prefix(static_cast<std::size_t>(wrote));
    else if (errno != EINTR)
      return fail_errno(errno, "write {}", path);
  }
  return {};
}

}  // namespace

FileWriter::FileWriter() : thread_([this] { run(); }) { ::pthread_setname_np(thread_.native_handle(), "files"); }

FileWriter::~FileWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void FileWriter::enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ + job.text.size() > kMostBytes) {
      ++counters_.lost_full;
      return;
    }
    bytes_ += job.text.size();
    jobs_.push_back(std::move(job));
  }
  work_.notify_one();
}

void FileWriter::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return jobs_.empty() && !writing_; });
}

FileWriter::Counters FileWriter::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void FileWriter::tell(const Job& job, const Result<>& done) {
  if (done)
    troubled_.erase(job.path);
  else if (troubled_.insert(job.path).second)
    log_warning("{}", done.error().message);
}

void FileWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    bytes_ -= job.text.size();
    writing_ = true;
    lock.unlock();
    const Result<> done = job.append ? append_to_file(job.path, job.text) : write_whole_file(job.path, job.text, kMode);
    tell(job, done);
    lock.lock();
    writing_ = false;
    ++(done ? counters_.written : counters_.lost_failed);
    if (jobs_.empty()) idle_.notify_all();
  }
}

}  // namespace spidd
