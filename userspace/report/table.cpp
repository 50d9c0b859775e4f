// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Widths count characters, not bytes: labels are ASCII, but file names in cells need not be.
#include "userspace/report/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace spidd {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 6;  // a column is not cut below this
constexpr std::string_view kCut = "…";

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (continues(text[end])) continue;
    if (count == 0) break;
    --count;
  }
  return text.substr(0, end);
}

std::string printable(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return result;
}

std::string fitted(std::string_view text, std::size_t width, Align align) {
  const std::size_t length = characters(text);
  if (length > width) return std::string(first_characters(text, width - 1)).append(kCut);
  const std::string space(width - length, ' ');
  return align == Align::left ? std::string(text) + space : space + std::string(text);
}

}  // namespace

std::size_t terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string Table::text(std::size_t width) const {
  std::vector<std::vector<std::string>> lines(1 + rows_.size(), std::vector<std::string>(columns_.size()));
  std::vector<std::size_t> widths(columns_.size());
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      if (line == 0)
        lines[line][column] = printable(columns_[column].title);
      else if (column < rows_[line - 1].size())
        lines[line][column] = printable(rows_[line - 1][column]);
      widths[column] = std::max(widths[column], characters(lines[line][column]));
    }
  }

  const std::size_t gaps = columns_.empty() ? 0 : kGap * (columns_.size() - 1);
  const auto total = [&] { return gaps + std::accumulate(widths.begin(), widths.end(), std::size_t{0}); };
  while (width != 0 && total() > width) {
    std::size_t* widest = nullptr;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const bool may_shrink = columns_[column].align == Align::left && widths[column] > kNarrowest;
      if (may_shrink && (widest == nullptr || widths[column] > *widest)) widest = &widths[column];
    }
    if (widest == nullptr) break;
    --*widest;
  }

  std::string text;
  for (const std::vector<std::string>& line : lines) {
    std::string written;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      if (column != 0) written.append(kGap, ' ');
      written += fitted(line[column], widths[column], columns_[column].align);
    }
    written.erase(written.find_last_not_of(' ') + 1);
    text += written;
    text += '\n';
  }
  return text;
}

}  // namespace spidd
