// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/recent_flows.h"

#include "userspace/report/events.h"

namespace spidd {

void RecentFlows::add(const SettledFlow& flow) {
  if (limit_ == 0) return;
  const std::uint64_t id = event_flow_id(flow.key, flow.start);
  if (const auto known = place_of_.find(id); known != place_of_.end()) {
    flows_[known->second] = flow;
    return;
  }
  if (flows_.size() < limit_) {
    place_of_.emplace(id, flows_.size());
    flows_.push_back(flow);
    return;
  }
  SettledFlow& oldest = flows_[next_];
  place_of_.erase(event_flow_id(oldest.key, oldest.start));
  oldest = flow;
  place_of_.emplace(id, next_);
  next_ = (next_ + 1) % limit_;
}

const SettledFlow* RecentFlows::find(std::uint64_t id) const {
  const auto found = place_of_.find(id);
  return found == place_of_.end() ? nullptr : &flows_[found->second];
}

}  // namespace spidd
