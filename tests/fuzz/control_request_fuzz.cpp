// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Requests of the control protocol: no line crashes the daemon, and every refusal can be told as one line of JSON.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/daemon/requests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = spidd::parse_request({reinterpret_cast<const char*>(data), size});
  if (request) return 0;
  const std::string line = spidd::error_line(request.error().message);
  FUZZ_CHECK(line.find('\n') == std::string::npos);
  FUZZ_CHECK(nlohmann::json::accept(line));
  return 0;
}
