// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A capture of an office at work and of who attacks it, the same for the same seed: for comparing engines on traffic
// that has everything SPADE looks at. Home is 10.1.0.0/16. A short cousin of tests/lab/spade_scenarios.py, which knows
// more.
#pragma once

#include <cstdint>
#include <vector>

namespace spidd::test {

struct OfficeCapture {
  std::vector<std::uint8_t> bytes;  // of a capture file
  std::uint64_t packets = 0;
};

// `seconds`: of background; attacks begin when a third of it is over.
OfficeCapture office_capture(unsigned seconds, unsigned seed);

}  // namespace spidd::test
