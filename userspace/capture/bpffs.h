// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The BPF file system in which programs, maps and links outlive the process, and the daemon's directory on it.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_settings.h"

namespace spidd {

// True if `path` exists and lies on a BPF file system.
bool is_on_bpffs(const std::string& path);

// The pin directory that can be used, existing, mode 0700. When settings.pin_directory is below /sys/fs/bpf and that is
// no BPF file system, one is mounted there, or in STATE/bpf where that is impossible; `warnings` then says so.
// /sys/fs/bpf is also where libxdp keeps its dispatchers.
Result<std::string> prepare_pin_directory(const BpfSettings& settings, std::vector<std::string>& warnings);

// The pin directory on the file system mounted in STATE/bpf.
std::string own_mount_directory(const BpfSettings& settings);

// Exclusive use of the directory until the descriptor is closed; an error if another process holds it.
Result<UniqueFd> lock_directory(const std::string& path);

// Makes the directory with its parents, mode 0700; fine if it exists.
Result<> make_directories(const std::string& path);

// Names in a directory, sorted; empty if there is no such directory.
std::vector<std::string> list_directory(const std::string& path);

// Removes a directory with everything in it. Unpinning the last reference to a link detaches its program.
Result<> remove_tree(const std::string& path);

}  // namespace spidd
