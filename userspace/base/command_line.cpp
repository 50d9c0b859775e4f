// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/command_line.h"

#include <charconv>
#include <cstdio>
#include <cxxopts.hpp>
#include <map>

namespace spidd {

namespace {

std::string long_name(const std::string& name) {
  const std::size_t comma = name.find(',');
  return comma == std::string::npos ? name : name.substr(comma + 1);
}

}  // namespace

struct CommandLine::State {
  State(std::string program_name, std::string usage, const std::string& summary)
      : program(std::move(program_name)), options(program, summary) {
    options.custom_help(usage.empty() ? "[OPTION...]" : "[OPTION...] " + usage);
    options.positional_help("");
    options.add_options()("h,help", "print this help");
  }

  std::string program;
  cxxopts::Options options;
  std::map<std::string, std::vector<std::string>> given;  // also the defaults
  std::map<std::string, bool> present;
  std::map<std::string, bool> declared;  // true = takes a value
  std::string positional_name;
  std::size_t least = 0;
  std::size_t most = 0;
  std::vector<std::string> positionals;
};

CommandLine::CommandLine(std::string program, std::string usage, std::string summary)
    : state_(std::make_unique<State>(std::move(program), std::move(usage), summary)) {}
CommandLine::~CommandLine() = default;
CommandLine::CommandLine(CommandLine&&) noexcept = default;

void CommandLine::flag(const std::string& name, const std::string& help) {
  state_->declared[long_name(name)] = false;
  state_->options.add_options()(name, help);
}

// The strings are kept as one value each: cxxopts would split a vector at commas.
void CommandLine::values(const std::string& name, const std::string& placeholder, const std::string& help) {
  state_->declared[long_name(name)] = true;
  state_->options.add_options()(name, help, cxxopts::value<std::string>(), placeholder);
}

void CommandLine::value(const std::string& name, const std::string& placeholder, const std::string& help) {
  values(name, placeholder, help);
}

void CommandLine::value(const std::string& name, const std::string& placeholder, const std::string& help,
                        const std::string& default_value) {
  values(name, placeholder, fmt::format("{} (default: {})", help, default_value));
  state_->given[long_name(name)] = {default_value};
}

void CommandLine::positional(const std::string& name, std::size_t least, std::size_t most) {
  state_->positional_name = name;
  state_->least = least;
  state_->most = most;
}

std::optional<int> CommandLine::parse(std::span<const std::string> words) {
  std::vector<const char*> argv;
  argv.push_back(state_->program.c_str());
  for (const std::string& word : words) argv.push_back(word.c_str());
  try {
    const cxxopts::ParseResult result = state_->options.parse(static_cast<int>(argv.size()), argv.data());
    if (result.count("help") != 0) {
      const std::string help = state_->options.help();
      std::fwrite(help.data(), 1, help.size(), stdout);
      return kExitDone;
    }
    for (const auto& [name, takes_value] : state_->declared) {
      if (result.count(name) == 0) continue;
      state_->present[name] = true;
      if (takes_value) state_->given[name].clear();
    }
    for (const cxxopts::KeyValue& item : result.arguments())
      if (const auto declared = state_->declared.find(item.key());
          declared != state_->declared.end() && declared->second)
        state_->given[item.key()].push_back(item.value());
    for (const std::string& word : result.unmatched()) state_->positionals.push_back(word);
  } catch (const cxxopts::exceptions::exception& error) {
    return usage_error(error.what());
  }
  const std::size_t count = state_->positionals.size();
  if (count < state_->least) return usage_error(fmt::format("missing <{}>", state_->positional_name));
  if (count > state_->most) return usage_error(fmt::format("unexpected '{}'", state_->positionals[state_->most]));
  return {};
}

bool CommandLine::has(const std::string& name) const { return state_->present.contains(name); }

std::vector<std::string> CommandLine::texts(const std::string& name) const {
  const auto found = state_->given.find(name);
  return found == state_->given.end() ? std::vector<std::string>{} : found->second;
}

std::string CommandLine::text(const std::string& name) const {
  const std::vector<std::string> all = texts(name);
  return all.empty() ? std::string{} : all.back();
}

Result<std::uint64_t> CommandLine::number(const std::string& name, std::uint64_t least, std::uint64_t most) const {
  const std::string word = text(name);
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc{} || end != word.data() + word.size())
    return fail("--{} '{}' is not a whole number", name, word);
  if (value < least || value > most) return fail("--{} {} is not within {} to {}", name, value, least, most);
  return value;
}

const std::vector<std::string>& CommandLine::positionals() const { return state_->positionals; }

int CommandLine::usage_error(std::string_view message) const {
  fmt::print(stderr, "{0}: {1}\nTry '{0} --help'.\n", state_->program, message);
  return kExitUsage;
}

}  // namespace spidd
