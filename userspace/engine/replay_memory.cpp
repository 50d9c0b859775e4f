// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/replay_memory.h"

#include <algorithm>
#include <tuple>

namespace spidd {

EndpointRecord ReplayMemory::recall(const ServerKey& server, const IpAddress& client, Timestamp now) {
  EndpointRecord record = common_.find(server, now);
  const auto found = visits_.find({server, client});
  if (found == visits_.end()) return record;
  for (const std::size_t index : found->second) record.add(notes_[index].flow);
  return record;
}

void ReplayMemory::observe(const EndpointObservation& flow) {
  visits_[{flow.server, flow.client}].push_back(notes_.size());
  notes_.push_back({sequence_, flow});
}

std::vector<ReplayMemory::Note> ReplayMemory::take() {
  visits_.clear();
  return std::exchange(notes_, {});
}

void merge(std::vector<ReplayMemory::Note> notes, EndpointTable& common) {
  // Flows that end at the same tick of time have one sequence number.
  std::ranges::stable_sort(notes, [](const ReplayMemory::Note& a, const ReplayMemory::Note& b) {
    return std::tie(a.sequence, a.flow.flow) < std::tie(b.sequence, b.flow.flow);
  });
  for (const ReplayMemory::Note& note : notes) common.add(note.flow);
}

}  // namespace spidd
