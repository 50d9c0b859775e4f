// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// TOML files read strictly: every key is asked for by name, type and range, and what nobody asked for is an error. This
// is the face of toml++ for the rest of the project; only config_table.cpp includes it, and its exceptions end there.
//
//   auto file = ConfigTable::load(path);
//   const auto answer = file->integer("answer", 0, 100);   // nothing if absent or wrong
//   ConfigTable limits = file->table("limits");
//   ...
//   limits.refuse_unknown_keys();
//   file->refuse_unknown_keys();
//   if (auto read = file->outcome(); !read) return ...     // every mistake of the file, one a line: "FILE:LINE: ..."
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/time.h"

namespace spidd {

// A table of the file; copies are views of the same table. Readers that find a mistake note it for outcome() and return
// nothing, as if the key were absent: go on reading, so that all mistakes are reported at once.
class ConfigTable {
 public:
  // Files beyond 1 MiB, other than regular files and texts that are not TOML are errors. `path` is for messages.
  static Result<ConfigTable> load(const std::string& path);
  static Result<ConfigTable> parse(std::string_view text, const std::string& path);

  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);  // finite; integers count as numbers
  std::optional<std::string> text(std::string_view key);                          // not empty
  std::optional<Duration> duration(std::string_view key, Duration least, Duration most);
  // Index into `words` of the text found.
  std::optional<std::size_t> choice(std::string_view key, std::span<const std::string_view> words);

  struct Item {
    std::string text;  // of an integer: its digits
    unsigned line = 0;
  };
  // An array of strings (and of integers, if wanted). An empty array, or more than `most` items, is an error.
  std::optional<std::vector<Item>> items(std::string_view key, bool integers_too, std::size_t most);

  // The items of an array as `reader` reads them: Result<T> reader(std::string_view).
  template <class T, class Reader>
  std::vector<T> list(std::string_view key, std::size_t most, bool integers_too, Reader reader) {
    std::vector<T> values;
    for (const Item& item : items(key, integers_too, most).value_or(std::vector<Item>{})) {
      if (Result<T> value = reader(std::string_view(item.text)))
        values.push_back(std::move(*value));
      else
        complain(item.line, fmt::format("{}{}: {}", where(), key, value.error().message));
    }
    return values;
  }

  // [key]; an absent table is as good as an empty one.
  ConfigTable table(std::string_view key);
  // [[key]], in the order of the file.
  std::vector<ConfigTable> tables(std::string_view key, std::size_t most);

  bool has(std::string_view key) const;
  unsigned line() const;                         // of the table's head
  unsigned line_of(std::string_view key) const;  // of the key, else of the table
  const std::string& path() const;

  // Notes a mistake that the caller found; "FILE:LINE: " is put in front.
  void complain(unsigned line, std::string_view message);
  // What the table is called in messages from now on, such as "rule 'x'".
  void call(std::string name);
  // Notes every key that no reader of this table was asked for.
  void refuse_unknown_keys();

  // All mistakes noted so far in any table of the file, by line; at most 20 are spelled out.
  Result<void> outcome() const;

 private:
  struct Document;
  struct View;
  explicit ConfigTable(std::shared_ptr<View> view) : view_(std::move(view)) {}
  std::string where() const;

  std::shared_ptr<View> view_;
};

}  // namespace spidd
