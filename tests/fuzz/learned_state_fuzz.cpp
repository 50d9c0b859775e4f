// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The file of what was learned, behind its checksum. Whatever is accepted gives proper models, and is the same after it
// was written and read again.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/learning/learner_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = spidd::parse_learned_body(text);
  if (!state) return 0;
  for (const spidd::Cluster& cluster : state->clusters) {
    if (cluster.state == spidd::ClusterState::anonymous) continue;
    const spidd::ProtocolModel model = cluster.to_model();
    FUZZ_CHECK(spidd::is_valid_label(model.label));
    std::uint64_t sum = 0;
    for (unsigned bin = 0; bin < spidd::kBinsPerMeter; ++bin) sum += model.counters[bin];
    FUZZ_CHECK(sum == model.measurements[0]);
  }
  const std::string again = spidd::format_learned(state->clusters, state->next_id);
  const auto same = spidd::parse_learned(again);
  FUZZ_CHECK(same.has_value());
  FUZZ_CHECK(spidd::format_learned(same->clusters, same->next_id) == again);
  return 0;
}
