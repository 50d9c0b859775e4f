// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The flows of a capture file as a running spidd would settle them: with one engine, so that they come in the order of
// the capture. For commands that learn from captures or look into them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "userspace/learning/settled_flow.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/matcher.h"

namespace spidd {

struct SettlingCapture {
  std::string path;
  std::string filter;  // pcap-filter(7)
  std::shared_ptr<const Matcher> matcher;
  std::shared_ptr<const Policy> policy;
};

using OnSettled = std::function<void(const SettledFlow&)>;

// Asked after every record: other models to go on with, or null.
using ChangedModels = std::function<Result<std::shared_ptr<const Matcher>>()>;

struct SettledFlows {
  std::uint64_t flows = 0;  // that had payload
  std::string damage;       // why the capture could be read no further; what stands before was read. Or ""
};

Result<SettledFlows> settle_flows(const SettlingCapture& capture, const OnSettled& on_settled,
                                  const ChangedModels& changed_models = nullptr);

}  // namespace spidd
