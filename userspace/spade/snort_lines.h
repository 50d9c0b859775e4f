// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The lines of a Snort configuration that are SPADE's: "preprocessor spade...: arguments", with variables expanded,
// continued lines joined and included files in their place. Every other line is skipped.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace spidd {

struct SnortLine {
  std::string file;
  unsigned line = 0;                   // the first, of a continued one
  std::string keyword;                 // "spade-detect"
  std::vector<std::string> arguments;  // separated by blanks
};

// "FILE:LINE: message", as it is shown.
struct SnortRemark {
  std::string file;
  unsigned line = 0;
  std::string message;

  std::string text() const;
};

inline constexpr std::size_t kMostSnortRemarks = 200;  // errors, and as many warnings: what is more is not noted

struct SnortLines {
  std::vector<SnortLine> lines;
  std::vector<SnortRemark> errors;
  std::vector<SnortRemark> warnings;
};

// The text of an included file. Snort looks for it beside the file that includes it.
using SnortInclude = std::function<Result<std::string>(const std::string& path)>;

// Bounded: 1 MiB of text in all, 4,096 bytes a line, 1,024 variables, includes 4 deep; what is more is an error.
SnortLines read_snort_lines(std::string_view text, const std::string& path, const SnortInclude& include);

// For messages: a file's name, whole and in UTF-8, without control characters.
std::string printable_path(std::string_view path);

// For messages: what is not printable becomes '?'.
std::string printable(std::string_view text);

}  // namespace spidd
