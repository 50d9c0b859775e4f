// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

namespace spidd {

namespace {

constexpr Duration kTryEvery = std::chrono::milliseconds(20);

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory, Duration patience) {
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  if (code) return fail_errno(code.value(), "{}: make the directory", directory);
  DirectoryLock lock;
  lock.directory_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.directory_) return fail_errno(errno, "{}: open", directory);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(lock.directory_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EBADF || errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) return lock;
    if (errno != EWOULDBLOCK) return fail_errno(errno, "{}: lock", directory);
    if (std::chrono::steady_clock::now() >= deadline)
      return tl::unexpected<Error>(Error{
          fmt::format("{}: another process, spidd or spidctl, is changing what is in it", directory), EWOULDBLOCK});
    std::this_thread::sleep_for(kTryEvery);
  }
  return lock;
}

}  // namespace spidd
