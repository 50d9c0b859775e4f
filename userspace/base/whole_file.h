// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files that are read as a whole; to write them: userspace/base/staged_files.h.
#pragma once

#include <string>

#include "userspace/base/result.h"

namespace spidd {

// `text` is overwritten and keeps its capacity. Only regular files of at most `most_bytes`; is not held up by a named
// pipe. Error::code is ENOENT where there is no such file.
Result<> read_whole_file(const std::string& path, std::size_t most_bytes, std::string& text);

}  // namespace spidd
