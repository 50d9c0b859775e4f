// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl metrics: every counter, in the text format of Prometheus; for a textfile collector, or for looking.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"

namespace spidd {

int command_metrics(const CommandArguments& arguments) {
  CommandLine line("spidctl metrics", "", "Prints every counter in the text format of Prometheus.");
  line.flag("json", "print one JSON object instead");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto result = ask_daemon(arguments.socket_path, line.has("json") ? "counters" : "metrics");
  if (!result) return report_failure("metrics", result.error());
  if (line.has("json"))
    print_json(*result);
  else
    fmt::print("{}", text_at(*result, "/text"));
  return kExitDone;
}

}  // namespace spidd
