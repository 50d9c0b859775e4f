// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Configurations of the original. Whatever is accepted has detectors within their limits, and what is refused says why
// on lines of its own that can be printed.
#include <algorithm>
#include <set>

#include "tests/fuzz/fuzz_check.h"
#include "userspace/spade/snort_config.h"

namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Every include is the file itself: bounded all the same.
  const auto include = [&](const std::string&) -> spidd::Result<std::string> { return std::string(text); };
  const auto config = spidd::parse_snort_config(text, "c", include);
  if (!config) {
    std::string_view message = config.error().message;
    FUZZ_CHECK(!message.empty() && message.size() < 100'000);
    std::string flat(message);
    std::erase(flat, '\n');
    FUZZ_CHECK(is_printable(flat));
    return 0;
  }
  FUZZ_CHECK(!config->settings.detectors.empty());
  std::set<std::string_view> ids;
  for (const spidd::DetectorSettings& detector : config->settings.detectors) {
    FUZZ_CHECK(!detector.id.empty() && ids.insert(detector.id).second);
    FUZZ_CHECK(detector.probability_mode <= 3 && detector.wait_seconds <= 3600);
    FUZZ_CHECK(detector.decay.factor >= 0 && detector.decay.factor <= 1);
    FUZZ_CHECK(detector.min_observations >= 0);
  }
  for (const auto& adapter : config->settings.adapters)
    FUZZ_CHECK(std::visit([&](const auto& kind) { return ids.contains(kind.id); }, adapter));
  for (const std::string& note : config->notes) FUZZ_CHECK(is_printable(note));
  return 0;
}
