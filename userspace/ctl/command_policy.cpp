// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl policy check FILE: every mistake of a policy file with its line, and labels that no model has; asks no
// daemon. spidctl policy reload: has the daemon read its policy and models again.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/config.h"
#include "userspace/policy/policy.h"

namespace spidd {

namespace {

// Labels that no model has are no mistake, but more often than not a misspelling that makes a rule useless.
void warn_of_unknown_labels(const Policy& policy, const ModelDatabase& database) {
  std::vector<std::string_view> known;
  for (const ProtocolModel& model : database.models) {
    known.push_back(model.label);
    known.push_back(model.family);
  }
  for (const std::string& warning : unknown_labels(policy, known)) fmt::print(stderr, "{}\n", warning);
}

int check(const std::string& path, const std::string& models_directory) {
  const auto policy = load_policy(path);
  if (!policy) return report_failure("policy check", policy.error());
  if (const auto database = load_models(models_directory))
    warn_of_unknown_labels(*policy, *database);
  else
    fmt::print(stderr, "the labels are not checked: {}\n", database.error().message);
  fmt::print("{}: good, {} mode, {} rule{}", path, mode_name(policy->mode), policy->rules.size(),
             policy->rules.size() == 1 ? "" : "s");
  if (const std::size_t count = policy->expectations.size(); count != 0)
    fmt::print(", {} expectation{}", count, count == 1 ? "" : "s");
  if (const std::size_t count = policy->incidents.size(); count != 0)
    fmt::print(", {} incident rule{}", count, count == 1 ? "" : "s");
  fmt::print("\n");
  return kExitDone;
}

int reload(const std::string& socket_path) {
  const auto result = ask_daemon(socket_path, "policy_reload");
  if (!result) return report_failure("policy reload", result.error());
  fmt::print("the policy has {} rules, {} incident rules, {} mode; {} models\n", number_at(*result, "/rules"),
             number_at(*result, "/incident_rules"), text_at(*result, "/mode"), number_at(*result, "/models/count"));
  return kExitDone;
}

}  // namespace

int command_policy(const CommandArguments& arguments) {
  CommandLine line("spidctl policy", "check FILE | reload",
                   "Checks a policy file, or has spidd read its policy and models again.");
  line.positional("action", 1, 2);
  line.value("models", "DIR", "directory of model files, to check labels against; default: the installed ones");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  if (words[0] == "check") {
    if (words.size() < 2) return line.usage_error("missing <file>");
    return check(words[1], line.has("models") ? line.text("models") : default_models_directory());
  }
  if (words[0] == "reload" && words.size() == 1) return reload(arguments.socket_path);
  return line.usage_error("say 'check' and a file, or 'reload'");
}

}  // namespace spidd
