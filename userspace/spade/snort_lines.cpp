// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Variables are expanded where they are defined and where they are used, once: no value is expanded twice, and so no
// chain of definitions grows without bound.
#include "userspace/spade/snort_lines.h"

#include <algorithm>
#include <map>

namespace spidd {

namespace {

constexpr std::size_t kMostText = 1 << 20;
constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kMostVariables = 1024;
constexpr std::size_t kMostArguments = 256;
constexpr std::size_t kMostLines = 1000;  // of SPADE
constexpr unsigned kDeepestInclude = 4;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the first word off `text`.
std::string_view first_word(std::string_view& text) {
  text = trimmed(text);
  const auto end = std::ranges::find_if(text, is_blank) - text.begin();
  const std::string_view word = text.substr(0, static_cast<std::size_t>(end));
  text = trimmed(text.substr(word.size()));
  return word;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

// A list in brackets is one word, whatever blanks are in it.
std::string without_blanks_in_brackets(std::string_view text) {
  std::string result;
  unsigned depth = 0;
  for (const char c : text) {
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    if (depth == 0 || !is_blank(c)) result += c;
  }
  return result;
}

class Reader {
 public:
  explicit Reader(const SnortInclude& include) : include_(include) {}

  void read(std::string_view text, const std::string& path, unsigned depth);
  SnortLines take() { return std::move(result_); }

 private:
  void take_line(std::string_view text);
  void define(std::string_view rest);
  void take_include(std::string_view rest);
  void take_preprocessor(std::string_view rest);
  std::string expand(std::string_view text);
  // Value of the variable that `rest` begins with, after the '$'; what belongs to it is taken off `rest`.
  std::string value_of(std::string_view& rest);
  void complain(std::string message) { remark(result_.errors, std::move(message)); }
  void warn(std::string message) { remark(result_.warnings, std::move(message)); }
  void remark(std::vector<SnortRemark>& to, std::string message) {
    if (to.size() < kMostSnortRemarks) to.push_back({path_, line_, std::move(message)});
  }

  const SnortInclude& include_;
  SnortLines result_;
  std::map<std::string, std::string, std::less<>> variables_;
  std::size_t bytes_ = 0;
  std::string path_;
  unsigned line_ = 0;  // being read
  unsigned depth_ = 0;
};

void Reader::read(std::string_view text, const std::string& path, unsigned depth) {
  path_ = path;
  depth_ = depth;
  line_ = 0;
  bytes_ += text.size();
  if (bytes_ > kMostText) {
    complain(fmt::format("{}: larger than {} bytes, with what it includes", path, kMostText));
    return;
  }
  unsigned at = 0;
  std::string joined;
  bool continues = false;
  bool too_long = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++at;
    if (!continues) {
      line_ = at;
      joined.clear();
      too_long = false;
      if (part.empty() || part.front() == '#' || part.front() == ';') continue;
    }
    continues = !part.empty() && part.back() == '\\';
    if (continues) part.remove_suffix(1);
    if (joined.size() + part.size() > kLongestLine) {
      // Rules may be long; SPADE's lines are not.
      if (!too_long && lower((joined.empty() ? part : std::string_view(joined)).substr(0, 12)) == "preprocessor")
        complain(fmt::format("the line is longer than {} bytes", kLongestLine));
      too_long = true;
    }
    if (!too_long) joined.append(part).append(" ");
    if (!continues && !too_long) take_line(joined);
  }
  if (continues && !too_long) take_line(joined);
}

void Reader::take_line(std::string_view text) {
  const std::string keyword = lower(first_word(text));
  if (keyword == "var" || keyword == "ipvar" || keyword == "portvar")
    define(text);
  else if (keyword == "include")
    take_include(text);
  else if (keyword == "preprocessor")
    take_preprocessor(text);
}

void Reader::define(std::string_view rest) {
  const std::string_view name = first_word(rest);
  if (name.empty() || !std::ranges::all_of(name, is_name)) return;
  if (variables_.size() >= kMostVariables && variables_.find(name) == variables_.end()) {
    complain(fmt::format("more than {} variables", kMostVariables));
    return;
  }
  variables_[std::string(name)] = without_blanks_in_brackets(expand(rest));
}

void Reader::take_include(std::string_view rest) {
  for (const std::string_view of_others : {".rules", ".rules\"", ".config", ".map"})
    if (rest.ends_with(of_others)) return;
  std::string name = expand(rest);
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  if (name.empty()) return;
  if (!include_ || printable(name) != name) {
    warn(fmt::format("include {} is not followed", printable(name)));
    return;
  }
  if (depth_ >= kDeepestInclude) {
    complain(fmt::format("includes are more than {} deep", kDeepestInclude));
    return;
  }
  const std::size_t slash = path_.rfind('/');
  if (name.front() != '/' && slash != std::string::npos) name = path_.substr(0, slash + 1) + name;
  const Result<std::string> text = include_(name);
  if (!text) {
    warn(fmt::format("include: {}", printable(text.error().message)));
    return;
  }
  const std::string path = path_;
  const unsigned line = line_;
  const unsigned depth = depth_;
  read(*text, name, depth + 1);
  path_ = path;
  line_ = line;
  depth_ = depth;
}

void Reader::take_preprocessor(std::string_view rest) {
  const std::size_t colon = std::min(rest.find(':'), rest.size());
  const std::string keyword = lower(trimmed(rest.substr(0, colon)));
  if (!keyword.starts_with("spade")) return;
  if (result_.lines.size() >= kMostLines) {
    if (result_.lines.size() == kMostLines) complain(fmt::format("more than {} lines of SPADE", kMostLines));
    return;
  }
  const std::string expanded = without_blanks_in_brackets(expand(rest.substr(std::min(colon + 1, rest.size()))));
  SnortLine line{path_, line_, keyword, {}};
  for (std::string_view left = expanded; !left.empty();) {
    const std::string_view word = first_word(left);
    if (word.empty() || word.front() == '#') break;
    if (line.arguments.size() >= kMostArguments) {
      complain(fmt::format("more than {} words in a line", kMostArguments));
      break;
    }
    line.arguments.emplace_back(word);
  }
  result_.lines.push_back(std::move(line));
}

std::string Reader::expand(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '$' && !text.empty() && (is_name(text.front()) || text.front() == '('))
      result += value_of(text);
    else
      result += c;
    if (result.size() > kLongestLine) {
      complain(fmt::format("the line is longer than {} bytes with its variables expanded", kLongestLine));
      return {};
    }
  }
  return result;
}

