// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl: finds the command and runs it. Without one it shows the status.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>

#include "userspace/ctl/command.h"
#include "userspace/daemon/protocol.h"

namespace spidd {
namespace {

struct Command {
  std::string_view name;
  CommandFunction function;
  std::string_view summary;
};

constexpr std::array<Command, 18> kCommands = {{
    {"status", command_status, "what spidd watches, sees and blocks (the default)"},
    {"flows", command_flows, "the flows it follows, newest first"},
    {"alerts", command_alerts, "what the policy had something to say about"},
    {"ports", command_ports, "the busiest ports"},
    {"drops", command_drops, "what is blocked, and what that has dropped"},
    {"block", command_block, "block a host, a prefix or an endpoint for some time"},
    {"unblock", command_unblock, "end a block"},
    {"metrics", command_metrics, "every counter, for Prometheus"},
    {"policy", command_policy, "check a policy file, or reload the policy"},
    {"analyze", command_analyze, "identify the flows of capture files; needs no daemon"},
    {"explain", command_explain, "why a flow got its name, meter by meter"},
    {"models", command_models, "list, show, merge, rename, forget, export and import the protocol models"},
    {"train", command_train, "make models from captures and labels, or from a live flow"},
    {"eval", command_eval, "how right names and alerts are, from captures and labels"},
    {"learn", command_learn, "protocols that no model knew: list, show, name, merge, forget, export"},
    {"site", command_site, "learn the site's own benign traffic: record, review, accept"},
    {"spade", command_spade, "SPADE: take over the configuration it had under Snort"},
    {"version", command_version, "what this is"},
}};

int print_help() {
  fmt::print("Shows and steers spidd.\nUsage:\n  spidctl [--socket PATH] [COMMAND] [OPTION...]\n\nCommands:\n");
  for (const Command& command : kCommands) fmt::print("  {:<9} {}\n", command.name, command.summary);
  fmt::print(
      "\n  --socket PATH  of spidd's control socket (default: {})\n"
      "\n'spidctl COMMAND --help' explains a command.\n",
      kDefaultSocketPath);
  return kExitDone;
}

int run(std::vector<std::string> words) {
  CommandArguments arguments;
  arguments.socket_path = kDefaultSocketPath;
  while (!words.empty() && words.front().starts_with("--socket")) {
    const std::string option = words.front();
    words.erase(words.begin());
    if (option.starts_with("--socket=")) {
      arguments.socket_path = option.substr(9);
    } else if (option == "--socket" && !words.empty()) {
      arguments.socket_path = words.front();
      words.erase(words.begin());
    } else {
      fmt::print(stderr, "spidctl: --socket needs a path\n");
      return kExitUsage;
    }
  }
  if (!words.empty() && (words.front() == "--help" || words.front() == "-h" || words.front() == "help"))
    return print_help();
  if (!words.empty() && words.front() == "--version") words.front() = "version";
  std::string name = "status";
  if (!words.empty() && !words.front().starts_with('-')) {
    name = words.front();
    words.erase(words.begin());
  }
  const auto command = std::ranges::find(kCommands, std::string_view(name), &Command::name);
  if (command == kCommands.end()) {
    fmt::print(stderr, "spidctl: there is no command '{}'\nTry 'spidctl --help'.\n", name);
    return kExitUsage;
  }
  arguments.words = std::move(words);
  const int code = command->function(arguments);
  if (std::fflush(stdout) != 0 && code == kExitDone) return kExitFailed;
  return code;
}

}  // namespace

}  // namespace spidd

int main(int argc, char** argv) {
  // A reader that has seen enough (| head) ends the program quietly.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    return spidd::run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  } catch (const std::system_error& error) {
    // A full disk behind standard output.
    std::fputs(fmt::format("spidctl: {}\n", error.what()).c_str(), stderr);
    return spidd::kExitFailed;
  }
}
