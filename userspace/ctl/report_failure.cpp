// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <cstdio>

#include "userspace/ctl/command.h"

namespace spidd {

int report_failure(std::string_view command, const Error& error) {
  std::fflush(stdout);
  fmt::print(stderr, "spidctl {}: {}\n", command, error.message);
  return kExitFailed;
}

}  // namespace spidd
