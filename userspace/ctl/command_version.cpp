// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl version, --version: what this is, and whose idea it rests on.
#include "userspace/base/version.h"
#include "userspace/ctl/command.h"

namespace spidd {

int command_version(const CommandArguments& arguments) {
  CommandLine line("spidctl version", "", "Prints the version.");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  fmt::print("spidctl {}\n{}", SPIDD_VERSION, kAttribution);
  return kExitDone;
}

}  // namespace spidd
