// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The command line of a program or of one of its commands: options declared, parsed and explained in one place. Hides
// cxxopts, whose exceptions end in command_line.cpp.
//
//   CommandLine line("spidctl block", "ADDRESS...", "Blocks hosts or endpoints until a time has passed.");
//   line.value("for", "DURATION", "how long", "1h");
//   line.positional("address", 1, 100);
//   if (const auto exit_code = line.parse(words)) return *exit_code;
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace spidd {

// Exit codes of every program and command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

class CommandLine {
 public:
  // `program`: what stands in front of messages. `usage`: what follows the options in the help. `summary`: one
  // sentence.
  CommandLine(std::string program, std::string usage, std::string summary);
  ~CommandLine();
  CommandLine(CommandLine&&) noexcept;

  // `name` may be given as "v,verbose": a short and a long form. The long one is the name from then on.
  void flag(const std::string& name, const std::string& help);
  void value(const std::string& name, const std::string& placeholder, const std::string& help);
  void value(const std::string& name, const std::string& placeholder, const std::string& help,
             const std::string& default_value);
  // May be given several times; commas do not separate.
  void values(const std::string& name, const std::string& placeholder, const std::string& help);
  // Words that are no options: at least `least` and at most `most` of them. Without this call none is allowed.
  void positional(const std::string& name, std::size_t least, std::size_t most);

  // Reads the words that follow the program's (or command's) name. Nothing: go on. Else the code to exit with: --help
  // has been printed to standard output, or what is wrong to standard error.
  std::optional<int> parse(std::span<const std::string> words);

  // After parse(): given on the command line?
  bool has(const std::string& name) const;
  // The value given last, else the default, else "".
  std::string text(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  // The value as a whole number or duration; the error says which option and what was wrong.
  Result<std::uint64_t> number(const std::string& name, std::uint64_t least, std::uint64_t most) const;
  const std::vector<std::string>& positionals() const;

  // Prints "PROGRAM: MESSAGE" and where help is to standard error; returns kExitUsage.
  int usage_error(std::string_view message) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spidd
