// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files that are read as a whole, and what becomes of those that are of no use; to write them:
// userspace/base/staged_files.h.
#pragma once

#include <string>

#include "userspace/base/result.h"

namespace spidd {

// `text` is overwritten and keeps its capacity. Only regular files of at most `most_bytes`; is not held up by a named
// pipe. Error::code is ENOENT where there is no such file.
Result<> read_whole_file(const std::string& path, std::size_t most_bytes, std::string& text);

// Renames a file that is of no use, so that it is neither used nor lost: to `path` + `suffix`, or where that exists and
// `keep_older`, to the first of `path` + `suffix` + "-2", "-3", ... that does not. Returns its name.
Result<std::string> set_aside(const std::string& path, const std::string& suffix, bool keep_older = false);

}  // namespace spidd
