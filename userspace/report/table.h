// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tables for people: columns as wide as they need to be, numbers to the right, cut to the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace spidd {

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

// Columns of the terminal on standard output, 0 if it is none.
std::size_t terminal_width();

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // A cell for each column; missing ones are empty, further ones are not shown.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::size_t rows() const { return rows_.size(); }

  // Titles and rows, a line each, without spaces at the ends. If the lines would be wider than `width` (0 = as wide as
  // they are), the widest left-aligned columns are narrowed first, and what is cut ends in "…". Control characters
  // become '?'.
  std::string text(std::size_t width = terminal_width()) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace spidd
