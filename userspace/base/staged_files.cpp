// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/staged_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "userspace/base/unique_fd.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kManyFiles = 8;  // in a directory

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_in_place(const std::string& path, std::string_view text, unsigned mode) {
  // Not held up by a pipe that nobody reads.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const UniqueFd fd(::open(path.c_str(), kFlags, mode));
  if (!fd) return fail_errno(errno, "open {}", path);
  if (::fcntl(fd.get(), F_SETFL, O_WRONLY) != 0) return fail_errno(errno, "{}: write", path);
  if (Result<void> written = write_all(fd.get(), text); !written) return std::move(written).error().within(path);
  return {};
}

}  // namespace

StagedFiles::~StagedFiles() {
  for (const Staged& staged : written_) ::unlink(staged.temporary.c_str());
}

Result<void> StagedFiles::write(const std::string& path, std::string_view text, unsigned mode) {
  struct stat now {};
  if (::lstat(path.c_str(), &now) == 0 && !S_ISREG(now.st_mode) && !S_ISLNK(now.st_mode) && !S_ISDIR(now.st_mode))
    return fail("{} is not a regular file", path);
  const fs::path target(path);
  std::string temporary = (target.parent_path() / ("." + target.filename().string() + ".XXXXXX")).string();
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, "{}: make a file beside it", path);
  written_.push_back({temporary, path});
  if (Result<void> written = write_all(fd.get(), text); !written) return std::move(written).error().within(path);
  if (::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "{}: write", path);
  return {};
}

// Each file waits for the disk by itself; of many the whole file system is the quicker one to write.
Result<void> StagedFiles::sync() const {
  std::set<fs::path> directories;
  for (const Staged& staged : written_) directories.insert(fs::path(staged.path).parent_path());
  const bool many = written_.size() > kManyFiles * directories.size();
  for (auto directory = directories.begin(); many && directory != directories.end(); ++directory) {
    const UniqueFd fd(::open(directory->empty() ? "." : directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::syncfs(fd.get()) != 0) return fail_errno(errno, "{}: write", directory->string());
  }
  for (auto staged = written_.begin(); !many && staged != written_.end(); ++staged) {
    const UniqueFd fd(::open(staged->temporary.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return fail_errno(errno, "{}: write", staged->path);
  }
  return {};
}

Result<void> StagedFiles::commit() {
  if (auto synced = sync(); !synced) return synced;
  while (!written_.empty()) {
    const Staged& staged = written_.back();
    if (::rename(staged.temporary.c_str(), staged.path.c_str()) != 0)
      return fail_errno(errno, "{}: put the new file in its place", staged.path);
    written_.pop_back();
  }
  for (const std::string& path : removed_)
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "{}: remove", path);
  removed_.clear();
  return {};
}

Result<void> write_whole_file(const std::string& path, std::string_view text, unsigned mode) {
  struct stat now {};
  if (::lstat(path.c_str(), &now) == 0 && !S_ISREG(now.st_mode)) return write_in_place(path, text, mode);
  StagedFiles files;
  if (Result<void> staged = files.write(path, text, mode); !staged) return staged;
  return files.commit();
}

}  // namespace spidd
