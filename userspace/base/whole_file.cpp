// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "userspace/base/unique_fd.h"

namespace spidd {

Result<> read_whole_file(const std::string& path, std::size_t most_bytes, std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, "{}: open", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "{}: read", path);
  if (!S_ISREG(status.st_mode)) return fail("{}: not a regular file", path);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > most_bytes) return fail("{}: {} bytes are more than such a file may have ({})", path, size, most_bytes);
  text.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd.get(), text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "{}: read", path);
    if (got == 0) return fail("{}: became shorter while it was read", path);
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<std::string> set_aside(const std::string& path, const std::string& suffix, bool keep_older) {
  std::string aside = path + suffix;
  std::error_code ignored;
  for (int i = 2; keep_older && std::filesystem::exists(aside, ignored); ++i)
    aside = fmt::format("{}{}-{}", path, suffix, i);
  if (std::rename(path.c_str(), aside.c_str()) != 0) return fail_errno(errno, "{}: put the file aside", path);
  return aside;
}

}  // namespace spidd
