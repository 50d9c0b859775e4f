// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl block, unblock: drop entries by hand. A block always ends by itself.
#include "userspace/base/time.h"
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/enforcement/block_list.h"

namespace spidd {

namespace {

constexpr std::size_t kMostTargets = 100;

// The targets on the command line, in the form of parse_block_target(). 'spidctl drops' prints the transport as a word
// of its own; pasted without quotes it arrives as one.
Result<std::vector<std::string>> targets_of(const CommandLine& line) {
  std::vector<std::string> targets;
  const std::vector<std::string>& words = line.positionals();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool transport_alone = parse_transport(words[i]).has_value() && i + 1 < words.size();
    targets.push_back(transport_alone ? fmt::format("{} {}", words[i], words[i + 1]) : words[i]);
    if (transport_alone) ++i;
    if (const auto target = parse_block_target(targets.back()); !target) return tl::unexpected<Error>(target.error());
  }
  return targets;
}

// One request a target; goes on after a failure, so that one wrong address does not leave the others open.
template <class Print>
int for_each_target(const char* command, const CommandArguments& arguments, const CommandLine& line,
                    nlohmann::ordered_json request, Print print) {
  const auto targets = targets_of(line);
  if (!targets) return line.usage_error(targets.error().message);
  int exit_code = kExitDone;
  for (const std::string& target : *targets) {
    request["target"] = target;
    const auto result = ask_daemon(arguments.socket_path, command, request);
    if (!result)
      exit_code = report_failure(command, result.error());
    else if (line.has("json"))
      print_json(*result);
    else
      print(*result);
  }
  return exit_code;
}

}  // namespace

int command_block(const CommandArguments& arguments) {
  CommandLine line("spidctl block", "ADDRESS...",
                   "Drops all packets from and to a host (192.0.2.7), a prefix (192.0.2.0/24) or an\n"
                   "endpoint (tcp/192.0.2.7:443), until the time has passed or 'spidctl unblock'.");
  line.value("for", "DURATION", "how long: 90s, 10m, 1h30m, 7d", "1h");
  line.flag("json", "print JSON lines");
  line.positional("address", 1, kMostTargets);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  if (const auto duration = parse_duration(line.text("for")); !duration)
    return line.usage_error(fmt::format("--for {}", duration.error().message));
  return for_each_target(
      "block", arguments, line, {{"for", line.text("for")}}, [](const nlohmann::ordered_json& block) {
        fmt::print("{} is blocked until {}\n", text_at(block, "/target"), text_at(block, "/expires"));
      });
}

int command_unblock(const CommandArguments& arguments) {
  CommandLine line("spidctl unblock", "ADDRESS...",
                   "Ends blocks, whoever made them: the targets as in 'spidctl drops'.");
  line.flag("json", "print JSON lines");
  line.positional("address", 1, kMostTargets);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  return for_each_target("unblock", arguments, line, nlohmann::ordered_json::object(),
                         [](const nlohmann::ordered_json& block) {
                           fmt::print("{} is not blocked any more\n", text_at(block, "/target"));
                         });
}

}  // namespace spidd
