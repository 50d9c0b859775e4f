// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Several files changed together: everything that can fail, short of losing power, fails before the first of them is
// touched. Readers see the old file or the new one, never half of one.
//
//   StagedFiles files;
//   if (auto staged = files.write(path, text); !staged) return staged;
//   files.remove(other_path);
//   return files.commit();
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace spidd {

// What was staged and not committed is undone by the destructor. Not thread-safe.
class StagedFiles {
 public:
  StagedFiles() = default;
  ~StagedFiles();
  StagedFiles(const StagedFiles&) = delete;
  StagedFiles& operator=(const StagedFiles&) = delete;

  static constexpr unsigned kForAll = 0644;
  static constexpr unsigned kForOwner = 0600;  // what tells of hosts

  // Writes the text beside the file; `mode` are the permissions that it gets. A device, a pipe or a socket is refused:
  // it would be replaced by a file.
  Result<void> write(const std::string& path, std::string_view text, unsigned mode = kForAll);
  // Takes the file away with commit(). A missing one is no error.
  void remove(const std::string& path) { removed_.push_back(path); }
  // Sees the written files through to the disk, puts them in their places, then takes the others away.
  Result<void> commit();

 private:
  struct Staged {
    std::string temporary;
    std::string path;
  };
  Result<void> sync() const;

  std::vector<Staged> written_;
  std::vector<std::string> removed_;
};

// To where somebody said: replaces a regular file, or makes one, as StagedFiles does. A device or a pipe is written to,
// and so is what a symbolic link leads to, /dev/stdout for one; a pipe that nobody reads is an error.
Result<void> write_whole_file(const std::string& path, std::string_view text, unsigned mode = StagedFiles::kForAll);

}  // namespace spidd
