// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Whose flows are not learned from for a time, because a block or an incident is about them: hosts, networks, servers
// and single flows. An alert of the flow itself is in its verdict (settled_flow.h). Not thread-safe.
#pragma once

#include <cstddef>
#include <map>

#include "userspace/enforcement/block_list.h"
#include "userspace/learning/settled_flow.h"

namespace spidd {

class Suspects {
 public:
  // `limit`: targets at a time; with one more, the one goes that would end first.
  explicit Suspects(std::size_t limit = 16384) : limit_(limit) {}

  // Until then, or longer if it is one for longer already.
  void add(const BlockTarget& target, Timestamp until);
  // An administrator or a policy lets it pass.
  void remove(const BlockTarget& target);
  // Whether the flow is of one of them, and began before that ended.
  bool touch(const SettledFlow& flow) const;

  std::size_t size() const { return until_.size(); }

 private:
  std::size_t limit_;
  std::map<BlockTarget, Timestamp> until_;
  std::map<IpPrefix, Timestamp> networks_;  // of more than a host: few, by hand. In until_ as well
};

// Whether a block of the target would stop the flow.
bool stops(const BlockTarget& target, const SettledFlow& flow);

}  // namespace spidd
