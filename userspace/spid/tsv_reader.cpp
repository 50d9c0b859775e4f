// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/tsv_reader.h"

#include <cerrno>
#include <string_view>

namespace spidd {

Result<TsvReader> TsvReader::open(const std::string& path) {
  TsvReader reader;
  reader.path_ = path;
  reader.file_.open(path);
  if (!reader.file_) return fail_errno(errno, "{}", path);
  const auto header = reader.next();
  if (!header) return error_of(header);
  if (!*header) return fail("{}: no header line", path);
  for (std::size_t i = 0; i < reader.fields_.size(); ++i) reader.columns_.emplace(reader.fields_[i], i);
  return reader;
}

std::optional<std::size_t> TsvReader::column(const std::string& name) const {
  const auto found = columns_.find(name);
  if (found == columns_.end()) return std::nullopt;
  return found->second;
}

Result<std::size_t> TsvReader::required(const std::string& name) const {
  if (const auto index = column(name)) return *index;
  return fail("{}: no column '{}' in the header", path_, name);
}

const std::string& TsvReader::field(std::optional<std::size_t> index) const {
  static const std::string none;
  return index && *index < fields_.size() ? fields_[*index] : none;
}

Result<> TsvReader::for_each_row(const std::function<Result<>()>& take) {
  for (;;) {
    const auto row = next();
    if (!row) return error_of(row);
    if (!*row) return {};
    if (auto taken = take(); !taken) return taken;
  }
}

Result<bool> TsvReader::next() {
  while (file_.getline(line_text_.data(), static_cast<std::streamsize>(line_text_.size()))) {
    ++line_;
    if (line_ > kMaxLines) return error("more than {} lines", kMaxLines);
    std::string_view line = line_text_.data();
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    fields_.clear();
    for (std::size_t begin = 0;;) {
      const std::size_t tab = line.find('\t', begin);
      fields_.emplace_back(line.substr(begin, tab - begin));
      if (tab == std::string_view::npos) return true;
      begin = tab + 1;
    }
  }
  if (file_.eof()) return false;
  ++line_;
  // A full buffer, or a failed read: a directory opens, and fails here.
  if (!file_.bad()) return error("a line of more than {} bytes", kMaxLine);
  return fail_errno(errno, "{}", path_);
}

}  // namespace spidd
