// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl spade: what SPADE knows and says in a running spidd; `import` turns the original's configuration into the
// form of the policy file and asks no daemon.
#include <algorithm>
#include <array>
#include <cstdio>

#include "userspace/base/staged_files.h"
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/spade_views.h"
#include "userspace/ctl/text.h"
#include "userspace/policy/spade_part.h"
#include "userspace/spade/snort_config.h"

namespace spidd {
namespace {

int import(const CommandLine& line, const std::string& path) {
  const auto config = load_snort_config(path);
  if (!config) return report_failure("spade import", config.error());
  const std::string text = fmt::format("# From {}, by spidctl spade import. Goes into the policy file.\n{}",
                                       printable(path), spade_part_text(config->settings));
  if (line.has("output")) {
    if (const auto written = write_whole_file(line.text("output"), text); !written)
      return report_failure("spade import", written.error());
  } else {
    fmt::print("{}", text);
  }
  for (const std::string& note : config->notes) fmt::print(stderr, "{}\n", note);
  return kExitDone;
}

}  // namespace

int command_spade(const CommandArguments& arguments) {
  CommandLine line("spidctl spade", "status | tables | stats | survey | advise | incidents | import FILE",
                   "Shows what a running spidd's anomaly detection knows and says; or turns the 'preprocessor spade' "
                   "lines of a snort.conf into the [spade] part of a policy, and says what differs.");
  line.positional("action", 1, 2);
  line.value("o,output", "FILE", "import: write the part to FILE instead of standard output");
  line.flag("json", "the answer of the daemon, as it came");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  if (words[0] == "import") {
    if (words.size() < 2) return line.usage_error("missing <file>");
    return import(line, words[1]);
  }
  constexpr std::array kVerbs = {"status", "tables", "stats", "survey", "advise", "incidents"};
  if (std::ranges::find(kVerbs, words[0]) == kVerbs.end())
    return line.usage_error(fmt::format("'{}' is none of {}, import", printable(words[0]), fmt::join(kVerbs, ", ")));
  if (words.size() > 1) return line.usage_error("only 'import' takes a file");
  const auto answer = ask_daemon(arguments.socket_path, "spade", {{"verb", words[0]}});
  if (!answer) return report_failure("spade", answer.error());
  if (line.has("json"))
    print_json(*answer);
  else
    print_spade(words[0], *answer);
  return kExitDone;
}

}  // namespace spidd
