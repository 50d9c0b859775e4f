// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The options of one of SPADE's lines: key=value, words that mean "yes", and values that are known by their place.
// Source: spade.md 5. Readers that find a mistake note it and return nothing, as if the option were absent.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/spade/settings.h"
#include "userspace/spade/snort_lines.h"

namespace spidd {

class SnortOptions {
 public:
  // What a line may say. `places`: the options that values without a name are for, in order.
  struct Grammar {
    std::vector<std::string_view> names;
    std::vector<std::string_view> switches;  // may stand without a value
    std::vector<std::string_view> places;
  };

  // Options that the grammar does not have are noted and ignored, as the original does. Both must outlive this object.
  SnortOptions(const SnortLine& line, const Grammar& grammar, SnortLines& remarks);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::optional<std::string> text(std::string_view name);  // up to 400 bytes that can be printed
  std::optional<bool> boolean(std::string_view name);
  std::optional<double> number(std::string_view name, double least, double most);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  // What `parser` makes of the text.
  template <class T>
  std::optional<T> word(std::string_view name, Result<T> (*parser)(std::string_view)) {
    const auto found = text(name);
    if (!found) return {};
    const Result<T> value = parser(*found);
    if (value) return *value;
    complain(fmt::format("{}: {}", name, value.error().message));
    return {};
  }
  ReportExclusions exclusions();

  void complain(std::string message) { remark(remarks_.errors, std::move(message)); }
  void warn(std::string message) { remark(remarks_.warnings, std::move(message)); }

 private:
  struct Option {
    std::string name;
    std::string value;
  };
  const std::string* find(std::string_view name) const;
  void remark(std::vector<SnortRemark>& to, std::string message) const {
    if (to.size() < kMostSnortRemarks) to.push_back({line_.file, line_.line, std::move(message)});
  }
  std::vector<IpPrefix> networks(std::string_view name);
  template <class T, class Parser>
  std::vector<T> list(std::string_view name, Parser parser);

  const SnortLine& line_;
  SnortLines& remarks_;
  std::vector<Option> options_;
};

// Whole texts only.
std::optional<double> parse_number(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);

// A network as Snort takes it: an address, or an address and a length, whose host bits do not matter. Not "any".
Result<IpPrefix> parse_snort_network(std::string_view text);

}  // namespace spidd
