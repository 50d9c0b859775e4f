// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The flows that settled last, with their fingerprints, to be found by the id that events show: for `spidctl explain`
// and `spidctl train --from-flow`. Bounded: the oldest goes first. Not thread-safe.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "userspace/learning/settled_flow.h"

namespace spidd {

class RecentFlows {
 public:
  // `limit`: flows kept, about 4 KiB each; 0 keeps none.
  explicit RecentFlows(std::size_t limit) : limit_(limit) {}

  // A flow that settles again (a later, better verdict) takes the place of its earlier self.
  void add(const SettledFlow& flow);

  // By event_flow_id() (userspace/report/events.h); null if it is not, or no more, here. Valid until the next add().
  const SettledFlow* find(std::uint64_t id) const;

  // For each of them.
  template <class Visit>
  void visit(Visit&& visit) {
    for (SettledFlow& flow : flows_) visit(flow);
  }

  std::size_t size() const { return flows_.size(); }
  std::size_t limit() const { return limit_; }

 private:
  std::size_t limit_;
  std::size_t next_ = 0;  // place of the oldest, once full
  std::vector<SettledFlow> flows_;
  std::unordered_map<std::uint64_t, std::size_t> place_of_;
};

}  // namespace spidd
