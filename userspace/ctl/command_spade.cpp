// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl spade import FILE: the original's configuration in the form of the policy file; asks no daemon.
#include <cstdio>

#include "userspace/base/staged_files.h"
#include "userspace/ctl/command.h"
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
    StagedFiles files;
    if (const auto written = files.write(line.text("output"), text); !written)
      return report_failure("spade import", written.error());
    if (const auto done = files.commit(); !done) return report_failure("spade import", done.error());
  } else {
    fmt::print("{}", text);
  }
  for (const std::string& note : config->notes) fmt::print(stderr, "{}\n", note);
  return kExitDone;
}

}  // namespace

int command_spade(const CommandArguments& arguments) {
  CommandLine line("spidctl spade", "import FILE",
                   "Turns the 'preprocessor spade' lines of a snort.conf into the [spade] part of a policy, and says "
                   "what differs.");
  line.positional("action", 1, 2);
  line.value("o,output", "FILE", "write the part to FILE instead of standard output");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  if (words[0] != "import") return line.usage_error("say 'import' and a file");
  if (words.size() < 2) return line.usage_error("missing <file>");
  return import(line, words[1]);
}

}  // namespace spidd
