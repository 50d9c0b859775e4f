// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl policy check FILE: every mistake of a policy file with its line; asks no daemon. spidctl policy reload: has
// the daemon read its policy and models again.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/policy/policy.h"

namespace spidd {

namespace {

int check(const std::string& path) {
  const auto policy = load_policy(path);
  if (!policy) return report_failure("policy check", policy.error());
  fmt::print("{}: good, {} mode, {} rule{}\n", path, mode_name(policy->mode), policy->rules.size(),
             policy->rules.size() == 1 ? "" : "s");
  return kExitDone;
}

int reload(const std::string& socket_path) {
  const auto result = ask_daemon(socket_path, "policy_reload");
  if (!result) return report_failure("policy reload", result.error());
  fmt::print("the policy has {} rules, {} mode; {} models\n", number_at(*result, "/policy/rules"),
             text_at(*result, "/mode"), number_at(*result, "/models/count"));
  return kExitDone;
}

}  // namespace

int command_policy(const CommandArguments& arguments) {
  CommandLine line("spidctl policy", "check FILE | reload",
                   "Checks a policy file, or has spidd read its policy and models again.");
  line.positional("action", 1, 2);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  if (words[0] == "check") {
    if (words.size() < 2) return line.usage_error("missing <file>");
    return check(words[1]);
  }
  if (words[0] == "reload" && words.size() == 1) return reload(arguments.socket_path);
  return line.usage_error("say 'check' and a file, or 'reload'");
}

}  // namespace spidd
