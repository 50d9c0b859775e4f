// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Finding, mounting and locking on the BPF file system.
#include "userspace/capture/bpffs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace spidd {
namespace fs = std::filesystem;
namespace {

constexpr const char* kDefaultMount = "/sys/fs/bpf";

bool is_below_default_mount(const std::string& path) { return path.starts_with(std::string(kDefaultMount) + "/"); }

// The part of the path that exists already.
std::string existing_part(fs::path path) {
  std::error_code error;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, error)) path = path.parent_path();
  return path.string();
}

Result<> mount_bpffs(const std::string& path) {
  if (::mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
    return fail_errno(errno, "mount a BPF file system on {}", path);
  }
  return {};
}

// A mount made here ends with the last process of a private mount namespace ("ip netns exec", containers), and with it
// what is pinned.
bool mount_namespace_is_private() {
  struct stat own {};
  struct stat init {};
  if (::stat("/proc/self/ns/mnt", &own) != 0 || ::stat("/proc/1/ns/mnt", &init) != 0) return false;
  return own.st_ino != init.st_ino;
}

void warn_about_mount(const std::string& where, std::vector<std::string>& warnings) {
  if (mount_namespace_is_private()) {
    warnings.push_back(fmt::format(
        "a BPF file system was mounted on {} inside a private mount namespace: what is pinned there ends with this "
        "process, so nothing is enforced after a crash (start with nsenter --net instead of ip netns exec)",
        where));
  }
}

Result<std::string> directory_on_own_mount(const BpfSettings& settings, std::vector<std::string>& warnings) {
  const std::string mount_point = settings.state_directory + "/bpf";
  if (auto made = make_directories(mount_point); !made) return tl::unexpected(made.error());
  if (!is_on_bpffs(mount_point)) {
    if (auto mounted = mount_bpffs(mount_point); !mounted) return tl::unexpected(mounted.error());
    warn_about_mount(mount_point, warnings);
  }
  warnings.push_back(
      fmt::format("{} cannot be used as a BPF file system; what is pinned lives in {}", kDefaultMount, mount_point));
  return own_mount_directory(settings);
}

Result<std::string> choose_directory(const BpfSettings& settings, std::vector<std::string>& warnings) {
  const std::string& wanted = settings.pin_directory;
  if (is_on_bpffs(existing_part(wanted))) return wanted;
  if (!is_below_default_mount(wanted)) {
    return fail("{} is not on a BPF file system (mount one with: mount -t bpf bpf DIRECTORY)", wanted);
  }
  if (is_on_bpffs(kDefaultMount)) return wanted;
  if (mount_bpffs(kDefaultMount)) {
    warn_about_mount(kDefaultMount, warnings);
    return wanted;
  }
  return directory_on_own_mount(settings, warnings);
}

}  // namespace

bool is_on_bpffs(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

std::string own_mount_directory(const BpfSettings& settings) {
  return settings.state_directory + "/bpf/" + fs::path(settings.pin_directory).filename().string();
}

Result<std::string> prepare_pin_directory(const BpfSettings& settings, std::vector<std::string>& warnings) {
  if (settings.pin_directory.empty() || settings.pin_directory.front() != '/') {
    return fail("the pin directory must be an absolute path, not '{}'", settings.pin_directory);
  }
  auto directory = choose_directory(settings, warnings);
  if (!directory) return directory;
  if (auto made = make_directories(*directory); !made) {
    if (made.error().code == EPERM && fs::path(*directory).filename().string().find('.') != std::string::npos) {
      return fail("the pin directory {} has a dot in its name, which a BPF file system does not allow", *directory);
    }
    return tl::unexpected(made.error());
  }
  return directory;
}

Result<UniqueFd> lock_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail("{} is in use by another spidd: give each one a pin directory of its own", path);
    }
    return fail_errno(errno, "lock {}", path);
  }
  return fd;
}

Result<> make_directories(const std::string& path) {
  fs::path made;
  for (const fs::path& part : fs::path(path)) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    std::error_code error;
    const int code = errno;
    if (!fs::is_directory(made, error)) return fail_errno(code, "make the directory {}", made.string());
  }
  return {};
}

std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<> remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return fail_errno(error.value(), "remove {}", path);
  return {};
}

}  // namespace spidd
