// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Debian's toml++ is a shared library that throws: parse errors are caught here, and lookups are of the kind that does
// not throw.
#include "userspace/policy/config_table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "userspace/base/unique_fd.h"
#include "userspace/policy/word_hint.h"

namespace spidd {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr std::size_t kMostMistakes = 20;

struct Mistake {
  unsigned line = 0;
  std::string message;
};

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

unsigned line_of_node(const toml::node& node) { return static_cast<unsigned>(node.source().begin.line); }

// Messages quote the file, and go to terminals and logs one a line.
std::string one_line(std::string_view message) {
  std::string clean(message);
  std::ranges::replace_if(
      clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return clean;
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno(errno, "open {}", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "read {}", path);
  if (!S_ISREG(status.st_mode)) return fail("{} is not a regular file", path);
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read {}", path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargestFile) return fail("{} is larger than {} bytes", path, kLargestFile);
  }
}

}  // namespace

struct ConfigTable::Document {
  std::string path;
  toml::table root;
  std::vector<Mistake> mistakes;
};

struct ConfigTable::View {
  std::shared_ptr<Document> document;
  const toml::table* table = nullptr;  // within the document; nullptr = absent
  unsigned line = 0;
  std::string name;                     // "" = the top of the file
  std::vector<std::string_view> known;  // keys asked for; the caller's literals

  // The key's value, nullptr if absent.
  const toml::node* find(std::string_view key) {
    if (std::ranges::find(known, key) == known.end()) known.push_back(key);
    return table == nullptr ? nullptr : table->get(key);
  }
};

Result<ConfigTable> ConfigTable::load(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  return parse(*text, path);
}

Result<ConfigTable> ConfigTable::parse(std::string_view text, const std::string& path) {
  if (text.size() > kLargestFile) return fail("{} is larger than {} bytes", path, kLargestFile);
  auto document = std::make_shared<Document>();
  document->path = path;
  try {
    document->root = toml::parse(text, std::string_view(path));
  } catch (const toml::parse_error& error) {
    return fail("{}:{}: {}", path, error.source().begin.line, one_line(error.description()));
  }
  auto view = std::make_shared<View>();
  view->table = &document->root;
  view->line = 1;
  view->document = std::move(document);
  return ConfigTable(std::move(view));
}

std::string ConfigTable::where() const { return view_->name.empty() ? std::string{} : view_->name + ": "; }

std::optional<bool> ConfigTable::boolean(std::string_view key) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  if (const auto* value = node->as_boolean()) return value->get();
  complain(line_of_node(*node), fmt::format("{}{} must be true or false, not {}", where(), key, type_name(*node)));
  return {};
}

std::optional<std::int64_t> ConfigTable::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  const auto* value = node->as_integer();
  if (value == nullptr) {
    complain(line_of_node(*node), fmt::format("{}{} must be an integer, not {}", where(), key, type_name(*node)));
    return {};
  }
  if (value->get() < least || value->get() > most) {
    complain(line_of_node(*node),
             fmt::format("{}{} = {} is not within {} to {}", where(), key, value->get(), least, most));
    return {};
  }
  return value->get();
}

std::optional<double> ConfigTable::number(std::string_view key, double least, double most) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  if (!node->is_number()) {
    complain(line_of_node(*node), fmt::format("{}{} must be a number, not {}", where(), key, type_name(*node)));
    return {};
  }
  const double value =
      node->is_integer() ? static_cast<double>(node->as_integer()->get()) : node->as_floating_point()->get();
  if (!(value >= least && value <= most)) {  // also NaN
    complain(line_of_node(*node), fmt::format("{}{} = {} is not within {} to {}", where(), key, value, least, most));
    return {};
  }
  return value;
}

std::optional<std::string> ConfigTable::text(std::string_view key) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  const auto* value = node->as_string();
  if (value == nullptr) {
    complain(line_of_node(*node), fmt::format("{}{} must be a string, not {}", where(), key, type_name(*node)));
    return {};
  }
  if (value->get().empty()) {
    complain(line_of_node(*node), fmt::format("{}{} is empty", where(), key));
    return {};
  }
  return value->get();
}

std::optional<Duration> ConfigTable::duration(std::string_view key, Duration least, Duration most) {
  const std::optional<std::string> word = text(key);
  if (!word) return {};
  const Result<Duration> value = parse_duration(*word);
  if (!value) {
    complain(line_of(key), fmt::format("{}{}: {}", where(), key, value.error().message));
    return {};
  }
  if (*value < least || *value > most) {
    complain(line_of(key), fmt::format("{}{} = '{}' is not within {} to {}", where(), key, *word,
                                       format_duration(least), format_duration(most)));
    return {};
  }
  return *value;
}

