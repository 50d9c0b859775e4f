// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tables as text: fields between tabs, a header line with the names of the columns, lines that begin with '#' are
// comments. Empty lines and carriage returns at the end of a line mean nothing.
#pragma once

#include <cstddef>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/base/result.h"

namespace spidd {

// For one thread. Errors name file and line.
class TsvReader {
 public:
  static constexpr std::size_t kMaxLine = 64 * 1024;  // bytes
  static constexpr std::size_t kMaxLines = 4'000'000;

  // Opens the file and reads the header.
  static Result<TsvReader> open(const std::string& path);

  std::optional<std::size_t> column(const std::string& name) const;
  Result<std::size_t> required(const std::string& name) const;

  // Calls `take` for every row, until it fails. A line or a file beyond the limits is an error.
  Result<> for_each_row(const std::function<Result<>()>& take);

  // Of the current row; "" where the line is too short or the column is absent.
  const std::string& field(std::optional<std::size_t> index) const;

  // An error in the current row.
  template <class... Args>
  tl::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) const {
    return fail("{}:{}: {}", path_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  // The next line that is no comment; false at the end of the file.
  Result<bool> next();

  std::string path_;
  std::ifstream file_;
  std::vector<char> line_text_ = std::vector<char>(kMaxLine + 1);
  std::unordered_map<std::string, std::size_t> columns_;
  std::vector<std::string> fields_;
  std::size_t line_ = 0;
};

}  // namespace spidd
