// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Targets as `spidctl block` and the control socket name them. What is read is written so that it reads the same.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/enforcement/block_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto target = spidd::parse_block_target({reinterpret_cast<const char*>(data), size});
  if (!target) return 0;
  const auto again = spidd::parse_block_target(spidd::to_string(*target));
  FUZZ_CHECK(again && *again == *target);
  return 0;
}