// $NAME, $(NAME), $(NAME:-what if it is not defined), $(NAME:?message if it is not).
std::string Reader::value_of(std::string_view& rest) {
  std::string_view name;
  std::string_view otherwise;
  if (rest.front() == '(') {
    const std::size_t end = std::min(rest.find(')'), rest.size());
    name = rest.substr(1, end - 1);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t colon = std::min(name.find(':'), name.size());
    otherwise = name.substr(std::min(colon + 1, name.size()));
    name = name.substr(0, colon);
  } else {
    const auto end = static_cast<std::size_t>(std::ranges::find_if_not(rest, is_name) - rest.begin());
    name = rest.substr(0, end);
    rest.remove_prefix(end);
  }
  const auto found = variables_.find(name);
  if (found != variables_.end()) return found->second;
  if (otherwise.starts_with('-')) return std::string(otherwise.substr(1));
  complain(otherwise.starts_with('?')
               ? fmt::format("${} is not defined: {}", printable(name), printable(otherwise.substr(1)))
               : fmt::format("${} is not defined", printable(name)));
  return {};
}

}  // namespace

SnortLines read_snort_lines(std::string_view text, const std::string& path, const SnortInclude& include) {
  Reader reader(include);
  reader.read(text, path, 0);
  return reader.take();
}

std::string SnortRemark::text() const {
  return line == 0 ? message : fmt::format("{}:{}: {}", printable_path(file), line, message);
}

std::string printable_path(std::string_view path) {
  std::string result(path);
  std::ranges::replace_if(
      result, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, '?');
  return result;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  std::string result(text.substr(0, kLongest));
  std::ranges::replace_if(
      result, [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > kLongest) result += "...";
  return result;
}

}  // namespace spidd
