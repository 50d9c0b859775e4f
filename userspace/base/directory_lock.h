// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One process at a time changes the files of a directory: whoever reads, changes and writes them holds its lock from
// the reading on, or loses what another wrote in between. Readers need none. Advisory (flock of the directory itself),
// and gone with the process that held it.
#pragma once

#include <string>

#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

class DirectoryLock {
 public:
  // Holds nothing.
  DirectoryLock() = default;

  // Makes the directory if it is missing. Waits for as long as `patience` for who holds it: then the code of the error
  // is EWOULDBLOCK. File systems that know no locks are no error.
  static Result<DirectoryLock> take(const std::string& directory, Duration patience);

 private:
  UniqueFd directory_;
};

}  // namespace spidd