std::optional<std::size_t> ConfigTable::choice(std::string_view key, std::span<const std::string_view> words) {
  const std::optional<std::string> word = text(key);
  if (!word) return {};
  const auto found = std::ranges::find(words, std::string_view(*word));
  if (found == words.end()) {
    complain(line_of(key), fmt::format("{}{} = '{}' is none of {}{}", where(), key, *word, fmt::join(words, ", "),
                                       did_you_mean(*word, words)));
    return {};
  }
  return static_cast<std::size_t>(found - words.begin());
}

std::optional<std::vector<ConfigTable::Item>> ConfigTable::items(std::string_view key, bool integers_too,
                                                                 std::size_t most) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  const std::string_view wanted = integers_too ? "integers and strings" : "strings";
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    complain(line_of_node(*node),
             fmt::format("{}{} must be an array of {} in [ ], not {}", where(), key, wanted, type_name(*node)));
    return {};
  }
  if (array->empty()) {
    complain(line_of_node(*node), fmt::format("{}{} is empty; leave the key out instead", where(), key));
    return {};
  }
  if (array->size() > most) {
    complain(line_of_node(*node), fmt::format("{}{} has more than {} entries", where(), key, most));
    return {};
  }
  std::vector<Item> result;
  for (const toml::node& entry : *array) {
    if (const auto* string = entry.as_string()) {
      result.push_back({string->get(), line_of_node(entry)});
    } else if (const auto* integer = entry.as_integer(); integer != nullptr && integers_too) {
      result.push_back({fmt::format("{}", integer->get()), line_of_node(entry)});
    } else {
      complain(line_of_node(entry),
               fmt::format("{}{} must be an array of {}, but has {}", where(), key, wanted, type_name(entry)));
      return {};
    }
  }
  return result;
}

ConfigTable ConfigTable::table(std::string_view key) {
  const toml::node* node = view_->find(key);
  auto view = std::make_shared<View>();
  view->document = view_->document;
  view->name = fmt::format("{}[{}]", where(), key);
  view->line = line_of(key);
  if (node != nullptr) {
    view->table = node->as_table();
    if (view->table == nullptr)
      complain(line_of_node(*node), fmt::format("{}{} must be a table, not {}", where(), key, type_name(*node)));
  }
  return ConfigTable(std::move(view));
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key, std::size_t most) {
  const toml::node* node = view_->find(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    complain(line_of_node(*node), fmt::format("{0}{1} must be written as [[{1}]], once for each", where(), key));
    return {};
  }
  if (array->size() > most) {
    complain(line_of_node(*node), fmt::format("{}more than {} [[{}]]", where(), most, key));
    return {};
  }
  std::vector<ConfigTable> result;
  for (const toml::node& entry : *array) {
    auto view = std::make_shared<View>();
    view->document = view_->document;
    view->name = fmt::format("[[{}]]", key);
    view->table = entry.as_table();
    view->line = line_of_node(entry);
    result.push_back(ConfigTable(std::move(view)));
  }
  return result;
}

bool ConfigTable::has(std::string_view key) const { return view_->table != nullptr && view_->table->contains(key); }

unsigned ConfigTable::line() const { return view_->line; }

unsigned ConfigTable::line_of(std::string_view key) const {
  if (view_->table == nullptr) return view_->line;
  for (const auto& [name, node] : *view_->table)
    if (name.str() == key) return std::max(1U, static_cast<unsigned>(name.source().begin.line));
  return view_->line;
}

const std::string& ConfigTable::path() const { return view_->document->path; }

void ConfigTable::complain(unsigned line, std::string_view message) {
  view_->document->mistakes.push_back({line, one_line(message)});
}

void ConfigTable::call(std::string name) { view_->name = std::move(name); }

void ConfigTable::refuse_unknown_keys() {
  if (view_->table == nullptr) return;
  for (const auto& [name, node] : *view_->table) {
    if (std::ranges::find(view_->known, name.str()) != view_->known.end()) continue;
    complain(line_of(name.str()),
             fmt::format("{}unknown key '{}'{}", where(), name.str(), did_you_mean(name.str(), view_->known)));
  }
}

Result<void> ConfigTable::outcome() const {
  std::vector<Mistake> mistakes = view_->document->mistakes;
  if (mistakes.empty()) return {};
  std::ranges::stable_sort(mistakes, {}, &Mistake::line);
  std::string text;
  for (std::size_t i = 0; i < std::min(mistakes.size(), kMostMistakes); ++i)
    text += fmt::format("{}{}:{}: {}", i == 0 ? "" : "\n", path(), mistakes[i].line, mistakes[i].message);
  if (mistakes.size() > kMostMistakes)
    text += fmt::format("\n{}: {} more mistakes", path(), mistakes.size() - kMostMistakes);
  return tl::unexpected<Error>(Error{std::move(text), 0});
}

}  // namespace spidd
